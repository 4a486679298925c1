//! Nothing that we write raises a warning, however strict the crate is.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications)]
#![deny(unused, future_incompatible, rust_2018_idioms, let_underscore, nonstandard_style)]
#![deny(elided_lifetimes_in_paths, explicit_outlives_requirements, single_use_lifetimes)]
#![deny(absolute_paths_not_starting_with_crate, trivial_casts, unused_lifetimes, unused_results)]
#![deny(meta_variable_misuse, missing_copy_implementations, unit_bindings, unused_import_braces)]
#![deny(redundant_lifetimes, unnameable_types, variant_size_differences, private_interfaces)]
#![forbid(unsafe_code)]

pub use handlers::{Account, Database, Payments, account, charge, close, open};
pub use orders::{Wanted, order, order_of_anything, pay, reserve};

mod handlers {
    #[allow(unused_imports, reason = "that they are in scope makes no difference")]
    use tasker::{
        FromStep, StepHandler,
        handler::{DependencyOutput, OptionalDependencyOutput},
    };
    use tasker::{State, StepContext, StepError, step_handler};

    /// An account.
    #[derive(Clone, Debug, serde::Deserialize, serde::Serialize, validator::Validate)]
    pub struct Account {
        /// Whose it is.
        #[validate(length(min = 1))]
        pub owner: String,
    }

    /// Where accounts lie.
    #[derive(Clone, Debug)]
    pub struct Database {
        _url: String,
    }

    /// Entry points of one callable.
    #[derive(Debug)]
    pub struct Payments {
        _url: String,
    }

    #[step_handler("Payments")]
    impl Payments {
        /// Authorizes a payment.
        pub async fn authorize(&self, #[config("currency")] currency: String) -> String {
            currency
        }

        /// Takes it.
        ///
        /// # Errors
        ///
        /// Never.
        pub(crate) fn call(
            &self,
            #[depends_on(payments::authorize)] currency: &String,
            #[config] gateway: Option<Account>,
        ) -> Result<String, StepError> {
            drop(gateway);
            Ok(currency.clone())
        }

        fn refund(&self, _: StepContext) -> Refund {
            Refund { refunded: true }
        }
    }

    /// What only this module knows.
    #[derive(serde::Serialize)]
    struct Refund {
        refunded: bool,
    }

    /// Opens an account.
    ///
    /// # Errors
    ///
    /// Never.
    #[step_handler("Billing::Open")]
    pub async fn open(
        #[input] account: Account,
        #[input("limit")] limit: Option<u32>,
        State(database): State<Database>,
    ) -> Result<Account, StepError> {
        drop((limit, database));
        Ok(account)
    }

    /// Charges it.
    ///
    /// # Errors
    ///
    /// Never.
    #[step_handler("Billing", method = "charge")]
    pub async fn charge(
        #[depends_on(open)] account: &Account,
        #[depends_on(close, step = "close_other")] closed: Option<bool>,
        #[depends_on("other")] other: serde_json::Value,
        context: &StepContext,
    ) -> Result<u32, std::io::Error> {
        drop((account.clone(), closed, other));
        Ok(context.attempt())
    }

    /// Closes it.
    #[step_handler("Billing::Close")]
    #[must_use]
    pub fn close(#[depends_on(open)] account: Account) -> bool {
        account.owner.is_empty()
    }

    /// Names it.
    #[step_handler("Billing::Account")]
    pub async fn account(#[depends_on(open)] _account: Account) {}
}

mod orders {
    use tasker::{WorkflowInput, step_handler};

    /// What is wanted.
    #[derive(Clone, Debug, serde::Deserialize, serde::Serialize, validator::Validate, WorkflowInput)]
    #[serde(rename_all = "camelCase")]
    pub struct Wanted {
        /// The thing.
        #[validate(length(min = 1))]
        pub item: String,
        /// For whom.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub for_whom: Option<String>,
    }

    /// Reserves it.
    #[step_handler("Ui::Reserve")]
    pub async fn reserve(
        #[input("item")] item: String,
        #[input("forWhom")] for_whom: Option<String>,
    ) -> String {
        item + for_whom.as_deref().unwrap_or_default()
    }

    /// Charges for it.
    #[step_handler("Ui::Charge")]
    pub async fn pay(#[depends_on(reserve, step = "steps")] item: String) -> usize {
        item.len()
    }

    tasker::workflow! {
        /// Reserves a thing, and charges for it.
        pub order(Wanted) = "pass/workflow.yaml" { reserve, pay }
    }

    tasker::workflow! {
        /// The same with any input.
        pub order_of_anything = "pass/workflow.yaml" { steps => reserve, task => pay }
    }

    // One that nobody uses yet.
    tasker::workflow! { own(Wanted) = "pass/workflow.yaml" { reserve, pay } }
}

fn main() {}
