//! What a batch claims from the queue, and how that is shared among the operations that asked for it.

use std::collections::VecDeque;
use std::sync::Arc;

use tasker_store::{Claim, ClaimRequest, Claimed};

use crate::operation::Operation;

/// The claims from the queue that no operation has been given yet.
pub(crate) struct QueuedClaims {
    /// The request that the batch's claims were made by; `None` when it claimed nothing.
    pub(crate) request: Option<ClaimRequest>,
    pub(crate) claims: VecDeque<Claim>,
    /// Whether more steps were ready.
    pub(crate) more: bool,
}

impl QueuedClaims {
    /// Gives an operation as many claims as its request still allows.
    pub(crate) fn serve(&mut self, claimed: &mut Claimed, request: &ClaimRequest) {
        if is_served_by(request, self.request.as_ref()) {
            let count = request.limit.saturating_sub(claimed.claims.len()).min(self.claims.len());
            claimed.claims.extend(self.claims.drain(..count));
            claimed.more |= self.more;
        }
    }
}

/// The request that the claims of a batch are made by: that of an operation that only claims, or else that
/// of the first operation that also claims.
pub(crate) fn queue_request(operations: &[Operation]) -> Option<&ClaimRequest> {
    let only_claims = operations.iter().find(|operation| matches!(operation, Operation::Claim(..)));
    only_claims.or(operations.iter().find(|operation| operation.queue_request().is_some()))?.queue_request()
}

/// Whether claims that are made by the request `other` may serve `request` as well.
pub(crate) fn is_served_by(request: &ClaimRequest, other: Option<&ClaimRequest>) -> bool {
    other.is_some_and(|other| {
        request.worker == other.worker
            && (Arc::ptr_eq(&request.excluded, &other.excluded) || request.excluded == other.excluded)
    })
}
