//! The validation of what a parameter takes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Type};

use crate::model::{Validation, option_of};

/// Returns `fail`, which may use `__tasker_error`, when a value is not valid.
pub(crate) fn validation_of(
    ty: &Type,
    value: &Ident,
    validation: Validation,
    what: &str,
    fail: &TokenStream,
) -> TokenStream {
    let (inner, is_optional) = option_of(ty).map_or((ty, false), |inner| (inner, true));
    let input = format_ident!("__tasker_input");
    let (check, otherwise) = match validation {
        Validation::Declined => return TokenStream::new(),
        Validation::Asked => {
            (quote_spanned!(inner.span()=> __tasker::check_input::<#inner>(#input, #what)), None)
        }
        Validation::IfPossible => {
            (quote!(__tasker::Validated(#input).check_input(#what)), Some(quote!(Unvalidated)))
        }
        Validation::IfPossibleOrPlain => (
            quote_spanned!(inner.span()=> __tasker::Validated(#input).check_input(#what)),
            Some(quote!(PlainUnvalidated)),
        ),
    };
    let otherwise = otherwise.into_iter();
    let some = match is_optional {
        true => quote!(::core::option::Option::as_ref(&#value)),
        false => quote!(::core::option::Option::Some(&#value)),
    };
    quote! {
        if let ::core::option::Option::Some(#input) = #some {
            #(
                #[allow(unused_imports)]
                use __tasker::#otherwise as _;
            )*
            if let ::core::result::Result::Err(__tasker_error) = #check {
                return #fail;
            }
        }
    }
}
