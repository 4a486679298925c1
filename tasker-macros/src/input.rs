//! `#[derive(WorkflowInput)]`: the fields of a workflow's input, by the names that serde writes them with.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, Path, Type};
use tasker_template::name_hash;

use crate::errors::Errors;
use crate::model::unraw;
use crate::serde_attributes::{Serde, in_case};

pub(crate) fn workflow_input(item: TokenStream, krate: Path) -> TokenStream {
    let mut errors = Errors::default();
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let krate = own_crate(&item.attrs, &mut errors).unwrap_or(krate);
    let fields = fields(&item, &mut errors);
    let messages = errors.into_messages().unwrap_or_default();
    let expanded = fields.map(|fields| expand(&item, &fields, &krate));
    quote!(#(#messages)* #expanded)
}

/// A field as serde writes it.
struct Field<'i> {
    name: String,
    ident: &'i Ident,
    ty: &'i Type,
}

/// `#[tasker(crate = path)]`.
fn own_crate(attributes: &[Attribute], errors: &mut Errors) -> Option<Path> {
    let mut krate = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("tasker")) {
        let parsed = attribute.parse_nested_meta(|meta| match meta.path.is_ident("crate") {
            true => {
                krate = Some(meta.value()?.call(Path::parse_mod_style)?);
                Ok(())
            }
            false => Err(meta.error("unknown argument; known here: `crate = path`")),
        });
        if let Err(error) = parsed {
            errors.arguments(&error);
        }
    }
    krate
}

/// `None` for a type that cannot be an input.
fn fields<'i>(item: &'i DeriveInput, errors: &mut Errors) -> Option<Vec<Field<'i>>> {
    let Data::Struct(data) = &item.data else {
        errors.on(&item.ident, "[TSK214] the input of a workflow is a struct with named fields");
        return None;
    };
    let Fields::Named(named) = &data.fields else {
        errors.on(&item.ident, "[TSK214] the input of a workflow is a struct with named fields");
        return None;
    };
    if let Some(parameter) = item.generics.params.first() {
        errors.on(parameter, "[TSK214] the input of a workflow has no generic parameters: write the types");
        return None;
    }
    let case = Serde::of_struct(&item.attrs, errors).rename_all;
    let mut fields = Vec::new();
    for field in &named.named {
        let Some(ident) = &field.ident else { continue };
        let serde = Serde::of_field(&field.attrs, errors);
        let name = serde.rename.unwrap_or_else(|| in_case(&unraw(ident), case.as_deref()));
        fields.push(Field { name, ident, ty: &field.ty });
    }
    Some(fields)
}

fn expand(item: &DeriveInput, fields: &[Field<'_>], krate: &Path) -> TokenStream {
    let ident = &item.ident;
    let text = ident.to_string();
    let names = fields.iter().map(|field| &field.name);
    let implementations = fields.iter().map(|Field { name, ident: field, ty }| {
        let hash = name_hash(&[name]);
        // A type that is called as the field is known in JSON, for messages.
        let marker = syn::parse_str::<Ident>(name).unwrap_or_else(|_| (*field).clone());
        quote_spanned! {ty.span()=>
            const _: () = {
                // In a module, so that it hides no type of the user's.
                #[allow(non_camel_case_types, dead_code, missing_debug_implementations, missing_docs)]
                #[allow(missing_copy_implementations, unnameable_types, unreachable_pub, clippy::all)]
                mod __tasker_field {
                    pub struct #marker;
                }
                #[automatically_derived]
                impl __w::InputField<#hash> for #ident {
                    type Name = __tasker_field::#marker;
                    type Type = #ty;
                }
            };
        }
    });
    quote! {
        const _: () = {
            use #krate::__private::workflow as __w;

            #[automatically_derived]
            impl __w::WorkflowInput for #ident {
                const FIELDS: &'static [&'static str] = &[#(#names),*];
                const NAME: &'static str = #text;
            }
            #(#implementations)*
        };
    }
}
