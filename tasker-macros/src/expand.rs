//! From the model to code. Nothing is decided here.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::args::Args;
use crate::model::{Handler, Output, Parameter, Source, option_of};

/// The user's function, the type that stands for it, and its registration.
pub(crate) fn handler(args: &Args, handler: &Handler) -> TokenStream {
    let (function, name) = (&handler.function, handler.name());
    let krate = &args.krate;
    let marker = marker(handler);
    let callable = &args.callable;
    let method = match &args.method {
        Some(method) => quote!(#method),
        None => quote!("call"),
    };
    let dependencies = handler.parameters.iter().filter_map(dependency);
    let requires = handler.parameters.iter().filter_map(requirement);
    let checks = handler.parameters.iter().filter_map(check);
    let (output, output_check) = output(handler);
    let body = body(handler);
    let name_text = name.to_string();
    quote! {
        #function

        #marker

        const _: () = {
            use #krate::__private as __tasker;

            #[allow(dead_code, clippy::extra_unused_type_parameters)]
            fn __tasker_checks() {
                #(#checks)*
                #output_check
            }

            #[automatically_derived]
            impl __tasker::StepHandler for #name {
                const CALLABLE: &'static str = #callable;
                const METHOD: &'static str = #method;
                const DEPENDS_ON: &'static [__tasker::Dependency] = &[#(#dependencies),*];
                const LOCATION: __tasker::CodeLocation =
                    __tasker::CodeLocation { file: ::core::file!(), line: ::core::line!() };
                type Output = #output;

                fn requires() -> ::std::vec::Vec<__tasker::StateRequirement> {
                    #[allow(unused_mut)]
                    let mut __tasker_requires = ::std::vec::Vec::new();
                    #(#requires)*
                    __tasker_requires
                }

                fn call(__tasker_context: __tasker::StepContext) -> __tasker::StepFuture {
                    #body
                }
            }

            __tasker::inventory::submit! {
                __tasker::Registration::of::<#name>(#name_text)
            }
        };
    }
}

/// The type that stands for the function: same name, other namespace.
pub(crate) fn marker(handler: &Handler) -> TokenStream {
    let (name, visibility) = (handler.name(), &handler.function.vis);
    let text = format!("The step handler [`{name}`](fn@{name}) as a type.");
    quote! {
        #[doc = #text]
        #[allow(non_camel_case_types, dead_code)]
        #[derive(::core::fmt::Debug)]
        #visibility struct #name {}
    }
}

fn dependency(parameter: &Parameter) -> Option<TokenStream> {
    let (step, handler) = match &parameter.source {
        Source::Step(step) => (step, quote!(::core::option::Option::None)),
        Source::Handler { path, step } => {
            let handler = quote_spanned! {path.span()=>
                ::core::option::Option::Some((
                    <#path as __tasker::StepHandler>::CALLABLE,
                    <#path as __tasker::StepHandler>::METHOD,
                ))
            };
            (step, handler)
        }
        Source::Context | Source::Field(_) | Source::Extracted | Source::Unknown => return None,
    };
    let optional = option_of(&parameter.owned).is_some();
    Some(quote!(__tasker::Dependency { step: #step, handler: #handler, optional: #optional }))
}

fn requirement(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Extracted = parameter.source else { return None };
    let ty = &parameter.owned;
    Some(quote_spanned! {ty.span()=>
        __tasker_requires.extend(<#ty as __tasker::FromStep>::requires());
    })
}

fn check(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Handler { path, .. } = &parameter.source else { return None };
    let ty = &parameter.owned;
    let function = match option_of(ty) {
        Some(_) => quote_spanned!(ty.span()=> __tasker::check_optional_dependency),
        None => quote_spanned!(ty.span()=> __tasker::check_dependency),
    };
    Some(quote_spanned!(ty.span()=> #function::<#path, #ty>();))
}

/// The handler's `Output`, and what must hold of it.
fn output(handler: &Handler) -> (TokenStream, TokenStream) {
    match &handler.result {
        Output::Result(ty) => {
            let output = quote_spanned!(ty.span()=> <#ty as __tasker::Return>::Output);
            let check = quote_spanned!(ty.span()=> __tasker::check_output::<#output>(););
            (output, check)
        }
        Output::Plain(ty) => {
            let message = "this type is a `Result` under another name: write `Result<T, E>`, so that an error fails the attempt";
            let check = quote_spanned! {ty.span()=>
                __tasker::check_output::<#ty>();
                const {
                    #[allow(unused_imports)]
                    use __tasker::NotResult as _;
                    ::core::assert!(!__tasker::Probe::<#ty>::IS_RESULT, #message)
                }
            };
            (quote!(#ty), check)
        }
    }
}

/// Takes each parameter from its source, calls the function, and turns what it returns into an outcome.
fn body(handler: &Handler) -> TokenStream {
    let name = handler.name();
    let values: Vec<_> =
        (0..handler.parameters.len()).map(|index| format_ident!("__tasker_{index}")).collect();
    let extractions =
        handler.parameters.iter().zip(&values).map(|(parameter, value)| extraction(parameter, value));
    let arguments = handler
        .parameters
        .iter()
        .zip(&values)
        .map(|(parameter, value)| if parameter.by_reference { quote!(&#value) } else { quote!(#value) });
    let call = quote_spanned!(name.span()=> #name(#(#arguments),*));
    let call = if handler.function.sig.asyncness.is_some() {
        quote_spanned!(name.span()=> #call.await)
    } else {
        quote_spanned!(name.span()=> __tasker::blocking(move || #call).await)
    };
    let outcome = match &handler.result {
        Output::Plain(_) => quote!(__tasker::complete(&__tasker_returned)),
        Output::Result(ty) => {
            let failed = quote_spanned! {ty.span()=> __tasker::Failed(__tasker_error).into_step_error() };
            quote! {
                match __tasker_returned {
                    ::core::result::Result::Ok(__tasker_value) => __tasker::complete(&__tasker_value),
                    ::core::result::Result::Err(__tasker_error) => {
                        #[allow(unused_imports)]
                        use __tasker::AnyError as _;
                        __tasker::StepOutcome::Fail(#failed)
                    }
                }
            }
        }
    };
    // The box is where a future that cannot be sent is noticed: on the function's name.
    quote_spanned! {name.span()=>
        ::std::boxed::Box::pin(async move {
            #(#extractions)*
            let __tasker_returned = #call;
            #outcome
        })
    }
}

fn extraction(parameter: &Parameter, value: &syn::Ident) -> TokenStream {
    let ty = &parameter.owned;
    let (read, what) = match &parameter.source {
        Source::Context => {
            (quote_spanned!(ty.span()=> input::<#ty>()), Some("the task's context".to_owned()))
        }
        Source::Field(field) => {
            let what = format!("`{}` of the task's context", field.value());
            (quote_spanned!(ty.span()=> input_field::<#ty>(#field)), Some(what))
        }
        Source::Step(step) | Source::Handler { step, .. } => match option_of(ty) {
            Some(inner) => (quote_spanned!(ty.span()=> optional_dependency::<#inner>(#step)), None),
            None => (quote_spanned!(ty.span()=> dependency::<#ty>(#step)), None),
        },
        Source::Extracted => {
            let read = quote_spanned!(ty.span()=> <#ty as __tasker::FromStep>::from_step(&__tasker_context));
            return extract(value, &read);
        }
        Source::Unknown => return TokenStream::new(),
    };
    let extracted = extract(value, &quote!(__tasker_context.#read));
    let Some(what) = what else { return extracted };
    let checked = if option_of(ty).is_some() {
        quote! {
            if let ::core::option::Option::Some(__tasker_value) = &#value {
                __tasker::Validated(__tasker_value).check(#what)
            } else {
                ::core::result::Result::Ok(())
            }
        }
    } else {
        quote!(__tasker::Validated(&#value).check(#what))
    };
    quote! {
        #extracted
        let __tasker_checked = {
            #[allow(unused_imports)]
            use __tasker::Unvalidated as _;
            #checked
        };
        if let ::core::result::Result::Err(__tasker_error) = __tasker_checked {
            return __tasker::StepOutcome::Fail(__tasker_error);
        }
    }
}

fn extract(value: &syn::Ident, read: &TokenStream) -> TokenStream {
    quote! {
        let #value = match #read {
            ::core::result::Result::Ok(__tasker_value) => __tasker_value,
            ::core::result::Result::Err(__tasker_error) => {
                return __tasker::StepOutcome::Fail(__tasker_error);
            }
        };
    }
}
