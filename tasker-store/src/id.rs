//! The ids of tasks, workers and template snapshots.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A map whose keys are ids of the engine's own making, and not what somebody else chose.
#[doc(hidden)]
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// Names a task; a UUIDv7, so that ids sort by the time of creation.
    ///
    /// ```
    /// use tasker::TaskId;
    /// let id = TaskId::random();
    /// assert_eq!(id.to_string().parse(), Ok(id));
    /// ```
    TaskId
}

id! {
    /// Names a worker: one running engine in one process.
    WorkerId
}

id! {
    /// Names a template's snapshot: a hash of its content.
    TemplateId
}

impl TaskId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// A new id for a task that is created at this time. Ids sort by that time; ids that a process makes for
    /// the same microsecond sort in the order in which they were made.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        static ORDER: AtomicU16 = AtomicU16::new(0);
        let micros = u64::try_from(time.as_microsecond()).unwrap_or_default();
        let mut tail = [0; 10];
        let fraction = u16::try_from(micros % 1_000).unwrap_or_default();
        tail[..2].copy_from_slice(&fraction.to_be_bytes());
        // Only 14 bits: the two highest hold the variant of the UUID.
        let order = ORDER.fetch_add(1, Ordering::Relaxed) & 0x3fff;
        tail[2..4].copy_from_slice(&order.to_be_bytes());
        tail[4..].copy_from_slice(&Uuid::now_v7().as_bytes()[10..]);
        Self(uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &tail).into_uuid())
    }
}

impl WorkerId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }
}

impl TemplateId {
    /// The id of a snapshot with this text.
    #[must_use]
    pub fn of(snapshot: &str) -> Self {
        const NAMESPACE: Uuid = Uuid::from_u128(0x7461_736b_6572_4074_8d61_746c_6174_6501);
        Self(Uuid::new_v5(&NAMESPACE, snapshot.as_bytes()))
    }
}
