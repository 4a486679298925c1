//! What keeps a runtime from starting, as the page shows it.

use std::collections::BTreeSet;

use tasker_runtime::{Builder, StepContext, StepResult, Tasker};

use crate::diagnostics::examples::{Mailer, audit, charge, fetch, mail, price, receipt};
use crate::diagnostics::page::{self, Section};

const ORDER: &str = "{name: order, namespace_name: shop, version: 1.0.0, steps: [
    {name: charge, handler: {callable: 'Explained::Charge'}}]}";

/// The programs of the examples.
fn programs() -> Vec<(&'static str, Builder)> {
    let empty = || Tasker::builder().only_listed_handlers();
    vec![
        ("TSK401", empty().handler::<charge>()),
        ("TSK402", empty().handler::<price>().handler::<receipt>()),
        ("TSK403", empty().handler::<price>().handler::<receipt>().handler::<charge>()),
        ("TSK404", Tasker::builder().template_str("order.yaml", ORDER).template_str("copy.yaml", ORDER)),
        (
            "TSK405",
            Tasker::builder()
                .handler_fn("Explained::Pay", |_: StepContext| async { StepResult::Ok("by card") })
                .handler_fn("Explained::Pay", |_: StepContext| async { StepResult::Ok("by invoice") }),
        ),
        ("TSK407", empty().handler::<mail>()),
        ("TSK408", Tasker::builder().state(Mailer).state(Mailer)),
        ("TSK409", Tasker::builder().template_str("order.yaml", ORDER).namespaces(["shpo"])),
        ("TSK410", Tasker::builder().template_str("order.yaml", ORDER).environment("prod")),
        ("TSK411", Tasker::builder().concurrency(0)),
        ("TSK412", Tasker::builder().store_url("mysql://localhost/shop")),
        ("TSK413", empty().handler::<fetch>()),
    ]
}

#[tokio::test]
async fn each_example_of_a_start_is_refused_as_on_the_page() {
    let mut numbers = BTreeSet::new();
    for (number, program) in programs() {
        let section = page::of(number);
        let program = with_templates(program, &section);
        let error = program.build().await.map(drop).unwrap_err();
        section.assert_printed(&error.to_string());
        assert_eq!(error.to_string().matches("[TSK").count(), 1, "{error}");
        numbers.insert(number.to_owned());
    }
    // These are warnings, and keep nothing from starting.
    numbers.insert("TSK414".to_owned());
    let section = page::of("TSK414");
    let program = Tasker::builder().only_listed_handlers().handler::<fetch>();
    section.assert_printed(&with_templates(program, &section).validate().diagnostics.to_string());
    numbers.insert("TSK415".to_owned());
    let section = page::of("TSK415");
    let program = Tasker::builder().only_listed_handlers().handler::<price>();
    section.assert_printed(&with_templates(program, &section).validate().diagnostics.to_string());
    numbers.insert("TSK406".to_owned());
    let validation = Tasker::builder().only_listed_handlers().handler::<audit>().validate();
    page::of("TSK406").assert_printed(&validation.diagnostics.to_string());
    let told: BTreeSet<_> = page::sections("TSK4").into_iter().map(|section| section.number).collect();
    assert_eq!(numbers, told);
}

fn with_templates(builder: Builder, section: &Section) -> Builder {
    section.blocks("yaml").fold(builder, |builder, yaml| builder.template_str("order.yaml", yaml))
}
