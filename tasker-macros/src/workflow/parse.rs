//! The grammar of `workflow!`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Ident, LitStr, Path, Token, Type, Visibility, braced, parenthesized};

use crate::errors::Errors;
use crate::method_path;

const EXAMPLE: &str = "`pub user_registration = \"templates/user_registration.yaml\" { create_account, … }`";

/// What stands in the braces of `workflow!`.
pub(crate) struct Invocation {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    /// The type of the task's context.
    pub(crate) input: Option<Type>,
    pub(crate) file: LitStr,
    pub(crate) entries: Vec<Entry>,
    /// The path of the runtime's crate.
    pub(crate) krate: Path,
}

/// A listed handler.
pub(crate) struct Entry {
    /// The step in front of `=>`.
    pub(crate) step: Option<(String, Span)>,
    pub(crate) path: Path,
}

impl Entry {
    /// The path as a person writes it, without the spaces of its tokens.
    pub(crate) fn shown(&self) -> String {
        // Of its names, for the compiler would have to be asked for the text of tokens.
        let names: Vec<String> = self.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let root = if self.path.leading_colon.is_some() { "::" } else { "" };
        format!("{root}{}", names.join("::"))
    }

    /// Where errors about the handler point: the path's last name.
    pub(crate) fn span(&self) -> Span {
        self.path.segments.last().map_or_else(Span::call_site, |last| last.ident.span())
    }
}

impl Invocation {
    /// The `cfg` attributes, which apply to all that is made.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }

    /// Parses the macro's tokens. `None` when not even the name and the file could be read.
    pub(crate) fn parse(tokens: TokenStream, krate: Path, errors: &mut Errors) -> Option<Self> {
        let parse = |input: ParseStream<'_>| Self::parse_from(input, krate, errors);
        match parse.parse2(tokens) {
            Ok(invocation) => Some(invocation),
            Err(error) => {
                errors.push(error);
                None
            }
        }
    }

    fn parse_from(input: ParseStream<'_>, mut krate: Path, errors: &mut Errors) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(syn::Error::new(Span::call_site(), format!("[TSK201] write a workflow: {EXAMPLE}")));
        }
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = input.call(Path::parse_mod_style)?;
            input.parse::<Token![;]>()?;
        }
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name = input.call(Ident::parse_any).map_err(|error| expected(&error, "the workflow's name"))?;
        let name = no_keyword(name, errors);
        let mut ty = None;
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            let input: Type = content.parse().map_err(|error| expected(&error, "the type of the input"))?;
            if !content.is_empty() {
                errors.push(content.error("[TSK201] a workflow has one input: name one type"));
                content.parse::<TokenStream>()?;
            }
            ty = Some(input);
        }
        input.parse::<Token![=]>().map_err(|error| expected(&error, "`= \"path/of/the/template.yaml\"`"))?;
        let file = input.parse().map_err(|error| expected(&error, "the template's path in quotes"))?;
        let content;
        if !input.peek(syn::token::Brace) {
            return Err(expected(&input.error("braces"), "the handlers in braces, `{ create_account, … }`"));
        }
        braced!(content in input);
        let entries = entries(&content, errors)?;
        if let Some(same) = entries.iter().find(|entry| entry.path.is_ident(&name)) {
            let message = format!("[TSK201] a workflow and its handler cannot both be `{name}`: rename one");
            errors.on(&same.path, message);
        }
        for entry in &entries {
            if let Some(handler) = method_path::handler_of_method(&entry.path) {
                let method = entry.shown();
                let message = format!("[TSK215] `{method}` is a method: list its handler, `{handler}`");
                errors.on(&entry.path, message);
            }
        }
        if !input.is_empty() {
            errors.push(input.error("[TSK201] one `workflow!` has one workflow: write a second `workflow!`"));
            input.parse::<TokenStream>()?;
        }
        Ok(Self { attributes, visibility, name, input: ty, file, entries, krate })
    }
}

/// Refuses a keyword, which a module cannot have as its name.
fn no_keyword(name: Ident, errors: &mut Errors) -> Ident {
    let text = name.unraw().to_string();
    if syn::parse_str::<Ident>(&text).is_err() && !name.to_string().starts_with("r#") {
        errors.on(&name, format!("[TSK201] `{text}` is a keyword: call the workflow by another name"));
        return Ident::new("workflow", name.span());
    }
    name
}

/// The list of handlers. After a mistake in one, the others are still read.
fn entries(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        match input.parse() {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                errors.push(error);
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<proc_macro2::TokenTree>()?;
                }
            }
        }
        if !input.is_empty() && !input.peek(Token![,]) {
            // What follows is read as the next handler.
            errors.push(input.error("[TSK201] expected a comma between two handlers"));
        } else if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(entries)
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) && !input.peek2(Token![=>]) {
            let text: LitStr = input.parse()?;
            let message = format!(
                "[TSK201] a handler is listed by its path, the name of its function: `{}`",
                text.value().rsplit("::").next().unwrap_or_default()
            );
            return Err(syn::Error::new_spanned(text, message));
        }
        let step = if input.peek2(Token![=>]) {
            let step = match input.peek(LitStr) {
                true => input.parse::<LitStr>().map(|text| (text.value(), text.span()))?,
                false => input.call(Ident::parse_any).map(|name| (name.unraw().to_string(), name.span()))?,
            };
            input.parse::<Token![=>]>()?;
            Some(step)
        } else {
            None
        };
        let path = input.call(Path::parse_mod_style).map_err(|error| expected(&error, "a handler's path"))?;
        Ok(Self { step, path })
    }
}

/// The error for a token that stands in the place of something else.
fn expected(error: &syn::Error, what: &str) -> syn::Error {
    syn::Error::new(error.span(), format!("[TSK201] expected {what}; a workflow is written {EXAMPLE}"))
}
