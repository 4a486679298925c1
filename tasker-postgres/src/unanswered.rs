//! Whether a writer gets answers. A worker that can record nothing is better taken for dead.

use std::time::Duration;

use tokio::time::Instant;

/// For how long a writer that was refused is expected to be asked once more. Whoever has something to record
/// asks again within some seconds.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

/// Since when a writer has been without an answer to what it was asked to write.
#[derive(Debug, Default)]
pub(crate) struct Unanswered(Option<Wait>);

#[derive(Debug)]
struct Wait {
    since: Instant,
    /// When the writer last gave up; `None` while it waits.
    given_up: Option<Instant>,
}

impl Wait {
    fn is_over(&self) -> bool {
        self.given_up.is_some_and(|at| at.elapsed() > ASKED_AGAIN)
    }
}

impl Unanswered {
    /// The writer waits for an answer.
    pub(crate) fn begin(&mut self) {
        match &mut self.0 {
            Some(wait) if !wait.is_over() => wait.given_up = None,
            wait => *wait = Some(Wait { since: Instant::now(), given_up: None }),
        }
    }

    /// The writer was answered.
    pub(crate) fn answered(&mut self) {
        self.0 = None;
    }

    /// The writer has given up.
    pub(crate) fn give_up(&mut self) {
        if let Some(wait) = &mut self.0 {
            wait.given_up = Some(Instant::now());
        }
    }

    /// Whether the writer has been without an answer for longer than `time`.
    pub(crate) fn lasts_longer_than(&self, time: Duration) -> bool {
        self.0.as_ref().is_some_and(|wait| !wait.is_over() && wait.since.elapsed() > time)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LEASE: Duration = Duration::from_secs(15);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_wait_goes_on_when_the_same_is_asked_again() {
        let mut unanswered = Unanswered::default();
        unanswered.begin();
        advance(14 * SECOND).await;
        unanswered.give_up();
        advance(2 * SECOND).await;
        assert!(unanswered.lasts_longer_than(LEASE));
        unanswered.begin();
        assert!(unanswered.lasts_longer_than(LEASE));
        unanswered.answered();
        assert!(!unanswered.lasts_longer_than(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_asks_again_is_no_wait_for_long() {
        let mut unanswered = Unanswered::default();
        unanswered.begin();
        advance(20 * SECOND).await;
        unanswered.give_up();
        assert!(unanswered.lasts_longer_than(LEASE));
        advance(11 * SECOND).await;
        assert!(!unanswered.lasts_longer_than(LEASE));
        unanswered.begin();
        advance(14 * SECOND).await;
        assert!(!unanswered.lasts_longer_than(LEASE));
    }
}
