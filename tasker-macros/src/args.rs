//! The grammar of attributes: `"text"` or a path first, then `name = value` pairs.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Ident, LitStr, Path, Token};

use crate::errors::Errors;

/// The arguments of `#[step_handler(…)]`.
pub(crate) struct Args {
    /// `None` after a mistake.
    pub(crate) callable: Option<LitStr>,
    pub(crate) method: Option<LitStr>,
    /// The path of the runtime's crate.
    pub(crate) krate: Path,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let default: Path = syn::parse_quote!(::tasker_runtime);
        let mut args = Self { callable: None, method: None, krate: default };
        let list = match list.parse2(tokens) {
            Ok(list) => list,
            Err(error) => {
                errors.push(error);
                return args;
            }
        };
        let mut pairs = list.into_iter();
        match pairs.next() {
            Some(Arg::Text(text)) if !text.value().trim().is_empty() => args.callable = Some(text),
            Some(Arg::Text(text)) => errors.on(text, "the callable is empty: write the name that templates call it by"),
            Some(other) => errors.on(
                other.tokens(),
                "the callable comes first, in quotes: `#[step_handler(\"Namespace::Handler\")]`",
            ),
            None => errors.push(syn::Error::new(
                Span::call_site(),
                "the callable is missing: write `#[step_handler(\"Namespace::Handler\")]` with the name that templates call it by",
            )),
        }
        for pair in pairs {
            match pair {
                Arg::Pair(name, Value::Text(text)) if name == "method" => {
                    once(&mut args.method, &name, text, errors)
                }
                Arg::Pair(name, Value::Path(path)) if name == "crate" => args.krate = path,
                Arg::Pair(name, value) if name == "method" => {
                    errors.on(value.tokens(), "a method is written in quotes: `method = \"refund\"`");
                }
                Arg::Pair(name, value) if name == "crate" => {
                    errors.on(value.tokens(), "a crate is written as a path: `crate = my_tasker`");
                }
                Arg::Pair(name, _) => unknown(&name, &["method", "crate"], errors),
                other => errors.on(other.tokens(), "expected `method = \"…\"` or `crate = path`"),
            }
        }
        args
    }
}

/// What `#[input(…)]` says.
pub(crate) fn input(attribute: &syn::Attribute, errors: &mut Errors) -> Option<LitStr> {
    let list = attribute_list(attribute, "`#[input]` or `#[input(\"field\")]`", errors)?;
    let mut list = list.into_iter();
    let first = match list.next() {
        Some(Arg::Text(text)) if text.value().is_empty() => {
            errors.on(text, "the field's name is empty; for the whole context write `#[input]`");
            None
        }
        Some(Arg::Text(text)) => Some(text),
        Some(other) => {
            errors.on(other.tokens(), "the field is written in quotes: `#[input(\"user_info\")]`");
            None
        }
        None => None,
    };
    for extra in list {
        errors.on(extra.tokens(), "an input is one field; take further fields as further parameters");
    }
    first
}

/// What `#[depends_on(…)]` says.
pub(crate) struct DependsOn {
    pub(crate) target: Target,
    pub(crate) step: Option<LitStr>,
}

pub(crate) enum Target {
    Handler(Path),
    Step(LitStr),
}

/// `None` after a mistake.
pub(crate) fn depends_on(attribute: &syn::Attribute, errors: &mut Errors) -> Option<DependsOn> {
    const EXAMPLE: &str =
        "`#[depends_on(handler)]`, `#[depends_on(handler, step = \"name\")]` or `#[depends_on(\"step\")]`";
    let list = attribute_list(attribute, EXAMPLE, errors)?;
    let mut list = list.into_iter();
    let target = match list.next() {
        Some(Arg::Path(path)) => Target::Handler(path),
        Some(Arg::Text(text)) if !text.value().trim().is_empty() => Target::Step(text),
        Some(Arg::Text(text)) => {
            errors.on(text, "the step's name is empty");
            return None;
        }
        Some(other) => {
            errors.on(other.tokens(), format!("the handler or step comes first: {EXAMPLE}"));
            return None;
        }
        None => {
            errors.on(attribute, format!("a dependency names a handler or a step: {EXAMPLE}"));
            return None;
        }
    };
    let mut step = None;
    for arg in list {
        match arg {
            Arg::Pair(name, Value::Text(text)) if name == "step" => {
                if matches!(target, Target::Step(_)) {
                    errors.on(name, "the step is named already: `step = …` goes with a handler's path");
                } else if text.value().trim().is_empty() {
                    errors.on(text, "the step's name is empty");
                } else {
                    once(&mut step, &name, text, errors);
                }
            }
            Arg::Pair(name, value) if name == "step" => {
                errors.on(value.tokens(), "a step is written in quotes: `step = \"create_account\"`");
            }
            Arg::Pair(name, _) => unknown(&name, &["step"], errors),
            other => errors.on(
                other.tokens(),
                "a parameter receives one result; take further ones as further parameters",
            ),
        }
    }
    Some(DependsOn { target, step })
}

/// The arguments in an attribute's brackets; none for an attribute without.
fn attribute_list(attribute: &syn::Attribute, example: &str, errors: &mut Errors) -> Option<Vec<Arg>> {
    match &attribute.meta {
        syn::Meta::Path(_) => Some(Vec::new()),
        syn::Meta::List(meta) => match list.parse2(meta.tokens.clone()) {
            Ok(list) => Some(list),
            Err(error) => {
                errors.push(error);
                None
            }
        },
        syn::Meta::NameValue(meta) => {
            errors.on(meta, format!("write {example}"));
            None
        }
    }
}

fn once(place: &mut Option<LitStr>, name: &Ident, value: LitStr, errors: &mut Errors) {
    if place.is_some() {
        errors.on(name, format!("`{name}` is given twice"));
    }
    *place = Some(value);
}

fn unknown(name: &Ident, known: &[&str], errors: &mut Errors) {
    let written = name.to_string();
    let near = known.iter().find(|one| strsim::damerau_levenshtein(&written, one) <= 2);
    let names = known.join("`, `");
    match near {
        Some(near) => errors.on(name, format!("unknown argument `{written}`; did you mean `{near}`?")),
        None => errors.on(name, format!("unknown argument `{written}`; known here: `{names}`")),
    }
}

enum Arg {
    Text(LitStr),
    Path(Path),
    Pair(Ident, Value),
    Other(TokenStream),
}

enum Value {
    Text(LitStr),
    Path(Path),
    Other(TokenStream),
}

impl Arg {
    fn tokens(&self) -> TokenStream {
        match self {
            Self::Text(text) => text.to_token_stream(),
            Self::Path(path) => path.to_token_stream(),
            Self::Pair(name, _) => name.to_token_stream(),
            Self::Other(tokens) => tokens.clone(),
        }
    }
}

impl Value {
    fn tokens(&self) -> TokenStream {
        match self {
            Self::Text(text) => text.to_token_stream(),
            Self::Path(path) => path.to_token_stream(),
            Self::Other(tokens) => tokens.clone(),
        }
    }
}

fn list(input: ParseStream<'_>) -> syn::Result<Vec<Arg>> {
    let args = syn::punctuated::Punctuated::<Arg, Token![,]>::parse_terminated(input)?;
    Ok(args.into_iter().collect())
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Text);
        }
        if input.peek2(Token![=]) && !input.peek2(Token![==]) {
            let name = input.call(<Ident as syn::ext::IdentExt>::parse_any)?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Pair(name, input.parse()?));
        }
        let fork = input.fork();
        if fork.parse::<Path>().is_ok() && (fork.is_empty() || fork.peek(Token![,])) {
            return input.call(Path::parse_mod_style).map(Self::Path);
        }
        input.parse::<syn::Expr>().map(|other| Self::Other(other.to_token_stream()))
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Text);
        }
        let fork = input.fork();
        if fork.call(Path::parse_mod_style).is_ok() && (fork.is_empty() || fork.peek(Token![,])) {
            return input.call(Path::parse_mod_style).map(Self::Path);
        }
        input.parse::<syn::Expr>().map(|other| Self::Other(other.to_token_stream()))
    }
}
