//! The templates that tasks of a store were created with, by name.

use std::process::ExitCode;

use tasker_runtime::Tasker;
use tasker_runtime::error::chain;
use tasker_runtime::task::TemplateSnapshot;
use tasker_template::{TaskTemplate, compare_versions};

use crate::cli::output::{FAILED, USAGE, fail};

/// Finds the template that is called so: `NAMESPACE/NAME`, with `@VERSION` or `@latest` where the store has several,
/// and with `#ID` where it has several of one version.
pub(super) async fn find(
    tasker: &Tasker,
    wanted: &str,
    environment: Option<&str>,
) -> Result<TaskTemplate, ExitCode> {
    let (name, id) = wanted.rsplit_once('#').map_or((wanted, None), |(name, id)| (name, Some(id)));
    let (name, version) = name.rsplit_once('@').map_or((name, None), |(name, version)| (name, Some(version)));
    let Some((namespace, name)) = name.split_once('/') else {
        let message = format!(
            "there is no file `{wanted}`, and a template of the store is called NAMESPACE/NAME@VERSION"
        );
        return Err(fail(USAGE, message));
    };
    let all = tasker.template_snapshots(namespace, name).await;
    let all = all.map_err(|error| fail(FAILED, chain(&error)))?;
    one_of(all, (namespace, name), version, id, environment).map_err(|message| fail(USAGE, message))
}

/// The one that is meant, or what to write.
fn one_of(
    mut all: Vec<TemplateSnapshot>,
    (namespace, name): (&str, &str),
    version: Option<&str>,
    id: Option<&str>,
    environment: Option<&str>,
) -> Result<TaskTemplate, String> {
    let called = format!("{namespace}/{name}");
    if all.is_empty() {
        return Err(format!("the store has had no task of a template `{called}`"));
    }
    let mut versions: Vec<String> = all.iter().map(|one| one.template.version.clone()).collect();
    versions.sort_by(|one, other| compare_versions(one, other));
    versions.dedup();
    let latest = versions.last().cloned().unwrap_or_default();
    let known = versions.join(", ");
    let version = match version {
        // A version may be called so.
        Some("latest") if !versions.iter().any(|one| one == "latest") => latest,
        Some(version) => version.to_owned(),
        None if versions.len() == 1 => latest,
        None => {
            return Err(format!(
                "the store has versions {known} of `{called}`: say which, as in `{called}@{latest}`"
            ));
        }
    };
    all.retain(|one| one.template.version == version);
    if all.is_empty() {
        return Err(format!("the store has no version {version} of `{called}`; it has {known}"));
    }
    if let Some(id) = id {
        all.retain(|one| one.id.starts_with(id));
    } else {
        let of_others: Vec<String> = all.iter().filter_map(|one| one.template.environment.clone()).collect();
        all.retain(|one| one.template.environment.as_deref() == environment);
        if all.is_empty() {
            let without = "the store has no task of it that was created";
            return Err(match (environment, of_others.first()) {
                (Some(environment), _) => {
                    format!("{called}@{version}: {without} in the environment `{environment}`")
                }
                (None, Some(other)) => format!(
                    "{called}@{version}: {without} without an environment: add `--environment {other}`"
                ),
                (None, None) => format!("{called}@{version}: {without}"),
            });
        }
    }
    let ids: Vec<String> = all.iter().map(|one| format!("`{called}@{version}#{}`", one.id)).collect();
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only.template),
        (Some(_), false) => Err(format!(
            "the store has {} different templates {called}@{version}: say which, {}",
            ids.len(),
            ids.join(" or ")
        )),
        (None, _) => Err(format!("the store has no template {called}@{version} of this id")),
    }
}
