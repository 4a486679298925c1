//! What `workflow!` compares of the types that a handler takes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use tasker_template::name_hash;

use crate::model::{Handler, Source, is_named, option_of};

/// What `workflow!` compares of the types that the handler reads by name: bounds on any workflow and any input.
pub(crate) fn fits(handler: &Handler) -> TokenStream {
    let (mut steps, mut fields) = (Bounds::default(), Bounds::default());
    let name = handler.path();
    for parameter in &handler.parameters {
        let ty = parameter.owned();
        // A type that can be any value is a view of each.
        if is_named(option_of(ty).unwrap_or(ty), &["Value", "Json"]) {
            continue;
        }
        let is_optional = option_of(ty).is_some();
        match &parameter.source {
            Source::Step { step, view: false } => {
                let hash = name_hash(&[&step.value()]);
                let rule = if is_optional { quote!(OptionalStepView) } else { quote!(StepView) };
                let step = quote!(<__TaskerOf as __tasker::workflow::StepOutput<#hash>>);
                let bounds = quote_spanned! {ty.span()=>
                    __TaskerOf: __tasker::workflow::StepOutput<#hash>,
                    #ty: __tasker::workflow::#rule<#name, #step::Step, #step::Output>,
                };
                steps.add(is_optional, bounds);
            }
            Source::Input { field: Some(field), view: false, .. } => {
                let hash = name_hash(&[&field.value()]);
                let rule = if is_optional { quote!(OptionalFieldView) } else { quote!(FieldView) };
                let field = quote!(<__TaskerOf as __tasker::workflow::InputField<#hash>>);
                let bounds = quote_spanned! {ty.span()=>
                    __TaskerOf: __tasker::workflow::InputField<#hash>,
                    #ty: __tasker::workflow::#rule<#name, __TaskerOf, #field::Name, #field::Type>,
                };
                fields.add(is_optional, bounds);
            }
            _ => {}
        }
    }
    let (steps, fields) = (steps.of(&quote!(FitsSteps), &name), fields.of(&quote!(FitsInput), &name));
    quote!(#steps #fields)
}

/// The bounds of a rule: those of what a handler must have, and those of what it may do without.
#[derive(Default)]
struct Bounds {
    required: TokenStream,
    optional: TokenStream,
}

impl Bounds {
    fn add(&mut self, is_optional: bool, bounds: TokenStream) {
        if is_optional { self.optional.extend(bounds) } else { self.required.extend(bounds) }
    }

    /// The rule for a handler: for nothing, for what it must have, and for all.
    fn of(&self, rule: &TokenStream, name: &TokenStream) -> TokenStream {
        let Self { required, optional } = self;
        if required.is_empty() && optional.is_empty() {
            return quote! {
                #[automatically_derived]
                impl<__TaskerOf, const COMPARED: u8> __tasker::workflow::#rule<__TaskerOf, COMPARED> for #name {}
            };
        }
        quote! {
            #[automatically_derived]
            impl<__TaskerOf> __tasker::workflow::#rule<__TaskerOf, 0> for #name {}
            #[automatically_derived]
            impl<__TaskerOf> __tasker::workflow::#rule<__TaskerOf, 1> for #name where #required {}
            #[automatically_derived]
            impl<__TaskerOf> __tasker::workflow::#rule<__TaskerOf, 2> for #name where #required #optional {}
        }
    }
}
