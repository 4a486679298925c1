//! What a handler's signature may not be. Every rule is asked, so that all mistakes are told at once.

use std::collections::HashMap;

use crate::errors::Errors;
use crate::model::{Handler, Source};

pub(crate) fn rules(handler: &Handler, errors: &mut Errors) {
    let signature = &handler.function.sig;
    if !signature.generics.params.is_empty() {
        errors.on(
            &signature.generics,
            "a step handler has no generic parameters: the runtime calls it with the types that stand here",
        );
    } else if let Some(clause) = &signature.generics.where_clause {
        errors.on(clause, "a step handler has no generic parameters, and needs no `where`");
    }
    if let Some(keyword) = &signature.constness {
        errors.on(keyword, "a step handler runs when a task does: remove `const`");
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, "a step handler is called by the runtime: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.on(variadic, "a step handler names each of its parameters");
    }
    if let syn::Safety::Unsafe(keyword) = &signature.safety {
        errors.on(
            keyword,
            "a step handler is called by the runtime, which cannot promise what `unsafe` asks for",
        );
    }
    duplicates(handler, errors);
}

/// The same result or field twice is a slip: one of the two was meant to be another.
fn duplicates(handler: &Handler, errors: &mut Errors) {
    let (mut steps, mut fields) = (HashMap::new(), HashMap::new());
    for parameter in &handler.parameters {
        let (seen, name, what) = match &parameter.source {
            Source::Step(step) | Source::Handler { step, .. } => (&mut steps, step, "the result of step"),
            Source::Field(field) => (&mut fields, field, "the field"),
            Source::Context | Source::Extracted | Source::Unknown => continue,
        };
        if seen.insert(name.value(), ()).is_some() {
            errors.on(name, format!("another parameter receives {what} `{}` already", name.value()));
        }
    }
}
