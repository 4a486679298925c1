//! The code of a workflow without mistakes of its own: its module, and the checks for the compiler.

use std::collections::HashSet;
use std::fmt::Write as _;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use tasker_template::{name_hash, snake_case_names};

use crate::workflow::facts::facts;
use crate::workflow::listed::Listed;
use crate::workflow::parse::Invocation;
use crate::workflow::template::Template;

/// The module, the value of the same name, and the checks.
pub(super) fn workflow(invocation: &Invocation, template: &Template, listed: &[Listed]) -> TokenStream {
    let Invocation { attributes, visibility, name, krate, .. } = invocation;
    let facts = facts(template, &name.to_string());
    let module = written(&facts.module);
    let beside = written(&facts.beside);
    let outputs = outputs(invocation, template);
    let client = client(invocation);
    let (named, handlers) = (named(invocation), handlers(invocation, listed));
    let checks = checks(invocation, listed);
    let path = template.path.display().to_string();
    let template = template.loaded.template();
    let (namespace, title, version) = (&template.namespace, &template.name, &template.version);
    let file = invocation.file.value();
    let registrations =
        invocation.entries.iter().enumerate().fold(String::new(), |mut text, (index, entry)| {
            let (handler, shown) = (handler_at(index), entry.shown());
            let _ = write!(text, "__w::Registration::of::<{handler}>({shown:?}),");
            text
        });
    let registrations = written(&registrations);
    let about = format!("The workflow `{namespace}/{title}`, version {version}: `{file}`.");
    let test = test(invocation);
    let conditions: Vec<_> = invocation.conditions().collect();
    quote! {
        #(#attributes)*
        #[doc = ""]
        #[doc = #about]
        #[allow(
            dead_code, missing_debug_implementations, missing_docs, non_camel_case_types, private_interfaces,
            unnameable_types, unreachable_pub, missing_copy_implementations,
            rustdoc::all,
            clippy::all, clippy::pedantic, clippy::exhaustive_enums, clippy::exhaustive_structs
        )]
        #visibility mod #name {
            use #krate::__private::workflow as __w;
            #module
            #client
            #test
        }

        // A function, for a variable may have its name: a constant would be taken for a pattern.
        #(#conditions)*
        #[doc(hidden)]
        #[allow(dead_code)]
        #visibility const fn #name() -> #name::Workflow {
            #name::Workflow
        }

        #(#conditions)*
        #[allow(unused_qualifications, long_running_const_eval, clippy::all, clippy::pedantic)]
        const _: () = {
            use #krate::__private::workflow as __w;
            // So that the template's file is looked at again when it has changed.
            const TEXT: &str = ::core::include_str!(#path);
            type __TaskerHandlers = #name::Handlers;
            #named
            #handlers
            #beside
            #outputs
            #checks

            impl __w::Workflow for #name::Workflow {
                const FILE: &'static str = #file;
                const TEMPLATE: &'static str = TEXT;
                const NAMESPACE: &'static str = #namespace;
                const NAME: &'static str = #title;
                const VERSION: &'static str = #version;
                type Completed = #name::Completed;
                type Step = #name::Step;

                fn handlers() -> ::std::vec::Vec<__w::Registration> {
                    ::std::vec![#registrations]
                }

                fn step(name: &str) -> ::core::option::Option<#name::Step> {
                    step(name)
                }

                fn completed(
                    task: __w::Task,
                ) -> ::core::result::Result<#name::Completed, __w::OutputError> {
                    completed(task)
                }
            }
        };
    }
}

/// Code that was written as text. The compiler reads it at once: `proc_macro2` would read it before, with a parser of
/// its own, which is most often not optimized.
fn written(text: &str) -> TokenStream {
    let tokens: proc_macro::TokenStream = text.parse().expect("what is written here is Rust");
    tokens.into()
}

/// The part of the module that every workflow has alike.
fn client(invocation: &Invocation) -> TokenStream {
    let (parameter, read) = match &invocation.input {
        Some(_) => (quote!(impl ::core::borrow::Borrow<Input>), quote!(let input: &Input = input.borrow();)),
        None => (quote!(impl __w::AnyInput), quote!(let input = &input;)),
    };
    let valid = match &invocation.input {
        Some(_) => quote! {{
            #[allow(unused_imports)]
            use __w::Unvalidated as _;
            __w::Validated(input).check_input("the input")
        }},
        None => quote!(::core::result::Result::Ok(())),
    };
    let ty = invocation.input.is_some().then(|| {
        quote! {
            /// The context of its tasks.
            pub type Input = <Handlers as __w::InputOf>::Input;
        }
    });
    quote! {
        #[doc(hidden)]
        pub(super) struct Handlers;

        /// The workflow as a type.
        #[derive(Clone, Copy, Debug)]
        pub struct Workflow;

        #ty
        /// A task of this workflow.
        pub type Handle = __w::Handle<Workflow>;

        /// Why there are no results of a task.
        pub type Error = __w::WorkflowError<Step>;

        /// Creates a task when it is awaited. The input is validated before.
        pub fn create(tasker: &__w::Tasker, input: #parameter) -> __w::Create<'_, Workflow> {
            #read
            __w::Create::new(tasker, input, #valid)
        }

        /// Creates a task in the caller's own transaction, on PostgreSQL, when it is awaited.
        pub fn create_in<'t>(
            tasker: &'t __w::Tasker,
            transaction: &'t mut dyn __w::Executor,
            input: #parameter,
        ) -> __w::Create<'t, Workflow> {
            create(tasker, input).within(transaction)
        }

        /// The handle of a task of this workflow that exists already.
        pub fn handle(tasker: &__w::Tasker, id: __w::TaskId) -> Handle {
            __w::Handle::new(tasker, id)
        }

        impl Completed {
            /// The task with its steps, attempts and times.
            pub fn task(&self) -> &__w::Task {
                &self.__task
            }
        }

        impl ::core::fmt::Debug for Completed {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple("Completed").field(&self.__task).finish()
            }
        }

        impl ::core::fmt::Display for Step {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.name())
            }
        }
    }
}

/// What the user names: the listed handlers and the input, as types.
fn named(invocation: &Invocation) -> TokenStream {
    let mut places = String::new();
    let mut handlers = TokenStream::new();
    for (index, entry) in invocation.entries.iter().enumerate() {
        let span = located(entry.span());
        // The path is used once, as a type, so that the compiler reports a wrong one once.
        let (path, listed) = (&entry.path, format_ident!("__TaskerListed{index}", span = span));
        handlers.extend(quote_spanned! {span=>
            type #listed = #path;
            const _: () = __w::is_handler::<#listed>();
        });
        let _ = write!(
            places,
            "impl __w::Nth<{index}> for __TaskerHandlers {{
                type Handler = <__w::Choose<{listed}, {{ __w::Probe::<{listed}>::IS_HANDLER }}> as
                    __w::Choice>::Handler;
            }}"
        );
    }
    let places = written(&places);
    // Not of the public trait, for then the input's type would have to be as public as the workflow.
    let input = invocation.input.as_ref().map(|ty| {
        quote_spanned! {ty.span()=>
            impl __w::InputOf for __TaskerHandlers {
                type Input = #ty;
            }
        }
    });
    quote! {
        #[allow(unused_imports)]
        use __w::AnyType as _;
        #handlers
        #places
        #input
    }
}

/// What each listed handler declares.
fn handlers(invocation: &Invocation, listed: &[Listed]) -> TokenStream {
    let name = &invocation.name;
    let entries = listed.iter().fold(String::new(), |mut text, Listed { entry, step }| {
        let (handler, shown) = (handler_at(*entry), invocation.entries[*entry].shown());
        let step = match step {
            Some(step) => format!("::core::option::Option::Some({step})"),
            None => "::core::option::Option::None".to_owned(),
        };
        let _ = write!(text, "__w::ListedHandler::of::<{handler}>({shown:?}, {step}),");
        text
    });
    let entries = written(&entries);
    quote! {
        const HANDLERS: &[__w::ListedHandler] = &[#entries];
        const FACTS: &__w::TemplateFacts = &#name::TEMPLATE;
    }
}

/// The output of each step: that of the listed handler with its callable. A step without one is an error on the
/// template's path.
fn outputs(invocation: &Invocation, template: &Template) -> TokenStream {
    let (name, span) = (&invocation.name, located(invocation.file.span()));
    let steps = &template.loaded.template().steps;
    let fields = snake_case_names(steps.iter().map(|step| step.name.as_str()));
    let mut outputs = String::new();
    let mut bound = TokenStream::new();
    for (index, (step, field)) in steps.iter().zip(fields).enumerate() {
        let hash = name_hash(&[&step.name]);
        // The constant has a name, for the compiler shows that of one which cannot be evaluated.
        let handler = format_ident!("handler_of_{}", field.trim_start_matches("r#"), span = span);
        bound.extend(quote_spanned! {span=>
            #[allow(non_upper_case_globals)]
            const #handler: usize = __w::bind(FACTS, HANDLERS, #index);
        });
        let _ = write!(
            outputs,
            "impl __w::StepOutput<{hash}> for __TaskerHandlers {{
                type Step = {name}::steps::{field};
                type Output = <{} as __w::StepHandler>::Output;
            }}",
            handler_at(format_args!("{{ {handler} }}")),
        );
    }
    bound.extend(written(&outputs));
    bound
}

/// The listed handler at a place of the list, as a type.
fn handler_at(index: impl std::fmt::Display) -> String {
    format!("<__TaskerHandlers as __w::Nth<{index}>>::Handler")
}

/// What is checked of each handler. Errors point to its path.
fn checks(invocation: &Invocation, listed: &[Listed]) -> TokenStream {
    let mut compared = HashSet::new();
    let (mut aliases, mut checks) = (String::new(), TokenStream::new());
    for (index, Listed { entry, .. }) in listed.iter().enumerate() {
        let listed = &invocation.entries[*entry];
        let span = located(listed.span());
        checks.extend(quote_spanned!(span=> const _: () = __w::check(FACTS, HANDLERS, #index);));
        // Types are those of the handler, for however many steps it is listed.
        if compared.insert(listed.shown()) {
            checks.extend(types(invocation, index, span));
            // One that does not say its types has none to compare.
            let handler = handler_at(entry);
            let _ = write!(
                aliases,
                "type __TaskerTyped{index} = <__w::Choose<{handler}, {{
                    <{handler} as __w::StepHandler>::SAYS_ITS_TYPES
                }}> as __w::Choice>::Handler;"
            );
        }
    }
    checks.extend(written(&aliases));
    checks
}

/// What is compared of the types of a handler.
fn types(invocation: &Invocation, index: usize, span: Span) -> TokenStream {
    let handler = format_ident!("__TaskerTyped{index}", span = span);
    let fields = invocation.input.as_ref().map(|ty| {
        let (name, fields) =
            (quote!(<#ty as __w::WorkflowInput>::NAME), quote!(<#ty as __w::WorkflowInput>::FIELDS));
        quote_spanned! {span=>
            const _: () = __w::check_fields(&HANDLERS[#index], #name, #fields);
            const _: () = <#handler as
                __w::ComparedInput<#ty, { __w::fields_to_compare(&HANDLERS[#index], #fields) }>>::HOLDS;
        }
    });
    quote_spanned! {span=>
        const _: () = <#handler as
            __w::ComparedSteps<__TaskerHandlers, { __w::steps_to_compare(FACTS, HANDLERS, #index) }>>::HOLDS;
        #fields
    }
}

/// The test that checks what only values can tell.
fn test(invocation: &Invocation) -> TokenStream {
    let name = invocation.name.to_string();
    let test = format_ident!("{}_fits_its_handlers", name.trim_start_matches("r#"));
    let input = match &invocation.input {
        Some(_) => quote!({
            #[allow(unused_imports)]
            use __w::Undescribed as _;
            <__w::Described<Input>>::returned()
        }),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        #[cfg(test)]
        #[test]
        fn #test() {
            __w::check_values::<Workflow>(#input);
        }
    }
}

/// A place for messages whose names are resolved as those of the macro itself.
fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}
