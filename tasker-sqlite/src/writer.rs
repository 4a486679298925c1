//! The one thread that writes. All operations that wait when it is free become one transaction, with one
//! fsync for all of them, and no delay for a single one.

use std::fmt;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tasker_store::{StoreError, failpoint, twin};
use tokio::sync::{mpsc, oneshot};

use crate::error::Result;
use crate::session::Session;

/// The number of operations that may be queued; further callers wait.
const QUEUE: usize = 4_096;
/// The largest number of operations in a transaction.
const BATCH: usize = 1_024;
/// How long the thread stays awake after a transaction.
const AWAKE: Duration = Duration::from_micros(60);

/// Sends operations to the writer thread. The thread ends when this is dropped.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
    /// Whether tokio's paused time stands still while an operation waits.
    #[cfg(feature = "testing")]
    holds_time: bool,
}

/// An operation that waits for its transaction. It is applied again when another operation causes the
/// transaction to be rolled back.
trait Operation: Send {
    /// Does the work, and keeps the answer.
    fn apply(&mut self, session: &mut Session) -> Result<()>;
    /// Answers, once the work is durable.
    fn answer(self: Box<Self>);
    /// Answers with an error: the work was not done.
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Pending<W, T> {
    work: W,
    value: Option<T>,
    reply: oneshot::Sender<std::result::Result<T, StoreError>>,
}

impl<W, T> Operation for Pending<W, T>
where
    W: FnMut(&mut Session) -> Result<T> + Send,
    T: Send,
{
    fn apply(&mut self, session: &mut Session) -> Result<()> {
        self.value = Some((self.work)(session)?);
        Ok(())
    }

    fn answer(self: Box<Self>) {
        // The caller may have stopped waiting for the answer.
        let _ = self.reply.send(self.value.ok_or(StoreError::Closed));
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(mut session: Session) -> std::result::Result<Self, StoreError> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("tasker-sqlite-writer".to_owned())
            .spawn(move || write_until_closed(&mut session, waiting))
            .map_err(|source| StoreError::Open {
                what: "a thread for the store".to_owned(),
                source: source.into(),
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            #[cfg(feature = "testing")]
            holds_time: false,
        })
    }

    /// Lets tokio's paused time stand still while an operation waits.
    #[cfg(feature = "testing")]
    pub(crate) fn hold_time(&mut self) {
        self.holds_time = true;
    }

    /// Runs `work` in a transaction, together with whatever else is waiting. Answers after the commit.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Session) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, StoreError> {
        #[cfg(feature = "testing")]
        let _held = self.holds_time.then(crate::temporary::hold_time);
        let (reply, answer) = oneshot::channel();
        let operation = Box::new(Pending { work, value: None, reply });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(operation).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Operations that were queued before are still written. A panic of the thread has been reported.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn write_until_closed(session: &mut Session, mut waiting: mpsc::Receiver<Box<dyn Operation>>) {
    let mut batch = Vec::new();
    loop {
        // An answer often leads to the next operation at once: staying awake for it saves a thread switch.
        match soon(&mut waiting) {
            Some(operation) => batch.push(operation),
            None if waiting.blocking_recv_many(&mut batch, BATCH) == 0 => return,
            None => {}
        }
        let begun = Instant::now();
        // Operations that arrive while others are applied still join their transaction.
        write(session, std::mem::take(&mut batch), &mut || waiting.try_recv().ok());
        session.look_after_logs();
        // For benches/tasker/writer.rs.
        tracing::trace!(seconds = begun.elapsed().as_secs_f64(), "free again");
    }
}

/// An operation that arrives within a moment.
fn soon(waiting: &mut mpsc::Receiver<Box<dyn Operation>>) -> Option<Box<dyn Operation>> {
    let begun = Instant::now();
    loop {
        match waiting.try_recv() {
            Ok(operation) => return Some(operation),
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
            Err(mpsc::error::TryRecvError::Empty) if begun.elapsed() >= AWAKE => return None,
            Err(mpsc::error::TryRecvError::Empty) => std::thread::yield_now(),
        }
    }
}

fn write(
    session: &mut Session,
    mut batch: Vec<Box<dyn Operation>>,
    more: &mut dyn FnMut() -> Option<Box<dyn Operation>>,
) {
    let mut done = transact(session, &mut batch, more).map_err(|error| error.of(session.path()));
    if matches!(done, Err(StoreError::Damaged { .. })) {
        // SQLite says the same when the disk cannot be read for a moment. Damage is still there.
        done = transact(session, &mut batch, &mut || None).map_err(|error| error.of(session.path()));
    }
    match done {
        Ok(()) => batch.into_iter().for_each(Operation::answer),
        // Another process is writing: trying the operations one by one would wait for it once for each.
        Err(StoreError::Locked { what, source }) => {
            let reason = source.to_string();
            for operation in batch {
                operation.refuse(StoreError::Locked { what: what.clone(), source: reason.clone().into() });
            }
        }
        // Nothing of the batch was written, and a single operation may be the cause: each is tried alone.
        Err(error) => match <[_; 1]>::try_from(batch) {
            Ok([operation]) => operation.refuse(error),
            Err(batch) => {
                batch.into_iter().for_each(|operation| write(session, vec![operation], &mut || None))
            }
        },
    }
}

fn transact(
    session: &mut Session,
    batch: &mut Vec<Box<dyn Operation>>,
    more: &mut dyn FnMut() -> Option<Box<dyn Operation>>,
) -> Result<()> {
    session.begin()?;
    failpoint::pass("begun");
    let done = apply_all(session, batch, more).and_then(|()| {
        if twin::is("early-answer") {
            batch.drain(..).for_each(Operation::answer);
        }
        failpoint::pass("applied");
        session.commit()?;
        failpoint::pass("committed");
        Ok(())
    });
    if done.is_err() {
        session.roll_back();
    }
    done
}

fn apply_all(
    session: &mut Session,
    batch: &mut Vec<Box<dyn Operation>>,
    more: &mut dyn FnMut() -> Option<Box<dyn Operation>>,
) -> Result<()> {
    let mut applied = 0;
    loop {
        while let Some(operation) = batch.get_mut(applied) {
            operation.apply(session)?;
            applied += 1;
        }
        if applied >= BATCH {
            return Ok(());
        }
        match more() {
            Some(operation) => batch.push(operation),
            None => return Ok(()),
        }
    }
}
