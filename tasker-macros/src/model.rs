//! The model of a handler: its name, its parameters, its result.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, FnArg, GenericArgument, Ident, ItemFn, LitStr, Path, PathArguments, ReturnType, Type};

use crate::args::{self, Target};
use crate::errors::Errors;
use crate::validators;

pub(crate) struct Handler {
    /// The user's function, without the attributes that are ours.
    pub(crate) function: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Output,
    /// The `impl` block that the function is a method of.
    pub(crate) owner: Option<Owner>,
}

/// The `impl` block of a struct whose methods are handlers.
#[derive(Clone)]
pub(crate) struct Owner {
    /// The struct.
    pub(crate) ty: Path,
    /// The module that has the types of its handlers.
    pub(crate) module: Ident,
}

/// What `#[step_handler]` is on.
pub(crate) enum Item {
    Function(Box<Handler>),
    Block(Box<syn::ItemImpl>),
    /// Something else, which has been reported.
    Other(TokenStream),
}

/// The return type of the function.
pub(crate) enum Output {
    /// A type that is called `Result`.
    Result(Type),
    Plain(Type),
}

impl Output {
    pub(crate) fn ty(&self) -> &Type {
        let (Self::Result(ty) | Self::Plain(ty)) = self;
        ty
    }
}

pub(crate) struct Parameter {
    pub(crate) source: Source,
    /// The pattern as it is written, for messages.
    pub(crate) name: String,
    /// The type as it is written.
    pub(crate) written: Type,
    /// The attributes that are not ours.
    pub(crate) attributes: Vec<Attribute>,
}

impl Parameter {
    /// The type of the value: for a reference, the type behind it.
    pub(crate) fn owned(&self) -> &Type {
        match &self.written {
            Type::Reference(reference) => bare(&reference.elem),
            owned => owned,
        }
    }

    pub(crate) fn is_by_reference(&self) -> bool {
        matches!(self.written, Type::Reference(_))
    }
}

/// The source of a parameter's value.
pub(crate) enum Source {
    /// The whole context, or one field of it.
    Input { field: Option<LitStr>, validation: Validation, view: bool },
    /// A step by its name. With `view`, the parameter is another view of its result than its handler's type.
    Step { step: LitStr, view: bool },
    /// A step that runs this handler.
    Handler { path: Path, step: LitStr },
    /// A value of `handler.initialization`, or all of it.
    Config { key: Option<LitStr>, validation: Validation },
    /// A type with `FromStep`, which gets its value by itself.
    Extracted,
    /// Unknown: the attributes were wrong, which has been reported.
    Unknown,
}

/// Whether an input is validated.
#[derive(Clone, Copy)]
pub(crate) enum Validation {
    /// `validate`: the type must implement `Validate`.
    Asked,
    /// `validate = false`: it is not validated.
    Declined,
    /// It is validated if the type implements `Validate`.
    IfPossible,
    /// It is validated if the type implements `Validate`; a type that does not must be a plain one.
    IfPossibleOrPlain,
}

impl Validation {
    fn of(validate: Option<bool>) -> Self {
        match validate {
            Some(true) => Self::Asked,
            Some(false) => Self::Declined,
            None if validators::are_several() => Self::IfPossibleOrPlain,
            None => Self::IfPossible,
        }
    }
}

impl Item {
    /// Parses the item. Reports one that is neither a function nor an `impl` block.
    pub(crate) fn parse(item: TokenStream, errors: &mut Errors) -> Self {
        match syn::parse2(item.clone()) {
            Ok(function) => Self::Function(Box::new(Handler::of(function, None, errors))),
            Err(error) => match syn::parse2(item.clone()) {
                Ok(block) => Self::Block(Box::new(block)),
                Err(_) => {
                    no_function(&item, error, errors);
                    Self::Other(item)
                }
            },
        }
    }
}

impl Handler {
    /// The handler of a function, or of a method without its `&self`.
    pub(crate) fn of(mut function: ItemFn, owner: Option<Owner>, errors: &mut Errors) -> Self {
        let parameters = function.sig.inputs.iter_mut().map(|argument| parameter(argument, errors)).collect();
        let result = match &function.sig.output {
            ReturnType::Default => Output::Plain(syn::parse_quote!(())),
            ReturnType::Type(_, ty) => match bare(ty).clone() {
                ty if is_named(&ty, &["Result", "StepResult"]) => Output::Result(ty),
                ty => Output::Plain(ty),
            },
        };
        Self { function, parameters, result, owner }
    }

    /// The path of the handler as a type.
    pub(crate) fn path(&self) -> TokenStream {
        let name = self.name();
        match &self.owner {
            None => name.to_token_stream(),
            Some(Owner { module, .. }) => quote::quote!(#module::#name),
        }
    }

    /// The handler as messages name it.
    pub(crate) fn title(&self) -> String {
        let name = unraw(self.name());
        match self.owner.as_ref().and_then(|owner| owner.ty.segments.last()) {
            Some(ty) => format!("{}::{name}", unraw(&ty.ident)),
            None => name,
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    /// The function's `cfg` attributes, which apply to all code that is generated beside it.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }
}

/// Reports an item that is not a function.
fn no_function(item: &TokenStream, error: syn::Error, errors: &mut Errors) {
    const METHOD: &str = "[TSK314] `#[step_handler]` goes on a function of its own, or on the whole `impl` \
         block of a struct";
    if let Ok(method) = syn::parse2::<syn::TraitItemFn>(item.clone()) {
        return errors.on(method.sig.ident, METHOD);
    }
    let head = match syn::parse2::<syn::Item>(item.clone()) {
        Ok(syn::Item::Struct(item)) => item.ident.into_token_stream(),
        Ok(syn::Item::Enum(item)) => item.ident.into_token_stream(),
        Ok(syn::Item::Trait(item)) => item.ident.into_token_stream(),
        Ok(syn::Item::Mod(item)) => item.ident.into_token_stream(),
        Ok(other) => other.into_token_stream(),
        Err(_) => return errors.push(error),
    };
    errors.on(
        head,
        "[TSK314] `#[step_handler]` goes on a function: `async fn name(…) -> Result<T, StepError>`",
    );
}

fn parameter(argument: &mut FnArg, errors: &mut Errors) -> Parameter {
    let argument = match argument {
        FnArg::Typed(argument) => argument,
        FnArg::Receiver(receiver) => {
            errors.on(
                receiver,
                "[TSK314] `#[step_handler(\"…\")]` goes on the `impl` block, all of whose methods are then \
                 handlers; or on a function without `self`",
            );
            let (source, written) = (Source::Unknown, syn::parse_quote!(()));
            return Parameter { source, name: String::new(), written, attributes: Vec::new() };
        }
    };
    let (ours, others) = std::mem::take(&mut argument.attrs).into_iter().partition::<Vec<_>, _>(is_ours);
    let (misspelled, others) = others.into_iter().partition::<Vec<_>, _>(|other| meant(other).is_some());
    argument.attrs.clone_from(&others);
    let source = match misspelled.first() {
        None => source(&ours, errors),
        Some(_) => Source::Unknown,
    };
    for attribute in misspelled {
        let name = attribute.path().to_token_stream();
        let meant = meant(&attribute).unwrap_or_default();
        errors.on(&name, format!("[TSK303] unknown attribute `{name}`; did you mean `{meant}`?"));
    }
    let name = argument.pat.to_token_stream().to_string();
    let name = name.strip_prefix("mut ").unwrap_or(&name).to_owned();
    Parameter { source, name, written: bare(&argument.ty).clone(), attributes: others }
}

const OURS: [&str; 3] = ["input", "depends_on", "config"];

/// The attribute of ours that was probably meant.
fn meant(attribute: &Attribute) -> Option<&'static str> {
    args::near(&attribute.path().get_ident()?.to_string(), &OURS)
}

pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    OURS.iter().any(|name| attribute.path().is_ident(name))
}

fn source(attributes: &[Attribute], errors: &mut Errors) -> Source {
    let [attribute, rest @ ..] = attributes else { return Source::Extracted };
    for extra in rest {
        errors.on(extra, "[TSK303] a parameter comes from one place: keep one of these attributes");
    }
    if attribute.path().is_ident("input") {
        let args::Input { field, validate, view } = args::input(attribute, errors);
        return Source::Input { field, validation: Validation::of(validate), view };
    }
    if attribute.path().is_ident("config") {
        let (key, validate) = args::config(attribute, errors);
        return Source::Config { key, validation: Validation::of(validate) };
    }
    let Some(dependency) = args::depends_on(attribute, errors) else { return Source::Unknown };
    match dependency.target {
        Target::Step(step) => Source::Step { step, view: dependency.view },
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

pub(crate) fn unraw(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

/// A type without brackets around it, and the invisible ones of a `$name:ty`.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        bare => bare,
    }
}

/// Whether a type's last segment is one of `names`.
pub(crate) fn is_named(ty: &Type, names: &[&str]) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// The `T` of an `Option<T>`, as far as the tokens tell.
pub(crate) fn option_of(ty: &Type) -> Option<&Type> {
    if is_named(ty, &["Option"]) { arguments(ty).next() } else { None }
}

/// The types in the brackets after a type's last segment.
pub(crate) fn arguments(ty: &Type) -> impl Iterator<Item = &Type> {
    let last = match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let arguments = last.and_then(|segment| match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    });
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
