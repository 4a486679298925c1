//! Collects errors, so that all mistakes are reported together.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    /// Adds an error that points to these tokens.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Adds what the parser says of an attribute's arguments.
    pub(crate) fn arguments(&mut self, error: &Error) {
        self.push(Error::new(error.span(), format!("[TSK302] {error}")));
    }

    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The errors as `compile_error!` code; `None` when there are none.
    pub(crate) fn into_messages(self) -> Option<Vec<TokenStream>> {
        self.0.map(|errors| errors.into_iter().map(|error| error.into_compile_error()).collect())
    }
}
