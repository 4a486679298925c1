//! Whether the crate that is compiled can meet two versions of the crate `validator`.
//!
//! To the compiler, `Validate` of another version than Tasker's is an unrelated trait, so that an input which
//! derives it would not be validated. Types do not show this; only the lock file shows that there are two
//! versions. Where no lock file is found, as outside of Cargo, `#[input(validate)]` is the safe form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whether a lock file shows two versions of `validator` among the crate's dependencies.
pub(crate) fn are_several() -> bool {
    let variable = |name| std::env::var(name).ok();
    let (Some(directory), Some(name), Some(version)) =
        (variable("CARGO_MANIFEST_DIR"), variable("CARGO_PKG_NAME"), variable("CARGO_PKG_VERSION"))
    else {
        return false;
    };
    let locks = Path::new(&directory).ancestors().map(|directory| directory.join("Cargo.lock"));
    let lock = locks.filter_map(|lock| std::fs::read_to_string(lock).ok()).next();
    lock.is_some_and(|lock| reachable(&lock, &name, &version, "validator").len() > 1)
}

/// The versions of the package `target` among the dependencies of a package, and among theirs.
fn reachable<'a>(lock: &'a str, name: &str, version: &str, target: &str) -> BTreeSet<&'a str> {
    let mut packages: BTreeMap<&str, Vec<Package<'_>>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1).filter_map(Package::read) {
        packages.entry(package.name).or_default().push(package);
    }
    let of = |name: &str, version: Option<&str>| {
        let named = packages.get(name).into_iter().flatten();
        let version = version.map(ToOwned::to_owned);
        named.filter(move |package| version.as_deref().is_none_or(|version| package.version == version))
    };
    let mut next: Vec<_> = of(name, Some(version)).collect();
    let mut seen = BTreeSet::new();
    while let Some(package) = next.pop() {
        if seen.insert((package.name, package.version)) {
            next.extend(package.dependencies.iter().flat_map(|(name, version)| of(name, *version)));
        }
    }
    seen.into_iter().filter(|(name, _)| *name == target).map(|(_, version)| version).collect()
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    /// By name, and by version where the name alone does not say which.
    dependencies: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Package<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let value = |key| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|rest| rest.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        let dependencies = text.lines().filter_map(|line| line.strip_prefix(" \"")).map(|line| {
            let mut words = line.trim_end_matches(['"', ',']).split(' ');
            (words.next().unwrap_or_default(), words.next())
        });
        Some(Self { name: value("name")?, version: value("version")?, dependencies: dependencies.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "forms",
 "tasker",
]

[[package]]
name = "forms"
version = "3.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = [
 "validator 0.20.0",
]

[[package]]
name = "tasker"
version = "0.1.0"
dependencies = [
 "validator 0.21.0",
]

[[package]]
name = "tool"
version = "0.1.0"
dependencies = [
 "tasker",
]

[[package]]
name = "validator"
version = "0.20.0"

[[package]]
name = "validator"
version = "0.21.0"
"#;

    #[test]
    fn what_a_package_can_meet() {
        let validators = |name| Vec::from_iter(reachable(LOCK, name, "0.1.0", "validator"));
        assert_eq!(validators("app"), ["0.20.0", "0.21.0"]);
        // Other packages of the workspace may have other versions.
        assert_eq!(validators("tool"), ["0.21.0"]);
        assert!(validators("stranger").is_empty());
    }
}
