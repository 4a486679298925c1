//! Does what operators ask for.

use tasker_store::{Acted, ActionRequest, StoreError};

use crate::client::event::Event;
use crate::engine::shared::Engine;

impl Engine {
    /// Does what an operator asks for. Attempts whose claims that has revoked are told to end.
    pub(crate) async fn act(&self, request: ActionRequest) -> Result<Acted, StoreError> {
        let task = request.task;
        let acted = self.store.act(request).await?;
        if let Acted::Done { state, revoked } = &acted {
            self.attempts.revoke(revoked);
            self.wake.notify_one();
            if state.is_settled() {
                self.emit(|| Event::TaskSettled { task, state: *state });
                self.tasks.settle(task);
                self.waiters.settle(task, || None);
            }
        }
        Ok(acted)
    }
}
