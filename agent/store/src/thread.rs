//! The thread that owns the database, and the handle to it.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use sentinel_engine::{ActionId, IncidentId};
use tokio::sync::{mpsc, oneshot, watch};

use super::commit::{self, Batch};
use super::error::StoreError;
use super::open::{Database, Found, Opened};
use super::outbox;
use super::retention::Retention;

/// Requests that may wait. The driver has one commit under way at a time, so this is for readers; the next one waits.
const QUEUE: usize = 64;

/// What the thread is asked to do.
enum Request {
    /// Work on the database; answers by itself.
    Work(Box<dyn FnOnce(&mut Database) + Send>),
    /// Close it, then answer.
    Close(oneshot::Sender<()>),
}

/// A handle to the store. Cheap to clone; the store is closed with [`Store::close`], or after the last handle is gone.
///
/// Dropping a future returned here does not undo its request: it is carried out when its turn comes.
#[derive(Clone)]
pub struct Store {
    requests: mpsc::Sender<Request>,
    /// Counts up when messages were added to the outbox.
    outbox: watch::Sender<u64>,
    installation: [u8; 16],
}

impl Store {
    /// Opens the store in `dir`, made when it is missing, and reads what it remembers.
    ///
    /// A damaged file is moved away and a fresh one made (see [`Opened::quarantined`]). Fails when another agent uses the
    /// directory, when a newer agent wrote the store, or when the file system does not let it be opened.
    pub async fn open(dir: &Path) -> Result<Opened, StoreError> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (answer, opened) = oneshot::channel();
        let dir = dir.to_owned();
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || match Database::open(&dir) {
                Ok((database, found)) => {
                    // Nothing waits for the answer any more: then nobody has a handle, and serving ends at once.
                    let _ = answer.send(Ok((database.state.clone(), found)));
                    serve(database, queue);
                }
                Err(error) => drop(answer.send(Err(error))),
            })
            .map_err(|_| StoreError::Closed)?;
        let (state, found) = opened.await.map_err(|_| StoreError::Closed)??;
        let Found {
            remembered,
            quarantined,
        } = found;
        let store = Self {
            requests,
            outbox: watch::Sender::new(0),
            installation: state.installation,
        };
        Ok(Opened {
            store,
            remembered,
            next_incident: IncidentId(state.next_incident),
            next_action: ActionId(state.next_action),
            anchor: state.anchor,
            quarantined,
        })
    }

    /// Records a batch in one transaction: all of it or nothing. It is durable when this returns `Ok`.
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let has_messages = !batch.messages.is_empty();
        self.call(move |database| commit::commit(database, &batch)).await?;
        if has_messages {
            self.outbox_changed();
        }
        Ok(())
    }

    /// Wakes whoever delivers.
    pub(super) fn outbox_changed(&self) {
        self.outbox.send_modify(|count| *count += 1);
    }

    /// Changes whenever messages were added to the outbox, or a receiver began or ceased to fail.
    pub fn outbox_changes(&self) -> watch::Receiver<u64> {
        self.outbox.subscribe()
    }

    /// The idempotency key of one message to one receiver; the same however often it is computed or sent.
    pub fn event_id(&self, incident: IncidentId, sequence: u32, receiver: &str) -> String {
        outbox::event_id(&self.installation, incident, sequence, receiver)
    }

    /// Ends the store's thread after what is queued; the directory is free for another agent when this returns.
    pub async fn close(self) {
        let (answer, closed) = oneshot::channel();
        if self.requests.send(Request::Close(answer)).await.is_ok() {
            // An error means that the thread is gone already.
            let _ = closed.await;
        }
    }

    /// Has `work` done on the store's thread.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let work = Box::new(move |database: &mut Database| drop(answer.send(work(database))));
        self.requests
            .send(Request::Work(work))
            .await
            .map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Carries out requests in turn, and forgets what is old in between.
fn serve(mut database: Database, mut queue: mpsc::Receiver<Request>) {
    let mut retention = Retention::new(Instant::now());
    while let Some(request) = queue.blocking_recv() {
        match request {
            Request::Work(work) => work(&mut database),
            Request::Close(answer) => {
                drop(database);
                // Whoever asked may have stopped waiting.
                let _ = answer.send(());
                return;
            }
        }
        retention.step_if_due(&mut database, Instant::now());
    }
}
