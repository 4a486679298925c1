//! `#[step_handler]` on an `impl` block: each method is an entry point of one callable, and the struct is their
//! state. A module of the struct's name has the types that stand for the methods.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{
    Attribute, FnArg, Ident, ImplItem, ImplItemFn, ItemFn, ItemImpl, Path, PathArguments, ReceiverKind,
    Visibility,
};
use tasker_template::snake_case_names;

use crate::args::{Args, spelled};
use crate::errors::Errors;
use crate::model::{Handler, Owner, is_ours, unraw};
use crate::{check, expand, fallback};

pub(crate) fn block(args: &Args, mut block: ItemImpl, mut errors: Errors) -> TokenStream {
    let Some(owner) = owner(args, &block, &mut errors) else {
        block.items.iter_mut().for_each(without_ours);
        return fallback::item(block.into_token_stream(), errors);
    };
    let conditions: Vec<_> = block.attrs.iter().filter(|one| one.path().is_ident("cfg")).cloned().collect();
    let mut handlers = Vec::new();
    for item in &mut block.items {
        match item {
            ImplItem::Fn(method) => handlers.extend(handler(method, &owner, &conditions, &mut errors)),
            other => errors.on(
                other,
                "[TSK320] this block has entry points alone: put everything else in another `impl` block",
            ),
        }
    }
    block.items.iter_mut().for_each(without_ours);
    for handler in &handlers {
        check::rules(handler, &mut errors);
    }
    if block.items.is_empty() {
        errors
            .on(&block.self_ty, "[TSK320] this block has no entry point: write an `async fn call(&self, …)`");
    }
    let markers = handlers.iter().map(|handler| expand::marker(handler, &outside(&handler.function.vis)));
    let module = &owner.module;
    let about = format!("The step handlers of `{}`, as types.", spelled(&owner.ty));
    let visibility = widest(&handlers);
    let module = quote! {
        #(#conditions)*
        #[doc = #about]
        #[allow(missing_docs, unreachable_pub, unused)]
        #visibility mod #module {
            #(#markers)*
        }
    };
    match errors.into_messages() {
        None => {
            let registrations = handlers.iter().map(|handler| {
                let method = unraw(handler.name());
                expand::registration(args, handler, &quote!(#method))
            });
            quote!(#block #module #(#registrations)*)
        }
        Some(messages) => {
            let mut messages = messages.into_iter();
            let stubs: Vec<_> = handlers
                .iter()
                .map(|handler| fallback::stub(args, handler, &unraw(handler.name()), &mut messages))
                .collect();
            quote! {
                #(#messages)*
                #[allow(dead_code, unused_variables)]
                #block
                #module
                #(#stubs)*
            }
        }
    }
}

/// The struct of the block. Reports a block that is not of a plain struct.
fn owner(args: &Args, block: &ItemImpl, errors: &mut Errors) -> Option<Owner> {
    if let Some((path, _)) = &block.trait_ {
        errors.on(
            path,
            "[TSK314] the methods of a trait are no handlers: put `#[step_handler(\"…\")]` on an `impl` block of the \
             struct itself",
        );
        return None;
    }
    if let Some(method) = &args.method {
        errors.on(method, "[TSK302] the entry points of a block are called as its methods: remove `method`");
    }
    if !block.generics.params.is_empty() {
        errors.on(
            &block.generics,
            "[TSK315] a step handler has no generic parameters: write the `impl` block of one type",
        );
        return None;
    }
    let plain =
        |path: &Path| path.segments.iter().all(|segment| matches!(segment.arguments, PathArguments::None));
    match &*block.self_ty {
        syn::Type::Path(ty) if ty.qself.is_none() && plain(&ty.path) => {
            let ty = ty.path.clone();
            let last = ty.segments.last()?.ident.clone();
            let module = snake_case_names([unraw(&last).as_str()]).pop()?;
            let module = match module.strip_prefix("r#") {
                Some(keyword) => Ident::new_raw(keyword, last.span()),
                None => Ident::new(&module, last.span()),
            };
            Some(Owner { ty, module })
        }
        other => {
            errors.on(other, "[TSK315] the handlers of a block are those of a struct: write its name alone");
            None
        }
    }
}

/// The handler of a method, which loses the attributes that are ours.
fn handler(
    method: &mut ImplItemFn,
    owner: &Owner,
    conditions: &[Attribute],
    errors: &mut Errors,
) -> Option<Handler> {
    let receiver = method.sig.receiver().cloned();
    let is_shared = |one: &syn::Receiver| matches!(one.kind, ReceiverKind::Reference(_, None, None));
    match &receiver {
        Some(receiver) if is_shared(receiver) => {}
        Some(receiver) => errors
            .on(receiver, "[TSK320] an entry point takes `&self`, for several attempts run at the same time"),
        None => {
            let ty = spelled(&owner.ty);
            errors.on(
                &method.sig.ident,
                format!(
                    "[TSK320] an entry point takes `&self`; put other functions in another `impl {ty}` block"
                ),
            );
            return None;
        }
    }
    let mut sig = method.sig.clone();
    sig.inputs = sig.inputs.into_iter().skip(1).collect();
    let attrs = conditions.iter().chain(&method.attrs).cloned().collect();
    // Elsewhere, `Self` is another type.
    let sig = syn::parse2(named(sig.to_token_stream(), &owner.ty)).unwrap_or(sig);
    let (vis, modifiers) = (method.vis.clone(), method.modifiers.clone());
    let function = ItemFn { attrs, vis, modifiers, sig, block: Box::new(method.block.clone()) };
    let handler = Handler::of(function, Some(owner.clone()), errors);
    let parameters = method.sig.inputs.iter_mut().skip(1);
    for (own, parsed) in parameters.zip(&handler.function.sig.inputs) {
        if let (FnArg::Typed(own), FnArg::Typed(parsed)) = (own, parsed) {
            own.attrs.clone_from(&parsed.attrs);
        }
    }
    Some(handler)
}

/// Removes the attributes that are ours: the compiler knows none of them.
fn without_ours(item: &mut ImplItem) {
    let ImplItem::Fn(method) = item else { return };
    method.attrs.retain(|attribute| !check::is_step_handler(attribute));
    for argument in &mut method.sig.inputs {
        if let FnArg::Typed(argument) = argument {
            argument.attrs.retain(|attribute| !is_ours(attribute));
        }
    }
}

/// The widest visibility of the methods, which their module has.
fn widest(handlers: &[Handler]) -> Visibility {
    let all = || handlers.iter().map(|handler| &handler.function.vis);
    if let Some(public) = all().find(|one| matches!(one, Visibility::Public(_))) {
        return public.clone();
    }
    match all().any(|one| matches!(one, Visibility::Restricted(_))) {
        true => syn::parse_quote!(pub(crate)),
        false => Visibility::Inherited,
    }
}

/// The tokens with the struct in place of `Self`.
fn named(tokens: TokenStream, ty: &Path) -> TokenStream {
    let replaced = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => ty.to_token_stream(),
        TokenTree::Group(group) => {
            let mut inner = proc_macro2::Group::new(group.delimiter(), named(group.stream(), ty));
            inner.set_span(group.span());
            TokenTree::Group(inner).into()
        }
        other => other.into(),
    });
    replaced.collect()
}

/// The visibility of a method, from within a module beside it.
fn outside(visibility: &Visibility) -> Visibility {
    match visibility {
        Visibility::Inherited => syn::parse_quote!(pub(super)),
        Visibility::Restricted(restricted) => {
            let path = &restricted.path;
            match path.segments.first().map(|first| first.ident.to_string()).as_deref() {
                Some("self") => syn::parse_quote!(pub(super)),
                Some("super") => syn::parse_quote!(pub(in super::#path)),
                _ => visibility.clone(),
            }
        }
        Visibility::Public(_) => visibility.clone(),
    }
}
