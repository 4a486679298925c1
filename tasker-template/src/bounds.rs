//! The bounds of a template's settings: what the reader enforces, and what the schema of template files says.

use std::ops::RangeInclusive;

/// The longest name of a template, a step, an event or an override, in characters; also of a namespace.
pub(crate) const NAME: usize = 255;
/// The longest version, in characters.
pub(crate) const VERSION: usize = 50;
/// The longest callable, in characters.
pub(crate) const CALLABLE: usize = 500;
/// The longest namespace that Tasker Core can have, in characters: a queue name of 47 less its longest suffix.
pub(crate) const QUEUED_NAMESPACE: usize = 29;

/// The attempts of a step; 0 counts as 1.
pub(crate) const ATTEMPTS: RangeInclusive<u32> = 0..=100;
/// The longest delay between two attempts, in seconds: 30 days.
pub(crate) const LONGEST_DELAY_SECONDS: u32 = 30 * 24 * 60 * 60;
/// A delay between two attempts, in milliseconds.
pub(crate) const DELAY_MS: RangeInclusive<u32> = 0..=LONGEST_DELAY_SECONDS * 1_000;
/// The limit of an attempt, in seconds.
pub(crate) const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=u32::MAX;

/// The items of a batch.
pub(crate) const BATCH_SIZE: RangeInclusive<u32> = 1..=100_000;
/// The batch workers at a time.
pub(crate) const PARALLELISM: RangeInclusive<u32> = 1..=1_000;

/// The whole life of a task, in minutes: at most 30 days.
pub(crate) const LIFE_MINUTES: RangeInclusive<u32> = 1..=43_200;
/// How long a task may wait, in minutes: at most 7 days.
pub(crate) const WAIT_MINUTES: RangeInclusive<u32> = 1..=10_080;
