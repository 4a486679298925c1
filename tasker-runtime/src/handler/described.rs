//! What the types of handlers say of themselves.

use serde_json::Value;

/// The JSON schemas of what a handler takes and returns. Those of types that do not describe themselves are `None`:
/// with the feature `schemars`, a type does that implements `JsonSchema`.
///
/// ```
/// use tasker::{StepHandler, step_handler};
///
/// #[step_handler("Docs::Count")]
/// fn count(#[input("text")] text: String) -> usize {
///     text.len()
/// }
/// let schemas = <count as StepHandler>::schemas();
/// assert_eq!(schemas.input_fields.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HandlerSchemas {
    /// Of its result.
    pub result: Option<Value>,
    /// Of the whole context of a task, when it takes that.
    pub input: Option<Value>,
    /// Of the fields of the context, in the order of [`StepHandler::INPUT_FIELDS`](crate::StepHandler::INPUT_FIELDS).
    pub input_fields: Vec<Option<Value>>,
    /// Of its configuration, in the order of [`StepHandler::CONFIGS`](crate::StepHandler::CONFIGS).
    pub configs: Vec<Option<Value>>,
}

/// For generated code only.
#[doc(hidden)]
pub(crate) mod private {
    use std::marker::PhantomData;

    use serde_json::Value;

    /// Whether a type describes itself. An inherent function takes precedence over a trait's.
    #[derive(Debug)]
    pub struct Described<T: ?Sized>(PhantomData<T>);

    #[cfg(feature = "schemars")]
    impl<T: schemars_1::JsonSchema + ?Sized> Described<T> {
        /// The schema of the JSON that is read as this type.
        #[must_use]
        pub fn taken() -> Option<Value> {
            schema::<T>(schemars_1::generate::Contract::Deserialize)
        }

        /// The schema of the JSON that a value of this type is written as.
        #[must_use]
        pub fn returned() -> Option<Value> {
            schema::<T>(schemars_1::generate::Contract::Serialize)
        }
    }

    #[cfg(feature = "schemars")]
    fn schema<T: schemars_1::JsonSchema + ?Sized>(contract: schemars_1::generate::Contract) -> Option<Value> {
        // The draft of a template's schemas that name none.
        let mut settings = schemars_1::generate::SchemaSettings::draft2020_12();
        settings.meta_schema = None;
        // Schemas of several types become one, in which references to the root of each would be wrong.
        settings.inline_subschemas = true;
        settings.contract = contract;
        Some(settings.into_generator().into_root_schema_for::<T>().to_value())
    }

    /// Every other type.
    pub trait Undescribed {
        /// Nothing is known.
        #[must_use]
        fn taken() -> Option<Value> {
            None
        }

        /// Nothing is known.
        #[must_use]
        fn returned() -> Option<Value> {
            None
        }
    }

    impl<T: ?Sized> Undescribed for Described<T> {}
}
