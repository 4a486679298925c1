//! The rules for a handler's signature. All rules are checked, so that all mistakes are reported at once.

use std::collections::HashMap;

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::Type;

use crate::errors::Errors;
use crate::model::{Handler, Output, Parameter, Source, is_named, unraw};

pub(crate) fn rules(handler: &Handler, errors: &mut Errors) {
    let signature = &handler.function.sig;
    if !signature.generics.params.is_empty() {
        errors.on(
            &signature.generics,
            "[TSK315] a step handler has no generic parameters: write the types that it is called with",
        );
    } else if let Some(clause) = &signature.generics.where_clause {
        errors.on(clause, "[TSK315] a step handler has no generic parameters, and needs no `where`");
    }
    if let Some(keyword) = &signature.constness {
        errors.on(keyword, "[TSK315] a step handler runs when a task does: remove `const`");
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, "[TSK315] a step handler is called by the runtime, as Rust: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.on(variadic, "[TSK315] a step handler names each of its parameters");
    }
    if let syn::Safety::Unsafe(keyword) = &signature.safety {
        errors.on(
            keyword,
            "[TSK315] a step handler is called by the runtime, which cannot promise what `unsafe` asks for: \
             remove it, and write an `unsafe` block inside",
        );
    }
    for attribute in &handler.function.attrs {
        if is_step_handler(attribute) {
            errors.on(
                attribute,
                match handler.owner {
                    None => "[TSK314] a function is one handler: write a second function that calls this one",
                    Some(_) => {
                        "[TSK314] the attribute of the block makes each method a handler, with its name as the \
                         method: remove this one"
                    }
                },
            );
        }
    }
    for one in &handler.parameters {
        parameter(one, errors);
    }
    output(&handler.result, errors);
    itself(handler, errors);
    duplicates(handler, errors);
}

pub(crate) fn is_step_handler(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "step_handler")
}

fn parameter(parameter: &Parameter, errors: &mut Errors) {
    let owned = parameter.owned();
    if let Type::Reference(reference) = &parameter.written {
        if let Some(mutability) = &reference.mutability {
            errors.on(
                mutability,
                "[TSK308] what a handler receives is its own: take it by value, as `mut name: T`",
            );
        }
        if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            errors
                .on(lifetime, "[TSK308] what a handler receives is gone after the attempt: remove `'static`");
        }
        if is_named(owned, &["str"]) {
            return errors
                .on(reference, "[TSK308] a handler's text is read for this attempt alone: take a `String`");
        } else if let Type::Slice(slice) = owned {
            let item = slice.elem.to_token_stream();
            return errors.on(
                reference,
                format!("[TSK308] a handler's list is read for this attempt alone: take a `Vec<{item}>`"),
            );
        }
    }
    if let Type::TraitObject(object) = owned {
        let object = object.to_token_stream();
        errors.on(
            owned,
            format!("[TSK308] a handler receives values whose type is known: take `State<Arc<{object}>>`"),
        );
    } else if let Some(tokens) = opaque(owned) {
        errors.on(
            tokens,
            "[TSK308] a handler's parameter has one type, which its value is read as: name that type",
        );
    } else if let Some(tokens) = borrowed(owned) {
        errors
            .on(tokens, "[TSK308] what a handler receives is its own: take an owned type, such as `String`");
    }
    for attribute in &parameter.attributes {
        if attribute.path().is_ident("cfg") {
            errors.on(
                attribute,
                "[TSK303] a handler's parameters are the same always: put `#[cfg]` on the function",
            );
        }
    }
}

fn output(output: &Output, errors: &mut Errors) {
    let ty = output.ty();
    if let Some(tokens) = opaque(ty) {
        let future = tokens.clone().into_iter().nth(1).is_some_and(|token| token.to_string() == "Future");
        let message = match future {
            true => {
                "[TSK311] a step handler that waits is an `async fn`: write that, and the future's output \
                 here"
            }
            false => {
                "[TSK311] a handler's result has one type, which other handlers can name: write that type"
            }
        };
        errors.on(tokens, message);
    } else if let Some(tokens) = borrowed(ty) {
        errors.on(
            tokens,
            "[TSK311] a handler's result outlives what it received: return an owned type, such as `String`",
        );
    } else if let Type::Never(never) = ty {
        errors.on(never, "[TSK311] a step handler ends with a result: for one without write no return type");
    }
}

/// Whether code elsewhere can write down the type that the function returns.
pub(crate) fn is_nameable(handler: &Handler) -> bool {
    let ty = handler.result.ty();
    let generic = !handler.function.sig.generics.params.is_empty();
    !generic && opaque(ty).is_none() && borrowed(ty).is_none() && !matches!(ty, Type::Never(_))
}

/// An `impl Trait` in a type, from `impl` on.
fn opaque(ty: &Type) -> Option<TokenStream> {
    find(ty.to_token_stream(), &|rest| matches!(rest, [TokenTree::Ident(word), ..] if word == "impl"))
}

/// The first reference or lifetime in a type that is not `'static`, with the tokens after it.
fn borrowed(ty: &Type) -> Option<TokenStream> {
    let tick = |punct: &proc_macro2::Punct| punct.as_char() == '\'' && punct.spacing() == Spacing::Joint;
    find(ty.to_token_stream(), &|rest| match rest {
        [TokenTree::Punct(and), TokenTree::Punct(punct), ..] if and.as_char() == '&' && tick(punct) => false,
        [TokenTree::Punct(and), ..] if and.as_char() == '&' => true,
        [TokenTree::Punct(punct), TokenTree::Ident(name), ..] => tick(punct) && name != "static",
        _ => false,
    })
}

/// The first tokens of a type that are what `is_it` looks for, with the word after them.
fn find(tokens: TokenStream, is_it: &dyn Fn(&[TokenTree]) -> bool) -> Option<TokenStream> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    (0..tokens.len()).find_map(|start| match &tokens[start] {
        TokenTree::Group(group) => find(group.stream(), is_it),
        _ if is_it(&tokens[start..]) => Some(tokens[start..].iter().take(2).cloned().collect()),
        _ => None,
    })
}

/// With `step = …` it is another step that runs the same handler.
fn itself(handler: &Handler, errors: &mut Errors) {
    for parameter in &handler.parameters {
        if let Source::Handler { path, step } = &parameter.source
            && path.to_token_stream().to_string() == handler.path().to_string()
            && step.value() == unraw(handler.name())
        {
            errors.on(path, "[TSK307] a step cannot wait for itself: name the handler whose result this is");
        }
    }
}

/// Reports a result or a field that two parameters take: one of them was probably meant to be another.
fn duplicates(handler: &Handler, errors: &mut Errors) {
    let (mut steps, mut fields, mut keys) = (HashMap::new(), HashMap::new(), HashMap::new());
    let is_whole = |parameter: &&Parameter| matches!(parameter.source, Source::Config { key: None, .. });
    for parameter in handler.parameters.iter().filter(is_whole).skip(1) {
        let message = "[TSK306] another parameter receives the whole configuration already: use that one";
        errors.on(&parameter.written, message);
    }
    for parameter in &handler.parameters {
        let (seen, name, what) = match &parameter.source {
            Source::Step { step, .. } | Source::Handler { step, .. } => {
                (&mut steps, step, "the result of step")
            }
            Source::Input { field: Some(field), .. } => (&mut fields, field, "the field"),
            Source::Config { key: Some(key), .. } => (&mut keys, key, "the value of the configuration"),
            Source::Input { field: None, .. }
            | Source::Config { key: None, .. }
            | Source::Extracted
            | Source::Unknown => continue,
        };
        if seen.insert(name.value(), ()).is_some() {
            errors.on(
                name,
                format!(
                    "[TSK306] another parameter receives {what} `{}` already: use that one",
                    name.value()
                ),
            );
        }
    }
}
