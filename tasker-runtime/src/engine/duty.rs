//! The contract of background duties: how each of them starts, waits, survives a panic, and stops.
//!
//! A duty works in rounds. Between two rounds it waits for its [`Wakeup`], and holds its owner only weakly,
//! so that an owner that everybody else has dropped ends at once. A round that has begun is never cut
//! short. When the owner stops, the duty is given a last word ([`Duty::stop`]), and whoever waits for the
//! tracker waits for that too. A panic is logged, and the duty goes on after a pause.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::panics;

/// How long a duty leaves a store alone that has just failed.
pub(super) const AFTER_ERROR: Duration = Duration::from_secs(1);
/// How long a duty that has panicked waits before its next round.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Completes when the next round is to begin. It must not hold the owner.
pub(super) type Wakeup = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Completes after this time.
pub(super) fn after(pause: Duration) -> Wakeup {
    Box::pin(tokio::time::sleep(pause))
}

/// Something that a worker (the owner, `O`) does again and again in the background.
pub(super) trait Duty<O>: Send + 'static {
    /// The duty's name in the log.
    const NAME: &'static str;

    /// What the first round waits for; nothing unless a duty says otherwise.
    fn first(&self, _owner: &Arc<O>) -> Wakeup {
        Box::pin(std::future::ready(()))
    }

    /// Does once what is to be done, and answers what the next round waits for. Errors of the store are the
    /// duty's to log.
    fn round(&mut self, owner: &Arc<O>) -> impl Future<Output = Wakeup> + Send;

    /// Does what is to be done when the owner stops; nothing unless a duty says otherwise. There will be no
    /// other round.
    fn stop(&mut self, _owner: &Arc<O>) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Where duties are started: for whom, until when, and who waits for their end.
#[derive(Debug)]
pub(super) struct Duties<'a, O> {
    /// The owner, which each round is handed.
    pub(super) owner: &'a Arc<O>,
    /// Is cancelled when the owner stops.
    pub(super) stopping: &'a CancellationToken,
    /// Counts the duties that have not ended.
    pub(super) tracker: &'a TaskTracker,
}

impl<O: Send + Sync + 'static> Duties<'_, O> {
    /// Starts a duty. It ends when the owner stops, or is dropped.
    pub(super) fn start<D: Duty<O>>(&self, duty: D) {
        self.tracker.spawn(run(duty, Arc::downgrade(self.owner), self.stopping.clone()));
    }
}

async fn run<O: Send + Sync + 'static, D: Duty<O>>(mut duty: D, owner: Weak<O>, stopping: CancellationToken) {
    let log = |panic: panics::Panic| {
        tracing::error!(duty = D::NAME, panic = panics::message(&*panic), "a background duty panicked");
    };
    let Some(mut wakeup) = owner.upgrade().map(|owner| duty.first(&owner)) else { return };
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            () = wakeup => {}
        }
        let Some(owner) = owner.upgrade() else { return };
        wakeup = panics::caught(duty.round(&owner)).await.unwrap_or_else(|panic| {
            log(panic);
            after(AFTER_PANIC)
        });
    }
    if let Some(owner) = owner.upgrade() {
        panics::caught(duty.stop(&owner)).await.unwrap_or_else(log);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes what its duty does, and at which second.
    struct Owner {
        begun: tokio::time::Instant,
        noted: Mutex<Vec<(u64, &'static str)>>,
    }

    impl Owner {
        fn new() -> Arc<Self> {
            Arc::new(Self { begun: tokio::time::Instant::now(), noted: Mutex::default() })
        }

        fn note(&self, what: &'static str) {
            self.noted.lock().unwrap().push((self.begun.elapsed().as_secs(), what));
        }
    }

    /// Begins after 2 s, works every 10 s, and panics in its second round.
    struct Clumsy {
        rounds: u32,
    }

    impl Duty<Owner> for Clumsy {
        const NAME: &'static str = "clumsy";

        fn first(&self, _: &Arc<Owner>) -> Wakeup {
            after(Duration::from_secs(2))
        }

        async fn round(&mut self, owner: &Arc<Owner>) -> Wakeup {
            self.rounds += 1;
            owner.note("round");
            assert_ne!(self.rounds, 2, "the second round");
            after(Duration::from_secs(10))
        }

        async fn stop(&mut self, owner: &Arc<Owner>) {
            owner.note("stop");
            panic!("at the stop");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_a_round_and_not_the_duty_and_a_stop_is_waited_for() {
        let (owner, stopping, tracker) = (Owner::new(), CancellationToken::new(), TaskTracker::new());
        Duties { owner: &owner, stopping: &stopping, tracker: &tracker }.start(Clumsy { rounds: 0 });
        tokio::time::sleep(Duration::from_secs(25)).await;
        stopping.cancel();
        tracker.close();
        tracker.wait().await;
        let noted = owner.noted.lock().unwrap();
        assert_eq!(*noted, [(2, "round"), (12, "round"), (13, "round"), (23, "round"), (25, "stop")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_duty_does_not_keep_its_owner_and_ends_without_it() {
        let (owner, stopping, tracker) = (Owner::new(), CancellationToken::new(), TaskTracker::new());
        Duties { owner: &owner, stopping: &stopping, tracker: &tracker }.start(Clumsy { rounds: 0 });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!((owner.noted.lock().unwrap().len(), Arc::strong_count(&owner)), (1, 1));
        drop(owner);
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_duty_that_is_stopped_before_its_first_round_makes_none() {
        let (owner, stopping, tracker) = (Owner::new(), CancellationToken::new(), TaskTracker::new());
        stopping.cancel();
        Duties { owner: &owner, stopping: &stopping, tracker: &tracker }.start(Clumsy { rounds: 0 });
        tracker.close();
        tracker.wait().await;
        assert_eq!(*owner.noted.lock().unwrap(), [(0, "stop")]);
    }
}
