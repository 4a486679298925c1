//! The handler as we understand it: its name, its parameters, its result.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, GenericArgument, Ident, ItemFn, LitStr, Path, PathArguments, ReturnType, Type};

use crate::args::{self, Target};
use crate::errors::Errors;

pub(crate) struct Handler {
    /// The user's function, without the attributes that are ours.
    pub(crate) function: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Output,
}

/// What the function returns.
pub(crate) enum Output {
    /// Something called `Result`.
    Result(Type),
    Plain(Type),
}

pub(crate) struct Parameter {
    pub(crate) source: Source,
    /// The type that is taken from the source: what is behind a reference.
    pub(crate) owned: Type,
    pub(crate) by_reference: bool,
}

/// Where a parameter comes from.
pub(crate) enum Source {
    Context,
    Field(LitStr),
    /// A step whose result has whatever type the parameter has.
    Step(LitStr),
    /// A step that runs this handler.
    Handler {
        path: Path,
        step: LitStr,
    },
    /// A type that knows how to get itself.
    Extracted,
    /// Its attributes were wrong, and have been reported.
    Unknown,
}

impl Handler {
    /// The item itself, when it is no function.
    pub(crate) fn parse(item: TokenStream, errors: &mut Errors) -> Result<Self, TokenStream> {
        let mut function: ItemFn = match syn::parse2(item.clone()) {
            Ok(function) => function,
            Err(error) => {
                match syn::parse2::<syn::Item>(item.clone()) {
                    Ok(other) => errors.on(
                        head(&other),
                        "`#[step_handler]` goes on a function; a handler that needs an object takes it as `State<T>`",
                    ),
                    Err(_) => errors.push(error),
                }
                return Err(item);
            }
        };
        let parameters = function.sig.inputs.iter_mut().map(|argument| parameter(argument, errors)).collect();
        let result = match &function.sig.output {
            ReturnType::Default => Output::Plain(syn::parse_quote!(())),
            ReturnType::Type(_, ty) if is_named(ty, &["Result", "StepResult"]) => {
                Output::Result((**ty).clone())
            }
            ReturnType::Type(_, ty) => Output::Plain((**ty).clone()),
        };
        Ok(Self { function, parameters, result })
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }
}

/// The first tokens of an item, up to its name: enough to point at.
fn head(item: &syn::Item) -> TokenStream {
    item.to_token_stream().into_iter().take(2).collect()
}

fn parameter(argument: &mut FnArg, errors: &mut Errors) -> Parameter {
    let argument = match argument {
        FnArg::Typed(argument) => argument,
        FnArg::Receiver(receiver) => {
            errors.on(
                receiver,
                "a step handler is a function of its own and has no `self`; take the object as `State<T>`",
            );
            return Parameter { source: Source::Unknown, owned: syn::parse_quote!(()), by_reference: false };
        }
    };
    let (ours, others) = std::mem::take(&mut argument.attrs).into_iter().partition::<Vec<_>, _>(is_ours);
    argument.attrs = others;
    let source = source(&ours, errors);
    let (owned, by_reference) = match &*argument.ty {
        Type::Reference(reference) => {
            if let Some(mutability) = &reference.mutability {
                errors
                    .on(mutability, "what a handler receives is its own; take it by value, as `mut name: T`");
            }
            if is_named(&reference.elem, &["str"]) {
                errors.on(reference, "take a `String` or `&String`: the text is read for this attempt");
            } else if matches!(*reference.elem, Type::Slice(_)) {
                errors.on(reference, "take a `Vec<T>` or `&Vec<T>`: the list is read for this attempt");
            }
            ((*reference.elem).clone(), true)
        }
        other => (other.clone(), false),
    };
    if let Type::ImplTrait(ty) = &owned {
        errors
            .on(ty, "a handler's parameter has a type of its own: the value is read from JSON as that type");
    }
    Parameter { source, owned, by_reference }
}

fn is_ours(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("input") || attribute.path().is_ident("depends_on")
}

fn source(attributes: &[syn::Attribute], errors: &mut Errors) -> Source {
    let [attribute, rest @ ..] = attributes else { return Source::Extracted };
    for extra in rest {
        errors.on(extra, "a parameter comes from one place: keep one of these attributes");
    }
    if attribute.path().is_ident("input") {
        return match args::input(attribute, errors) {
            Some(field) => Source::Field(field),
            None => Source::Context,
        };
    }
    let Some(dependency) = args::depends_on(attribute, errors) else { return Source::Unknown };
    match dependency.target {
        Target::Step(step) => Source::Step(step),
        Target::Handler(path) => {
            let own_name = || {
                let last = path.segments.last().map(|segment| &segment.ident);
                LitStr::new(&last.map(unraw).unwrap_or_default(), path.span())
            };
            let step = dependency.step.unwrap_or_else(own_name);
            Source::Handler { path, step }
        }
    }
}

fn unraw(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

/// Whether a type's last segment is one of `names`.
fn is_named(ty: &Type, names: &[&str]) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// The `T` of an `Option<T>`, as far as the tokens tell.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}
