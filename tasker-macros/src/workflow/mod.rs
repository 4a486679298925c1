//! `workflow!`: a template and its handlers, checked against each other while compiling.
//!
//! The macro reads the template, and knows of handlers only their paths. So it reports what is wrong with the
//! template by itself, and writes constants and trait bounds for everything else (`expand`), which the compiler
//! evaluates where the handlers' declarations are known.

mod expand;
mod facts;
mod file;
mod listed;
mod parse;
mod stub;
mod template;

use proc_macro2::TokenStream;
use syn::Path;

use crate::errors::Errors;
use parse::Invocation;

pub(crate) fn workflow(tokens: TokenStream, krate: Path) -> TokenStream {
    let mut errors = Errors::default();
    let Some(invocation) = Invocation::parse(tokens, krate, &mut errors) else {
        let messages = errors.into_messages().unwrap_or_default();
        return messages.into_iter().collect();
    };
    let template = template::read(&invocation, &mut errors);
    let listed = template.as_ref().map(|template| listed::resolve(&invocation, template, &mut errors));
    match (template, listed, errors.into_messages()) {
        (Some(template), Some(listed), None) => expand::workflow(&invocation, &template, &listed),
        (_, _, messages) => stub::workflow(&invocation, messages.unwrap_or_default()),
    }
}
