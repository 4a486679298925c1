//! What the types of a handler say of themselves.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use crate::model::{Handler, Source, option_of};

/// The schemas of what a handler takes and returns, where its types have some.
pub(crate) fn schemas(handler: &Handler, output: &TokenStream) -> TokenStream {
    let (mut input, mut fields, mut configs) = (None, Vec::new(), Vec::new());
    for parameter in &handler.parameters {
        let ty = parameter.owned();
        match &parameter.source {
            Source::Input { field: None, .. } => input = Some(taken(ty)),
            Source::Input { field: Some(_), .. } => fields.push(taken(ty)),
            Source::Config { .. } => configs.push(taken(option_of(ty).unwrap_or(ty))),
            _ => {}
        }
    }
    let input = input.unwrap_or_else(|| quote!(::core::option::Option::None));
    quote! {
        #[allow(unused_imports)]
        use __tasker::Undescribed as _;
        __tasker::HandlerSchemas {
            result: <__tasker::Described<#output>>::returned(),
            input: #input,
            input_fields: ::std::vec![#(#fields),*],
            configs: ::std::vec![#(#configs),*],
        }
    }
}

fn taken(ty: &Type) -> TokenStream {
    quote!(<__tasker::Described<#ty>>::taken())
}
