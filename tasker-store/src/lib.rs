//! The contract between the engine and the stores that keep tasks. **Exempt from semantic versioning**: this
//! crate changes with the engine, also in patch releases. Applications depend on `tasker` or
//! `tasker-runtime`, which re-export what they need.
//!
//! Here are the [`Store`] trait with its records, the state machine of one task
//! ([`progress`](mod@progress)) that all stores share, the rule by which workers share a limit
//! ([`Ledger`]), the store in memory, and the conformance suite for every store (feature `testing`).

mod action;
mod attempt;
mod blocking;
mod chain;
mod claim;
pub mod doctor;
mod error;
mod error_record;
#[doc(hidden)]
pub mod failpoint;
mod id;
mod json;
mod json_canonical;
mod json_write;
mod key;
mod ledger;
mod limit;
mod memory;
mod migration;
mod non_finite;
mod permit;
pub mod progress;
mod rate;
#[doc(hidden)]
pub mod sealed;
mod sql_write;
mod state;
mod store;
mod store_clock;
mod task;
mod template;
mod time;
#[doc(hidden)]
pub mod twin;
mod waiting;
mod waiting_on;
mod word;
mod worker;

#[cfg(feature = "testing")]
pub mod conformance;

pub use action::{Acted, ActionDetails, ActionRecord, ActionRequest, OperatorAction, Refusal};
pub use attempt::{AttemptRecord, Ending, Finished, FinishedAttempt, Spawned};
pub use blocking::blocking;
pub use chain::{append, chain};
pub use claim::{Claim, ClaimRequest, Claimed, Excluded};
pub use error::StoreError;
pub use error_record::{BoxError, ErrorKind, ErrorRecord};
#[doc(hidden)]
pub use id::IdMap;
pub use id::{TaskId, TemplateId, WorkerId};
pub use json::{Json, JsonError, beginning, read_json};
pub use json_write::{DEEPEST, JsonWriteError, LARGEST, counted, json_depth};
pub use key::StepKey;
pub use ledger::{Decision, Ledger, START_HORIZON};
pub use limit::{FleetLimit, LimitScope};
pub use memory::MemoryStore;
pub use migration::Migration;
pub use permit::{Holder, LimitHolder, LimitRecord, PermitDemand, PermitGrant, PermitGrants, PermitRequest};
pub use rate::{Rate, RateError};
pub use sql_write::{SqlValue, SqlWrite};
pub use state::{AttemptOutcome, DeadLetterReason, DeadLetterStatus, StepState, TaskState};
pub use store::Store;
pub use store_clock::StoreClock;
pub use task::{
    Created, Identity, NewTaskRecord, Origin, PruneRequest, StepRecord, TaskFilter, TaskGlance, TaskHead,
    TaskInputs, TaskRecord,
};
pub use template::TemplateRecord;
pub use time::later;
pub use waiting::WaitingFor;
pub use waiting_on::{HoldingWorker, WaitHolder, WaitKind, WaitingOn};
pub use word::UnknownWord;
pub use worker::{ProgramRecord, WorkerInfo, WorkerRecord};
