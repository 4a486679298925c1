//! From the model to code, without any decisions.
//!
//! Generated code has the span of the source that it is about, so that the compiler's messages point there.
//! Variables do not: in a handler that a `macro_rules!` wrote, variables of one name with different spans
//! would be different variables.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Path, Type, Visibility};
use tasker_template::DEFAULT_METHOD;

use crate::args::Args;
use crate::config::{config_parameter, config_title, read_config};
use crate::described::schemas;
use crate::fits::fits;
use crate::model::{Handler, Output, Owner, Parameter, Source, arguments, is_named, option_of, unraw};
use crate::validation::validation_of;

/// The user's function, the type that stands for it, and its registration.
pub(crate) fn function(args: &Args, handler: &Handler) -> TokenStream {
    let (function, visibility) = (&handler.function, &handler.function.vis);
    let marker = marker(handler, visibility);
    let method = match &args.method {
        Some(method) => quote!(#method),
        None => quote!(#DEFAULT_METHOD),
    };
    let registration = registration(args, handler, &method);
    quote! {
        #function

        #marker

        #registration
    }
}

/// What makes the type of a handler one, and registers it.
pub(crate) fn registration(args: &Args, handler: &Handler, method: &TokenStream) -> TokenStream {
    let (name, callable, krate) = (handler.path(), &args.callable, &args.krate);
    let dependencies = handler.parameters.iter().filter_map(dependency);
    let requires = handler.parameters.iter().filter_map(requirement);
    let conditions = handler.conditions();
    let output = output(&handler.result);
    let input_fields = handler.parameters.iter().filter_map(input_field);
    let configs = handler.parameters.iter().filter_map(config_parameter);
    let reads_other_configs = handler.parameters.iter().any(may_read_configs);
    let schemas = schemas(handler);
    let fits = fits(handler);
    let body = body(handler);
    let title = handler.title();
    let (object, at) = match &handler.owner {
        // That of the attribute.
        None => (None, Span::call_site()),
        Some(Owner { ty, .. }) => (
            {
                let requires = format_ident!("__tasker_requires");
                Some(quote_spanned!(ty.span()=> #requires.push(__tasker::object_required::<#ty>());))
            },
            handler.name().span(),
        ),
    };
    let location = quote_spanned! {at=>
        __tasker::CodeLocation { file: ::core::file!(), line: ::core::line!() }
    };
    quote! {
        // Generated code may use a deprecated function without a warning; and lints take code with the span
        // of the user's types for the user's own qualified paths.
        #(#conditions)*
        #[allow(deprecated, unused_qualifications)]
        const _: () = {
            use #krate::__private as __tasker;

            #[automatically_derived]
            impl __tasker::StepHandler for #name {
                const NAME: &'static str = #title;
                const CALLABLE: &'static str = #callable;
                const METHOD: &'static str = #method;
                const DEPENDS_ON: &'static [__tasker::Dependency] = &[#(#dependencies),*];
                const INPUT_FIELDS: &'static [__tasker::InputParameter] = &[#(#input_fields),*];
                const CONFIGS: &'static [__tasker::ConfigParameter] = &[#(#configs),*];
                const READS_OTHER_CONFIGS: bool = #reads_other_configs;
                const SAYS_ITS_TYPES: bool = true;
                const LOCATION: __tasker::CodeLocation = #location;
                type Output = #output;

                fn requires() -> ::std::vec::Vec<__tasker::StateRequirement> {
                    #[allow(unused_mut)]
                    let mut __tasker_requires = ::std::vec::Vec::new();
                    #object
                    #(#requires)*
                    __tasker_requires
                }

                fn schemas() -> __tasker::HandlerSchemas {
                    #schemas
                }

                fn call(__tasker_context: __tasker::StepContext) -> __tasker::StepFuture {
                    #body
                }
            }

            #fits

            __tasker::inventory::submit! {
                __tasker::Registration::of::<#name>(#title)
            }
        };
    }
}

/// The field of the context that a parameter takes.
fn input_field(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Input { field: Some(name), .. } = &parameter.source else { return None };
    let optional = option_of(parameter.owned()).is_some();
    Some(quote!(__tasker::InputParameter { name: #name, optional: #optional }))
}

/// Whether a parameter gets its value by itself, perhaps from the configuration.
fn may_read_configs(parameter: &Parameter) -> bool {
    let ty = parameter.owned();
    matches!(parameter.source, Source::Extracted) && !is_called_state(ty) && !is_named(ty, &["ResultWrites"])
}

/// The type that stands for the function: same name, other namespace.
pub(crate) fn marker(handler: &Handler, visibility: &Visibility) -> TokenStream {
    let (name, conditions) = (handler.name(), handler.conditions());
    let text = match &handler.owner {
        None => format!("The step handler [`{name}`](fn@{}) as a type.", unraw(name)),
        Some(_) => format!("The step handler `{}` as a type.", handler.title()),
    };
    // Messages about this type, as that it is private, point to the function's name.
    quote_spanned! {name.span()=>
        #(#conditions)*
        #[doc = #text]
        #[allow(non_camel_case_types, dead_code, missing_copy_implementations, missing_debug_implementations)]
        #[allow(clippy::exhaustive_structs)]
        #visibility struct #name {}
    }
}

fn dependency(parameter: &Parameter) -> Option<TokenStream> {
    let ty = parameter.owned();
    let (step, handler) = match &parameter.source {
        Source::Step { step, .. } => (step, quote!(::core::option::Option::None)),
        Source::Handler { path, step } => {
            let check = check(path, ty);
            let handler = quote_spanned! {path.span()=>
                ::core::option::Option::Some((
                    <#path as __tasker::StepHandler>::CALLABLE,
                    <#path as __tasker::StepHandler>::METHOD,
                ))
            };
            (step, quote!({ #check #handler }))
        }
        Source::Input { .. } | Source::Config { .. } | Source::Extracted | Source::Unknown => return None,
    };
    let optional = option_of(ty).is_some();
    let name = &parameter.name;
    Some(quote! {
        __tasker::Dependency { step: #step, handler: #handler, optional: #optional, parameter: #name }
    })
}

fn requirement(parameter: &Parameter) -> Option<TokenStream> {
    let Source::Extracted = parameter.source else { return None };
    let (ty, requires) = (parameter.owned(), format_ident!("__tasker_requires"));
    if is_called_state(ty) {
        let source = state_source(ty);
        return Some(quote!(#requires.append(&mut (#source.requires)());));
    }
    Some(quote_spanned! {ty.span()=>
        #requires.append(&mut <#ty as __tasker::FromStep>::requires());
    })
}

/// Whether the type is called `State<…>`: most likely Tasker's, unless another crate's was imported.
fn is_called_state(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "State" && !last.arguments.is_none())
}

/// Where the value of a parameter comes from whose type is called `State<…>`.
fn state_source(ty: &Type) -> TokenStream {
    let source = quote_spanned!(ty.span()=> __tasker::StateParameter::<#ty>::NEW.source());
    quote! {{
        #[allow(unused_imports)]
        use __tasker::AnyState as _;
        #source
    }}
}

/// Checks that a parameter has the type that the handler returns. The handler's path is used only in the
/// position of a type, so that the compiler reports a wrong name once.
fn check(path: &Path, ty: &Type) -> TokenStream {
    let rule = match option_of(ty) {
        Some(_) => quote!(OptionalDependencyOutput),
        None => quote!(DependencyOutput),
    };
    quote_spanned! {ty.span()=>
        let () = <#ty as __tasker::#rule<
            <#path as __tasker::Itself>::Itself,
            <#path as __tasker::StepHandler>::Output,
        >>::HOLDS;
    }
}

/// The handler's `Output`.
fn output(output: &Output) -> TokenStream {
    match output {
        Output::Result(ty) => quote_spanned!(ty.span()=> <#ty as __tasker::Return>::Output),
        Output::Plain(ty) => quote!(#ty),
    }
}

/// Takes each parameter from its source, calls the function, and turns what it returns into an outcome.
fn body(handler: &Handler) -> TokenStream {
    let name = handler.name();
    let values: Vec<_> =
        (0..handler.parameters.len()).map(|index| format_ident!("__tasker_{index}")).collect();
    let extractions =
        handler.parameters.iter().zip(&values).map(|(parameter, value)| extraction(parameter, value));
    let arguments =
        handler.parameters.iter().zip(&values).map(|(parameter, value)| {
            if parameter.is_by_reference() { quote!(&#value) } else { quote!(#value) }
        });
    let (object, function) = match &handler.owner {
        None => (None, quote!(#name)),
        Some(Owner { ty, .. }) => {
            let (context, this) = (format_ident!("__tasker_context"), format_ident!("__tasker_self"));
            let read = quote_spanned!(ty.span()=> __tasker::object::<#ty>(&#context));
            (Some(extract(&this, &read)), quote!(#ty::#name))
        }
    };
    let this = object.as_ref().map(|_| quote!(&__tasker_self,));
    let call = quote_spanned!(name.span()=> #function(#this #(#arguments),*));
    let call = if handler.function.sig.asyncness.is_some() {
        quote_spanned!(name.span()=> #call.await)
    } else {
        // A function without parameters could be handed over as it is.
        quote_spanned!(name.span()=> __tasker::blocking(#[allow(clippy::redundant_closure)] move || #call).await)
    };
    let returned = format_ident!("__tasker_returned");
    let (ty, outcome) = (handler.result.ty(), outcome(&handler.result, &returned));
    // The compiler reports a future that is not `Send` at the box, which has the span of the function's name.
    quote_spanned! {name.span()=>
        ::std::boxed::Box::pin(async move {
            #object
            #(#extractions)*
            let #returned: #ty = #call;
            #outcome
        })
    }
}

/// From the function's return value to an outcome. Messages about it point to the return type.
fn outcome(output: &Output, returned: &Ident) -> TokenStream {
    let (ty, context) = (output.ty(), format_ident!("__tasker_context"));
    if let Output::Plain(_) = output {
        let complete = quote_spanned!(ty.span()=> __tasker::Returned(&#returned, &#context).step_outcome());
        return quote! {{
            #[allow(unused_imports)]
            use __tasker::AnyValue as _;
            #complete
        }};
    }
    let mut arguments = arguments(ty);
    let value = format_ident!("__tasker_value");
    let at_value = arguments.next().map_or_else(|| ty.span(), |value| value.span());
    let at_error = arguments.next().map_or_else(|| ty.span(), |error| error.span());
    let result = quote_spanned! {ty.span()=> <#ty as __tasker::Return>::into_result(#returned) };
    let complete = quote_spanned!(at_value=> __tasker::complete(&#value, &#context));
    let failed = quote_spanned!(at_error=> into_step_error());
    quote! {
        match #result {
            ::core::result::Result::Ok(#value) => #complete,
            ::core::result::Result::Err(__tasker_error) => {
                #[allow(unused_imports)]
                use __tasker::AnyError as _;
                __tasker::StepOutcome::Fail(__tasker::Failed(__tasker_error).#failed)
            }
        }
    }
}

fn extraction(parameter: &Parameter, value: &Ident) -> TokenStream {
    let (ty, context) = (parameter.owned(), format_ident!("__tasker_context"));
    let (read, name) = match &parameter.source {
        Source::Input { field, validation, .. } => {
            let (read, what) = match field {
                None => (quote!(input), "the task's context".to_owned()),
                Some(field) => (quote!(input_field), format!("`{}` of the task's context", field.value())),
            };
            let field = field.iter();
            let read = quote_spanned!(ty.span()=> #read::<#ty>);
            let extracted = extract(value, &quote!(__tasker::#read(&#context #(, #field)*)));
            let fail = quote!(__tasker::StepOutcome::Fail(__tasker_error));
            let validated = validation_of(ty, value, *validation, &what, &fail);
            return quote!(#extracted #validated);
        }
        Source::Step { step, .. } | Source::Handler { step, .. } => match option_of(ty) {
            Some(inner) => (quote_spanned!(ty.span()=> optional_dependency::<#inner>), step),
            None => (quote_spanned!(ty.span()=> dependency::<#ty>), step),
        },
        Source::Config { key, validation } => {
            let read = read_config(ty, key.as_ref(), &quote!(__tasker::configuration(&#context)));
            let extracted = extract(value, &read);
            let title = config_title(key.as_ref());
            let fail = quote!(__tasker::StepOutcome::Fail(__tasker::refused_config(__tasker_error)));
            let validated = validation_of(ty, value, *validation, &title, &fail);
            return quote!(#extracted #validated);
        }
        Source::Extracted if is_called_state(ty) => {
            let source = state_source(ty);
            return extract(value, &quote!((#source.from_step)(&#context)));
        }
        Source::Extracted => {
            let read = quote_spanned!(ty.span()=> <#ty as __tasker::FromStep>::from_step(&#context));
            return extract(value, &read);
        }
        Source::Unknown => return TokenStream::new(),
    };
    extract(value, &quote!(__tasker::#read(&#context, #name)))
}

fn extract(value: &Ident, read: &TokenStream) -> TokenStream {
    quote! {
        let #value = match #read {
            ::core::result::Result::Ok(__tasker_value) => __tasker_value,
            ::core::result::Result::Err(__tasker_error) => {
                return __tasker::StepOutcome::Fail(__tasker_error);
            }
        };
    }
}
