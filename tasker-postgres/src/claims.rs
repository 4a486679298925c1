//! What a statement claims from the queue, for the operations that asked for it.

use std::collections::VecDeque;
use std::sync::Arc;

use tasker_store::{Claim, ClaimRequest, Claimed};

use crate::operation::Operation;

/// Claims from the queue, for the operations that asked for them.
pub(crate) struct Queue {
    pub(crate) request: Option<ClaimRequest>,
    pub(crate) claims: VecDeque<Claim>,
    pub(crate) more: bool,
}

impl Queue {
    /// Fills the room that is left with what came from the queue.
    pub(crate) fn serve(&mut self, claimed: &mut Claimed, request: &ClaimRequest) {
        if shares(request, self.request.as_ref()) {
            let room = request.limit.saturating_sub(claimed.claims.len()).min(self.claims.len());
            claimed.claims.extend(self.claims.drain(..room));
            claimed.more |= self.more;
        }
    }
}

/// The request that the batch's claims from the queue are made by. Who asks for nothing else comes first.
pub(crate) fn queue_request(operations: &[Operation]) -> Option<&ClaimRequest> {
    let alone = operations.iter().find(|operation| matches!(operation, Operation::Claim(..)));
    alone.or(operations.iter().find(|operation| operation.queue_request().is_some()))?.queue_request()
}

/// Whether a request is served by what is claimed for another.
pub(crate) fn shares(request: &ClaimRequest, other: Option<&ClaimRequest>) -> bool {
    other.is_some_and(|other| {
        request.worker == other.worker
            && (Arc::ptr_eq(&request.excluded, &other.excluded) || request.excluded == other.excluded)
    })
}
