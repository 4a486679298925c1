//! The code of a workflow with mistakes: a module with the same functions and types, so that the mistakes cause no
//! further errors in the user's crate.

use proc_macro2::TokenStream;
use quote::quote;

use crate::workflow::parse::Invocation;

/// The mistakes, and the stub.
pub(super) fn workflow(invocation: &Invocation, messages: Vec<TokenStream>) -> TokenStream {
    let Invocation { visibility, name, krate, .. } = invocation;
    let mut messages = messages.into_iter();
    let first = messages.next();
    let conditions: Vec<_> = invocation.conditions().collect();
    quote! {
        #(#conditions)*
        const _: () = { #(#messages)* };
        #(#conditions)*
        #[allow(dead_code, missing_docs, unused_variables, unreachable_pub, clippy::all, clippy::pedantic)]
        #visibility mod #name {
            use #krate::__private::workflow as __w;

            #[derive(Clone, Copy, Debug)]
            pub struct Workflow;
            // The compiler reports nothing else about a type that contains an error.
            pub type Completed = [(); { #first }];
            pub type Step = Completed;
            pub type Input = Completed;
            pub type Error = Completed;
            pub type Handle = __w::Handle<Workflow>;

            pub fn create<'t>(tasker: &'t __w::Tasker, input: impl Sized) -> __w::Create<'t, Workflow> {
                ::core::unreachable!()
            }

            pub fn create_in<'t>(
                tasker: &'t __w::Tasker,
                transaction: &'t mut dyn __w::Executor,
                input: impl Sized,
            ) -> __w::Create<'t, Workflow> {
                ::core::unreachable!()
            }

            pub fn handle(tasker: &__w::Tasker, id: __w::TaskId) -> Handle {
                ::core::unreachable!()
            }

            impl __w::Workflow for Workflow {
                const FILE: &'static str = "";
                const TEMPLATE: &'static str = "";
                const NAMESPACE: &'static str = "";
                const NAME: &'static str = "";
                const VERSION: &'static str = "";
                type Completed = Completed;
                type Step = __w::NoStep;

                fn handlers() -> ::std::vec::Vec<__w::Registration> {
                    ::std::vec::Vec::new()
                }
                fn step(_: &str) -> ::core::option::Option<__w::NoStep> {
                    ::core::option::Option::None
                }
                fn completed(_: __w::Task) -> ::core::result::Result<Completed, __w::OutputError> {
                    ::core::unreachable!()
                }
            }
        }

        #(#conditions)*
        #[doc(hidden)]
        #[allow(dead_code)]
        #visibility const fn #name() -> #name::Workflow {
            #name::Workflow
        }
    }
}
