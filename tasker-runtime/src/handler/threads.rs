//! What the handlers of a worker do with the threads that they are given: whether one holds up a thread of the
//! runtime, because it blocks instead of awaiting, and how many functions still run that are not async.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

/// What the attempts of a worker have in common.
#[derive(Debug, Default)]
struct Shared {
    /// Counts the watchdog's ticks, from 1. Reading it is cheaper than a clock.
    tick: AtomicU64,
    /// The functions that run now and are not async.
    functions: AtomicUsize,
}

/// The handler threads of a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandlerThreads(Arc<Shared>);

/// What one attempt does with its threads.
#[derive(Debug)]
pub(crate) struct AttemptThreads {
    shared: Arc<Shared>,
    /// The tick in which the poll began that is under way; 0 while none is.
    polled_since: AtomicU64,
}

thread_local! {
    /// The attempt whose handler this thread polls.
    static POLLED: RefCell<Option<Arc<AttemptThreads>>> = const { RefCell::new(None) };
}

impl HandlerThreads {
    pub(crate) fn attempt(&self) -> Arc<AttemptThreads> {
        Arc::new(AttemptThreads { shared: Arc::clone(&self.0), polled_since: AtomicU64::new(0) })
    }

    /// Another tick has passed.
    pub(crate) fn tick(&self) {
        self.0.tick.fetch_add(1, Relaxed);
    }

    /// How many functions run now that are not async.
    pub(crate) fn functions(&self) -> usize {
        self.0.functions.load(Relaxed)
    }
}

impl AttemptThreads {
    /// For how many whole ticks the handler has been holding up a thread of the runtime.
    pub(crate) fn held_for(&self) -> u64 {
        match self.polled_since.load(Relaxed) {
            0 => 0,
            since => self.shared.tick.load(Relaxed).saturating_sub(since),
        }
    }
}

/// Counts as a function that runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct RunningFunction(Arc<AttemptThreads>);

impl RunningFunction {
    /// A function that the handler is about to run which this thread polls; `None` outside of handlers.
    pub(crate) fn begin() -> Option<Self> {
        let attempt = POLLED.with_borrow(Clone::clone)?;
        attempt.shared.functions.fetch_add(1, Relaxed);
        Some(Self(attempt))
    }
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        self.0.shared.functions.fetch_sub(1, Relaxed);
    }
}

/// A handler's future in the place where it is pinned. Its polls are noted.
#[derive(Debug)]
pub(crate) struct Watched<'a, F> {
    handler: Pin<&'a mut Option<F>>,
    /// While it is polled, the attempt is in `POLLED`, and what was there before is here.
    attempt: Option<Arc<AttemptThreads>>,
}

impl<'a, F> Watched<'a, F> {
    pub(crate) fn new(handler: Pin<&'a mut Option<F>>, attempt: Arc<AttemptThreads>) -> Self {
        Self { handler, attempt: Some(attempt) }
    }

    /// Runs the handler's destructors.
    pub(crate) fn drop_handler(mut self) {
        self.handler.set(None);
    }
}

/// A poll that is under way; it ends when this is dropped, also when the handler panics.
struct Polling<'a>(&'a mut Option<Arc<AttemptThreads>>);

impl<'a> Polling<'a> {
    fn begin(attempt: &'a mut Option<Arc<AttemptThreads>>) -> Self {
        if let Some(attempt) = attempt {
            attempt.polled_since.store(attempt.shared.tick.load(Relaxed).max(1), Relaxed);
        }
        POLLED.with_borrow_mut(|polled| std::mem::swap(polled, attempt));
        Self(attempt)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        POLLED.with_borrow_mut(|polled| std::mem::swap(polled, self.0));
        if let Some(attempt) = self.0 {
            attempt.polled_since.store(0, Relaxed);
        }
    }
}

impl<F: Future> Future for Watched<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { handler, attempt } = &mut *self;
        let _polling = Polling::begin(attempt);
        match handler.as_mut().as_pin_mut() {
            Some(handler) => handler.poll(cx),
            None => Poll::Pending,
        }
    }
}
