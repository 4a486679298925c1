//! Answers operations whose tasks are written.

use std::collections::HashSet;

use jiff::Timestamp;
use tasker_store::{Claim, Claimed, Created, Finished, StoreError, TaskState};

use crate::known_claims::KnownClaims;
use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::queued_claims::QueuedClaims;

/// What the answers of a batch are made of, and what changes with them.
pub(crate) struct Answers<'a> {
    pub(crate) known_claims: &'a KnownClaims,
    /// Claims whose attempts are in doubt.
    pub(crate) in_doubt: &'a mut HashSet<Claim>,
    pub(crate) queued_claims: QueuedClaims,
    /// When the next step becomes due that is not due yet.
    pub(crate) next_due: Option<Timestamp>,
}

impl Answers<'_> {
    /// Answers an operation. The claims that the answer names are known from then on, and those that it
    /// ends are not.
    pub(crate) fn answer(&mut self, operation: Operation, outcome: Outcome) {
        // Whoever asked may have stopped waiting.
        match (operation, outcome) {
            (Operation::Create(.., answer), Outcome::Created(claimed)) => {
                self.learn(&claimed.claims);
                drop(answer.send(Ok(Created::New(claimed))));
            }
            (Operation::Finish(attempt, request, answer), Outcome::Recorded(moved)) => {
                self.forget(&[attempt.claim]);
                let mut claimed = moved.claimed;
                if request.any {
                    self.queued_claims.serve(&mut claimed, &request);
                }
                drop(answer.send(Ok(self.recorded(claimed, moved.state))));
            }
            (Operation::Finish(attempt, _, answer), Outcome::AlreadyRecorded(claims, state)) => {
                self.forget(&[attempt.claim]);
                let claimed = Claimed { claims, ..Claimed::default() };
                drop(answer.send(Ok(self.recorded(claimed, Some(state)))));
            }
            (Operation::Finish(attempt, _, answer), _) => {
                self.forget(&[attempt.claim]);
                drop(answer.send(Ok(Finished::Stale)));
            }
            (Operation::Release(claims, .., answer), _) => {
                self.forget(&claims);
                drop(answer.send(Ok(())));
            }
            (Operation::Claim(request, answer), _) => {
                let mut claimed = Claimed { next_due: self.next_due, ..Claimed::default() };
                self.queued_claims.serve(&mut claimed, &request);
                self.learn(&claimed.claims);
                drop(answer.send(Ok(claimed)));
            }
            (Operation::Revoked(_, answer), Outcome::Revoked(revoked)) => {
                self.forget(&revoked);
                drop(answer.send(Ok(revoked)));
            }
            (operation, _) => operation.refuse(StoreError::Closed),
        }
    }

    fn recorded(&self, claimed: Claimed, state: Option<TaskState>) -> Finished {
        self.learn(&claimed.claims);
        Finished::Recorded { claimed, settled: state.filter(|state| state.is_settled()) }
    }

    fn learn(&self, claims: &[Claim]) {
        self.known_claims.extend(claims.iter().copied());
    }

    fn forget(&mut self, claims: &[Claim]) {
        for claim in claims {
            self.known_claims.remove(claim);
            self.in_doubt.remove(claim);
        }
    }
}
