//! The parameters that take values of `handler.initialization`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{LitStr, Type};

use crate::model::{Parameter, Source, option_of};
use crate::validation::validation_of;

/// What the handler takes of its configuration, with the functions that check it before anything runs.
pub(crate) fn config_parameter(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Config { key, validation } = &parameter.source else { return None };
    let (ty, name) = (parameter.owned(), &parameter.name);
    let value = format_ident!("__tasker_value");
    let read = read_config(ty, key.as_ref(), &quote!(__tasker_config));
    let validated = validation_of(
        ty,
        &value,
        *validation,
        &config_title(key.as_ref()),
        &quote!(::core::result::Result::Err(__tasker::refused_config(__tasker_error))),
    );
    let (inner, optional) = option_of(ty).map_or((ty, false), |inner| (inner, true));
    let (key, unused) = match key {
        Some(key) => (quote!(::core::option::Option::Some(#key)), quote!(__tasker::nothing_unused)),
        None => {
            let unused = quote_spanned!(ty.span()=> unused_config::<#inner>);
            (quote!(::core::option::Option::None), quote!(__tasker::#unused))
        }
    };
    Some(quote! {
        __tasker::ConfigParameter {
            key: #key,
            parameter: #name,
            optional: #optional,
            check: |__tasker_config| {
                let #value = match #read {
                    ::core::result::Result::Ok(__tasker_value) => __tasker_value,
                    ::core::result::Result::Err(__tasker_error) => {
                        return ::core::result::Result::Err(__tasker_error);
                    }
                };
                #validated
                ::core::result::Result::Ok(())
            },
            unused: #unused,
        }
    })
}

/// Reads a value of the configuration, or all of it.
pub(crate) fn read_config(ty: &Type, key: Option<&LitStr>, config: &TokenStream) -> TokenStream {
    match (key, option_of(ty)) {
        (Some(key), _) => {
            let read = quote_spanned!(ty.span()=> config::<#ty>);
            quote!(__tasker::#read(#config, ::core::option::Option::Some(#key)))
        }
        (None, None) => {
            let read = quote_spanned!(ty.span()=> config::<#ty>);
            quote!(__tasker::#read(#config, ::core::option::Option::None))
        }
        (None, Some(inner)) => {
            let read = quote_spanned!(ty.span()=> optional_config::<#inner>);
            quote!(__tasker::#read(#config))
        }
    }
}

/// What messages call the value.
pub(crate) fn config_title(key: Option<&LitStr>) -> String {
    match key {
        Some(key) => format!("`{}` of the handler's initialization", key.value()),
        None => "the handler's initialization".to_owned(),
    }
}
