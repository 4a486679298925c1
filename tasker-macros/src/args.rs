//! The grammar of attributes: `"text"` or a path first, then `name = value` pairs.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Ident, LitStr, Path, Token};

use crate::errors::Errors;
use crate::method_path;

/// The arguments of `#[step_handler(…)]`.
pub(crate) struct Args {
    /// The callable; `None` after a mistake.
    pub(crate) callable: Option<LitStr>,
    pub(crate) method: Option<LitStr>,
    /// The path of the runtime's crate.
    pub(crate) krate: Path,
}

impl Args {
    /// Parses the arguments. `krate` is the path of the runtime's crate unless `crate = …` sets another.
    pub(crate) fn parse(tokens: TokenStream, krate: Path, errors: &mut Errors) -> Self {
        let mut args = Self { callable: None, method: None, krate };
        let list = match list.parse2(tokens) {
            Ok(list) => list,
            Err(error) => {
                errors.arguments(&error);
                return args;
            }
        };
        let has_text = list.iter().any(|arg| matches!(arg, Arg::Text(_)));
        // Whether the callable was given, if perhaps in a wrong form.
        let mut named = false;
        let mut crate_given = false;
        for (index, arg) in list.iter().enumerate() {
            match arg {
                Arg::Text(text) if named => errors.on(
                    text,
                    "[TSK301] a handler has one callable; for an entry point of it write `method = \"…\"`",
                ),
                Arg::Text(text) => {
                    named = true;
                    if index > 0 {
                        errors.on(text, "[TSK301] the callable comes first, before `method` and `crate`");
                    } else if text.value().trim().is_empty() {
                        errors.on(
                            text,
                            "[TSK301] the callable is empty: write the name that templates call it by",
                        );
                    }
                    args.callable = Some(text.clone());
                }
                Arg::Pair(name, value) if name == "method" => match value {
                    Value::Text(text) if text.value().trim().is_empty() => {
                        errors.on(
                            text,
                            "[TSK302] the method is empty: name it, or leave `method` out for `call`",
                        );
                    }
                    Value::Text(text) => once(&mut args.method, name, text, errors),
                    other => {
                        errors.on(
                            other.tokens(),
                            "[TSK302] a method is written in quotes: `method = \"refund\"`",
                        );
                    }
                },
                Arg::Pair(name, value) if name == "crate" => match value {
                    _ if std::mem::replace(&mut crate_given, true) => twice(name, errors),
                    Value::Path(path) => args.krate = path.clone(),
                    other => {
                        errors
                            .on(other.tokens(), "[TSK302] a crate is written as a path: `crate = my_tasker`");
                    }
                },
                Arg::Pair(name, _) if name == "callable" && !has_text => {
                    named = true;
                    errors.on(
                        name,
                        format!("[TSK301] the callable stands first and without a name: {EXAMPLE}"),
                    );
                }
                Arg::Pair(name, _) => unknown(name, &["method", "crate"], errors),
                Arg::Path(path) if !has_text && !named => {
                    named = true;
                    let callable = spelled(path);
                    errors.on(
                        path,
                        format!(
                            "[TSK301] the callable is written in quotes: `#[step_handler(\"{callable}\")]`"
                        ),
                    );
                }
                other if !has_text && !named => {
                    named = true;
                    errors
                        .on(other.tokens(), format!("[TSK301] the callable is a text in quotes: {EXAMPLE}"));
                }
                other => errors.on(other.tokens(), "[TSK302] expected `method = \"…\"` or `crate = path`"),
            }
        }
        if !named {
            match list.first() {
                Some(first) => {
                    errors.on(
                        first.tokens(),
                        format!("[TSK301] the callable is missing; it comes first: {EXAMPLE}"),
                    );
                }
                None => errors.push(syn::Error::new(
                    Span::call_site(),
                    format!(
                        "[TSK301] the callable is missing: write {EXAMPLE} with the name that templates call \
                         it by"
                    ),
                )),
            }
        }
        args
    }
}

const EXAMPLE: &str = "`#[step_handler(\"Namespace::Handler\")]`";

/// A path as a person writes it: without the spaces of its tokens.
pub(crate) fn spelled(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

/// The arguments of `#[input(…)]`.
#[derive(Default)]
pub(crate) struct Input {
    /// The field of the context; `None` for the whole context.
    pub(crate) field: Option<LitStr>,
    /// The value of `validate` or `validate = …`.
    pub(crate) validate: Option<bool>,
    /// `view`: the parameter is another view of the field than the workflow's input type.
    pub(crate) view: bool,
}

pub(crate) fn input(attribute: &syn::Attribute, errors: &mut Errors) -> Input {
    const EXAMPLE: &str = "`#[input]`, `#[input(\"field\")]` or `#[input(\"field\", validate)]`";
    const OPTIONS: [&str; 2] = ["validate", "view"];
    let mut input = Input::default();
    let Some(list) = attribute_list(attribute, EXAMPLE, errors) else { return input };
    // Anything else is meant to be a field.
    let is_whole = list.iter().all(|arg| OPTIONS.iter().any(|option| arg.is_named(option)));
    for (index, arg) in list.into_iter().enumerate() {
        let validate = match &arg {
            Arg::Path(path) if path.is_ident("validate") => Some(true),
            Arg::Pair(name, value) if name == "validate" => match value.tokens().to_string().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => {
                    errors.on(value.tokens(), "[TSK302] write `validate`, or `validate = false`");
                    continue;
                }
            },
            _ => None,
        };
        if arg.is_named("view") {
            if std::mem::replace(&mut input.view, true) {
                errors.on(arg.tokens(), "[TSK302] `view` is given twice: keep one");
            } else if matches!(arg, Arg::Pair(..)) {
                errors.on(arg.tokens(), "[TSK302] `view` has no value: write `#[input(\"field\", view)]`");
            } else if is_whole {
                errors.on(
                    arg.tokens(),
                    "[TSK302] `view` goes with a field, `#[input(\"field\", view)]`: the whole input may have any \
                     type, so leave `view` out",
                );
            }
            continue;
        }
        if validate.is_some() {
            if input.validate.is_some() {
                errors.on(arg.tokens(), "[TSK302] `validate` is given twice: keep one");
            }
            input.validate = validate;
            continue;
        }
        match arg {
            Arg::Text(text) if index > 0 && input.field.is_none() => {
                errors.on(&text, "[TSK304] the field comes first: `#[input(\"field\", validate)]`");
                input.field = Some(text);
            }
            Arg::Pair(name, _) if index > 0 => unknown(&name, &OPTIONS, errors),
            other if index > 0 && !other.told_as_misspelt(&OPTIONS, errors) => {
                errors.on(
                    other.tokens(),
                    "[TSK304] an input is one field; take further fields as further parameters",
                );
            }
            _ if index > 0 => {}
            Arg::Text(text) if text.value().is_empty() => {
                errors.on(text, "[TSK304] the field's name is empty; for the whole context write `#[input]`");
            }
            Arg::Text(text) => input.field = Some(text),
            Arg::Path(path) => {
                let field = spelled(&path);
                errors.on(path, format!("[TSK304] the field is written in quotes: `#[input(\"{field}\")]`"));
            }
            other => errors
                .on(other.tokens(), "[TSK304] an input is one field, in quotes: `#[input(\"user_info\")]`"),
        }
    }
    input
}

/// The key in `#[config("key")]`, `None` for the whole configuration; and the value of `validate` or `validate = …`.
pub(crate) fn config(attribute: &syn::Attribute, errors: &mut Errors) -> (Option<LitStr>, Option<bool>) {
    const EXAMPLE: &str = "`#[config]`, `#[config(\"key\")]` or `#[config(\"key\", validate)]`";
    let (mut key, mut validate) = (None, None);
    let Some(list) = attribute_list(attribute, EXAMPLE, errors) else { return (key, validate) };
    for (index, arg) in list.into_iter().enumerate() {
        match arg {
            Arg::Path(path) if path.is_ident("validate") => validate = Some(true),
            Arg::Pair(name, value) if name == "validate" => match value.tokens().to_string().as_str() {
                "true" => validate = Some(true),
                "false" => validate = Some(false),
                _ => errors.on(value.tokens(), "[TSK302] write `validate`, or `validate = false`"),
            },
            other if index > 0 => errors.on(
                other.tokens(),
                "[TSK319] a parameter takes one key, which comes first: take further ones as further parameters",
            ),
            Arg::Text(text) if text.value().is_empty() => {
                errors.on(text, "[TSK319] the key is empty; for the whole configuration write `#[config]`");
            }
            Arg::Text(text) => key = Some(text),
            Arg::Path(path) => {
                let key = spelled(&path);
                errors.on(path, format!("[TSK319] the key is written in quotes: `#[config(\"{key}\")]`"));
            }
            other => errors
                .on(other.tokens(), "[TSK319] a configuration is one key, in quotes: `#[config(\"url\")]`"),
        }
    }
    (key, validate)
}

/// The arguments of `#[depends_on(…)]`.
pub(crate) struct DependsOn {
    pub(crate) target: Target,
    pub(crate) step: Option<LitStr>,
    /// `view`: the parameter is another view of the step's result than its handler's type.
    pub(crate) view: bool,
}

pub(crate) enum Target {
    Handler(Path),
    Step(LitStr),
}

/// `None` after a mistake.
pub(crate) fn depends_on(attribute: &syn::Attribute, errors: &mut Errors) -> Option<DependsOn> {
    const EXAMPLE: &str =
        "`#[depends_on(handler)]`, `#[depends_on(handler, step = \"name\")]` or `#[depends_on(\"step\")]`";
    const OPTIONS: [&str; 2] = ["step", "view"];
    let list = attribute_list(attribute, EXAMPLE, errors)?;
    let mut list = list.into_iter();
    let target = match list.next() {
        Some(Arg::Path(path)) => match method_path::handler_of_method(&path) {
            None => Target::Handler(path),
            Some(handler) => {
                let method = spelled(&path);
                errors.on(path, format!("[TSK317] `{method}` is a method: name its handler, `{handler}`"));
                return None;
            }
        },
        Some(Arg::Text(text)) if !text.value().trim().is_empty() => Target::Step(text),
        Some(Arg::Text(text)) => {
            errors.on(text, format!("[TSK305] the step's name is empty: write {EXAMPLE}"));
            return None;
        }
        Some(Arg::Pair(name, Value::Text(text))) if name == "step" => {
            let step = text.value();
            errors.on(
                name,
                format!("[TSK305] `step = …` goes with a handler; alone write `#[depends_on(\"{step}\")]`"),
            );
            return None;
        }
        Some(other) => {
            errors.on(other.tokens(), format!("[TSK305] the handler or step comes first: {EXAMPLE}"));
            return None;
        }
        None => {
            errors.on(attribute, format!("[TSK305] a dependency names a handler or a step: {EXAMPLE}"));
            return None;
        }
    };
    let (mut step, mut view) = (None, false);
    for arg in list {
        match arg {
            Arg::Path(path) if path.is_ident("view") => match target {
                Target::Handler(_) => errors.on(
                    path,
                    "[TSK305] a handler's path stands for its type: for another view write the step's name in quotes",
                ),
                Target::Step(_) if view => errors.on(path, "[TSK302] `view` is given twice: keep one"),
                Target::Step(_) => view = true,
            },
            Arg::Pair(name, Value::Text(text)) if name == "step" => {
                if matches!(target, Target::Step(_)) {
                    errors.on(
                        name,
                        "[TSK302] the step is named already; `step = …` goes with a handler's path",
                    );
                } else if text.value().trim().is_empty() {
                    errors.on(
                        text,
                        "[TSK302] the step's name is empty: write the one that the template gives it",
                    );
                } else {
                    once(&mut step, &name, &text, errors);
                }
            }
            Arg::Pair(name, value) if name == "step" => {
                errors
                    .on(value.tokens(), "[TSK302] a step is written in quotes: `step = \"create_account\"`");
            }
            Arg::Pair(name, _) if name == "view" => {
                errors.on(name, "[TSK302] `view` has no value: write `#[depends_on(\"step\", view)]`");
            }
            Arg::Pair(name, _) => unknown(&name, &OPTIONS, errors),
            other if other.told_as_misspelt(&OPTIONS, errors) => {}
            other => errors.on(
                other.tokens(),
                "[TSK305] a parameter receives one result; take further ones as further parameters",
            ),
        }
    }
    Some(DependsOn { target, step, view })
}

/// The arguments in an attribute's brackets; none for an attribute without.
fn attribute_list(attribute: &syn::Attribute, example: &str, errors: &mut Errors) -> Option<Vec<Arg>> {
    match &attribute.meta {
        syn::Meta::Path(_) => Some(Vec::new()),
        syn::Meta::List(meta) => match list.parse2(meta.tokens.clone()) {
            Ok(list) => Some(list),
            Err(error) => {
                errors.arguments(&error);
                None
            }
        },
        syn::Meta::NameValue(meta) => {
            errors.on(meta, format!("[TSK302] write {example}"));
            None
        }
    }
}

fn once(place: &mut Option<LitStr>, name: &Ident, value: &LitStr, errors: &mut Errors) {
    if place.is_some() {
        twice(name, errors);
    }
    *place = Some(value.clone());
}

fn twice(name: &Ident, errors: &mut Errors) {
    errors.on(name, format!("[TSK302] `{name}` is given twice: keep one"));
}

fn unknown(name: &Ident, known: &[&str], errors: &mut Errors) {
    let written = name.to_string();
    match near(&written, known) {
        Some(near) => {
            errors.on(name, format!("[TSK302] unknown argument `{written}`; did you mean `{near}`?"))
        }
        None => {
            let names = known.join("`, `");
            errors.on(name, format!("[TSK302] unknown argument `{written}`; known here: `{names}`"));
        }
    }
}

/// The name that was probably meant: one that differs by a slip or two, or that begins with the written one.
pub(crate) fn near<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = |name: &&&str| {
        strsim::damerau_levenshtein(written, name) <= 2 || (written.len() > 3 && name.starts_with(written))
    };
    known.iter().find(close).copied()
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
    /// Whether it is this name, alone or with a value.
    fn is_named(&self, wanted: &str) -> bool {
        match self {
            Self::Path(path) => path.is_ident(wanted),
            Self::Pair(name, _) => name == wanted,
            _ => false,
        }
    }

    /// Tells a name without a value that is probably meant to be one of these.
    fn told_as_misspelt(&self, known: &[&str], errors: &mut Errors) -> bool {
        let Self::Path(path) = self else { return false };
        let misspelt = path.get_ident().filter(|name| near(&name.to_string(), known).is_some());
        misspelt.inspect(|name| unknown(name, known, errors)).is_some()
    }

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
