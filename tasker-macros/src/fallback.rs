//! The code for a handler with mistakes: the user's item and a stub of the handler, so that the mistakes
//! cause no further errors in the user's crate.

use proc_macro2::TokenStream;
use quote::quote;
use syn::FnArg;
use tasker_template::DEFAULT_METHOD;

use crate::args::Args;
use crate::check;
use crate::errors::Errors;
use crate::expand;
use crate::model::{Handler, Output};

/// The code for a function with mistakes.
pub(crate) fn function(args: &Args, handler: &Handler, messages: Vec<TokenStream>) -> TokenStream {
    let mut function = handler.function.clone();
    // A second `#[step_handler]` would report all mistakes again.
    function.attrs.retain(|attribute| !check::is_step_handler(attribute));
    if function.sig.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_))) {
        // The item is in an `impl`, where no type may be declared beside it.
        return quote!(#(#messages)* #function);
    }
    let mut messages = messages.into_iter();
    let marker = expand::marker(handler, &function.vis);
    let method = args.method.as_ref().map_or_else(|| DEFAULT_METHOD.to_owned(), syn::LitStr::value);
    let stub = stub(args, handler, &method, &mut messages);
    quote! {
        #(#messages)*
        #[allow(dead_code, unused_variables)]
        #function
        #marker
        #stub
    }
}

/// Makes the type of a handler one that is never called. A message may take the place of its result.
pub(crate) fn stub(
    args: &Args,
    handler: &Handler,
    method: &str,
    messages: &mut impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let (name, krate, conditions) = (handler.path(), &args.krate, handler.conditions());
    let output = match &handler.result {
        // The compiler reports nothing else about a type that contains an error.
        _ if !check::is_nameable(handler) => {
            let message = messages.next();
            quote!([(); { #message }])
        }
        Output::Result(ty) => quote!(<#ty as __tasker::Return>::Output),
        Output::Plain(ty) => quote!(#ty),
    };
    let callable = args.callable.as_ref().map(syn::LitStr::value).unwrap_or_default();
    quote! {
        #(#conditions)*
        const _: () = {
            use #krate::__private as __tasker;
            impl<W, const COMPARED: u8> __tasker::workflow::FitsSteps<W, COMPARED> for #name {}
            impl<I, const COMPARED: u8> __tasker::workflow::FitsInput<I, COMPARED> for #name {}
            impl __tasker::StepHandler for #name {
                const CALLABLE: &'static str = #callable;
                const METHOD: &'static str = #method;
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
}

/// The code for an item that is not a function.
pub(crate) fn item(item: TokenStream, errors: Errors) -> TokenStream {
    let messages = errors.into_messages().unwrap_or_default();
    quote!(#(#messages)* #item)
}
