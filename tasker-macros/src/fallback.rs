//! What is written when there were mistakes: the user's item and a stub of the handler, so that
//! nothing else of their crate turns red.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::errors::Errors;
use crate::expand;
use crate::model::{Handler, Output};

pub(crate) fn handler(args: &Args, handler: &Handler, messages: TokenStream) -> TokenStream {
    let (function, name, krate) = (&handler.function, handler.name(), &args.krate);
    let marker = expand::marker(handler);
    let output = match &handler.result {
        Output::Result(ty) => quote!(<#ty as __tasker::Return>::Output),
        Output::Plain(ty) => quote!(#ty),
    };
    // A function with generic parameters has no type to name here.
    let stub = handler.function.sig.generics.params.is_empty().then(|| {
        quote! {
            const _: () = {
                use #krate::__private as __tasker;
                impl __tasker::StepHandler for #name {
                    const CALLABLE: &'static str = "";
                    const METHOD: &'static str = "";
                    const DEPENDS_ON: &'static [__tasker::Dependency] = &[];
                    const LOCATION: __tasker::CodeLocation = __tasker::CodeLocation { file: "", line: 0 };
                    type Output = #output;
                    fn requires() -> ::std::vec::Vec<__tasker::StateRequirement> {
                        ::std::vec::Vec::new()
                    }
                    fn call(_: __tasker::StepContext) -> __tasker::StepFuture {
                        ::core::unreachable!()
                    }
                }
            };
        }
    });
    quote! {
        #messages
        #[allow(dead_code, unused_variables)]
        #function
        #marker
        #stub
    }
}

/// For an item that is no function.
pub(crate) fn item(item: TokenStream, errors: Errors) -> TokenStream {
    let messages = errors.into_compile_errors();
    quote!(#messages #item)
}
