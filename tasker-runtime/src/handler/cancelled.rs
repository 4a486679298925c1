//! The future that tells a handler to end early.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Completes when the attempt should end early. See
/// [`StepContext::cancelled`](crate::StepContext::cancelled).
#[derive(Debug)]
#[must_use = "it does nothing until it is awaited"]
pub struct Cancelled(Pin<Box<WaitForCancellationFutureOwned>>);

impl Cancelled {
    pub(crate) fn new(token: CancellationToken) -> Self {
        Self(Box::pin(token.cancelled_owned()))
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
