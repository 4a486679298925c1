//! `#[step_handler]`, `workflow!` and `#[derive(WorkflowInput)]`; use them through `tasker` or `tasker-runtime`.

mod args;
mod check;
mod config;
mod described;
mod errors;
mod expand;
mod fallback;
mod fits;
mod input;
mod method_path;
mod methods;
mod model;
mod serde_attributes;
mod validation;
mod validators;
mod workflow;

use proc_macro::TokenStream;
use syn::Path;

use args::Args;
use errors::Errors;
use model::Item;

#[doc = include_str!("step_handler.md")]
#[proc_macro_attribute]
pub fn step_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    handler(args, item, syn::parse_quote!(::tasker_runtime))
}

// What we write must name a crate that the user depends on: `tasker_runtime`, or only `tasker`. No
// macro is told by which path it was called, but each crate can export an entry of its own. The
// alternative is to look the name up in the user's Cargo.toml, as proc-macro-crate does. That puts a
// TOML parser before everything else in the build, runs `cargo locate-project` for inherited
// dependencies, cannot tell an example of a package from its library, and is blind outside of Cargo
// and behind a crate that re-exports us. All it has in return is renamed dependencies, for which
// `crate = path` is there, as it is in serde and tokio.
#[doc = include_str!("step_handler.md")]
#[proc_macro_attribute]
pub fn facade_step_handler(args: TokenStream, item: TokenStream) -> TokenStream {
    handler(args, item, syn::parse_quote!(::tasker))
}

fn handler(args: TokenStream, item: TokenStream, krate: Path) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args.into(), krate, &mut errors);
    match Item::parse(item.into(), &mut errors) {
        Item::Function(handler) => {
            check::rules(&handler, &mut errors);
            match errors.into_messages() {
                None => expand::function(&args, &handler),
                Some(messages) => fallback::function(&args, &handler, messages),
            }
        }
        Item::Block(block) => methods::block(&args, *block, errors),
        Item::Other(item) => fallback::item(item, errors),
    }
    .into()
}

#[doc = include_str!("workflow.md")]
#[proc_macro]
pub fn workflow(tokens: TokenStream) -> TokenStream {
    workflow::workflow(tokens.into(), syn::parse_quote!(::tasker_runtime)).into()
}

#[doc = include_str!("workflow.md")]
#[proc_macro]
pub fn facade_workflow(tokens: TokenStream) -> TokenStream {
    workflow::workflow(tokens.into(), syn::parse_quote!(::tasker)).into()
}

/// Makes the fields of a workflow's input known to `workflow!`; see the trait of the same name.
#[proc_macro_derive(WorkflowInput, attributes(serde, tasker))]
pub fn workflow_input(item: TokenStream) -> TokenStream {
    input::workflow_input(item.into(), syn::parse_quote!(::tasker_runtime)).into()
}

/// Makes the fields of a workflow's input known to `workflow!`; see the trait of the same name.
#[proc_macro_derive(FacadeWorkflowInput, attributes(serde, tasker))]
pub fn facade_workflow_input(item: TokenStream) -> TokenStream {
    input::workflow_input(item.into(), syn::parse_quote!(::tasker)).into()
}
