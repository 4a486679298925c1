//! What the types of a handler say of themselves.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use crate::model::{Handler, Source, option_of};

/// The schemas of what a handler takes and returns, where its types have some.
pub(crate) fn schemas(handler: &Handler) -> TokenStream {
    let (mut input, mut fields, mut configs) = (None, Vec::new(), Vec::new());
    for parameter in &handler.parameters {
        let ty = parameter.owned();
        match &parameter.source {
            Source::Input { field: None, .. } => input = Some(taken(ty)),
            Source::Input { field: Some(_), .. } => fields.push(taken(ty)),
            Source::Config { key: None, .. } => configs.push(taken(option_of(ty).unwrap_or(ty))),
            Source::Config { .. } => configs.push(taken(ty)),
            _ => {}
        }
    }
    let input = input.unwrap_or_else(|| quote!(::core::option::Option::None));
    // What is wrong with the type has been reported at its place.
    let result = quote_spanned!(handler.result.ty().span()=> <__tasker::Described<Self::Output>>::returned());
    quote! {
        #[allow(unused_imports)]
        use __tasker::Undescribed as _;
        __tasker::HandlerSchemas {
            result: #result,
            input: #input,
            input_fields: ::std::vec![#(#fields),*],
            configs: ::std::vec![#(#configs),*],
        }
    }
}

fn taken(ty: &Type) -> TokenStream {
    quote_spanned!(ty.span()=> <__tasker::Described<#ty>>::taken())
}
