//! The validation of inputs. The traits exist for their compiler messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tasker_store::Json;
use uuid::Uuid;
use validator::Validate;

/// Holds when an input of this type can be validated: `#[input(validate)]`.
#[diagnostic::on_unimplemented(
    message = "[TSK318] `{Self}` cannot be validated: it does not implement the `Validate` that Tasker knows",
    label = "does not implement `tasker::validator::Validate`",
    note = "write `#[derive(tasker::validator::Validate)]` and `#[validate(crate = \"tasker::validator\")]` \
            on the type",
    note = "a `Validate` of another version of the crate `validator` is another trait; \
            `cargo tree --duplicates` lists crates that are there in several versions"
)]
pub trait ValidInput: Validate {}

#[diagnostic::do_not_recommend]
impl<T: Validate> ValidInput for T {}

/// Holds for types that cannot implement a `Validate` which Tasker would overlook.
///
/// Required only in a program with several versions of the crate `validator`: there, an input that derives
/// the `Validate` of another version than Tasker's would not be validated.
#[diagnostic::on_unimplemented(
    message = "[TSK318] is `{Self}` to be validated? Its `Validate`, if it has one, is not the one that \
               Tasker knows",
    label = "does not implement `tasker::validator::Validate`, and would pass unvalidated",
    note = "this program has several versions of the crate `validator`; `cargo tree --duplicates` lists them",
    note = "to validate it, derive `Validate` of the version that Tasker has: \
            `#[derive(tasker::validator::Validate)]` and `#[validate(crate = \"tasker::validator\")]`",
    note = "if there is nothing to validate, say so: `#[input(validate = false)]`"
)]
pub trait PlainInput {}

macro_rules! plain {
    ($($ty:ty),* $(,)?) => { $( impl PlainInput for $ty {} )* };
}

plain!(
    (),
    bool,
    char,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64,
    String,
    PathBuf,
    IpAddr,
    Duration,
    Timestamp,
    Json,
    serde_json::Number,
    serde_json::Value,
    Uuid,
);

impl PlainInput for str {}
impl<T: PlainInput + ?Sized> PlainInput for Box<T> {}
impl<T: PlainInput> PlainInput for Option<T> {}
impl<T: PlainInput> PlainInput for [T] {}
impl<T: PlainInput, const N: usize> PlainInput for [T; N] {}
impl<T: PlainInput> PlainInput for Vec<T> {}
impl<T: PlainInput> PlainInput for BTreeSet<T> {}
impl<T: PlainInput, S> PlainInput for HashSet<T, S> {}
impl<K, V: PlainInput> PlainInput for BTreeMap<K, V> {}
impl<K, V: PlainInput, S> PlainInput for HashMap<K, V, S> {}
impl PlainInput for serde_json::Map<String, serde_json::Value> {}
impl<A: PlainInput, B: PlainInput> PlainInput for (A, B) {}
impl<A: PlainInput, B: PlainInput, C: PlainInput> PlainInput for (A, B, C) {}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    use std::fmt::Write as _;

    use validator::{Validate, ValidationErrors, ValidationErrorsKind};

    use super::{PlainInput, ValidInput};
    use crate::handler::StepError;
    use crate::handler::context::INVALID_INPUT;

    /// Validates an input whose handler asks for it.
    pub fn check_input<T: ValidInput>(input: &T, what: &str) -> Result<(), StepError> {
        Validated(input).check_input(what)
    }

    /// Validates a type that derives `Validate`. An inherent method takes precedence over a trait's method:
    /// for every other type, the trait that is in scope accepts any value.
    #[derive(Debug)]
    pub struct Validated<'a, T>(pub &'a T);

    impl<T: Validate> Validated<'_, T> {
        pub fn check_input(&self, what: &str) -> Result<(), StepError> {
            self.0.validate().map_err(|errors| invalid(what, &errors))
        }
    }

    /// Accepts every other type without validation.
    pub trait Unvalidated {
        fn check_input(&self, _what: &str) -> Result<(), StepError> {
            Ok(())
        }
    }

    impl<T> Unvalidated for Validated<'_, T> {}

    /// Accepts every other type that is plain without validation.
    pub trait PlainUnvalidated<T> {
        fn check_input(&self, _what: &str) -> Result<(), StepError>
        where
            T: PlainInput,
        {
            Ok(())
        }
    }

    impl<T> PlainUnvalidated<T> for Validated<'_, T> {}

    fn invalid(what: &str, errors: &ValidationErrors) -> StepError {
        let mut faults = Vec::new();
        collect("", errors, &mut faults);
        faults.sort();
        let mut message = format!("{what} is invalid: ");
        for (index, (field, fault, _)) in faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let _ = write!(message, "{separator}`{field}` {fault}");
        }
        let fields: serde_json::Map<_, _> = faults
            .into_iter()
            .map(|(field, fault, code)| (field, serde_json::json!({ "code": code, "message": fault })))
            .collect();
        StepError::permanent(message)
            .with_code(INVALID_INPUT)
            .with_context(serde_json::json!({ "fields": fields }))
    }

    fn collect(prefix: &str, errors: &ValidationErrors, faults: &mut Vec<(String, String, String)>) {
        for (field, kind) in errors.errors() {
            let path = if prefix.is_empty() { field.to_string() } else { format!("{prefix}.{field}") };
            match kind {
                ValidationErrorsKind::Field(errors) => faults.extend(errors.iter().map(|error| {
                    let message = error
                        .message
                        .as_ref()
                        .map_or_else(|| format!("fails the check `{}`", error.code), ToString::to_string);
                    (path.clone(), message, error.code.to_string())
                })),
                ValidationErrorsKind::Struct(inner) => collect(&path, inner, faults),
                ValidationErrorsKind::List(items) => {
                    for (index, inner) in items {
                        collect(&format!("{path}[{index}]"), inner, faults);
                    }
                }
            }
        }
    }
}
