//! What the agent remembers: SQLite in the state directory.
//!
//! One dedicated thread owns the database; [`Store`] is the handle to it. What the engine decided goes in through
//! [`Store::commit`], one transaction for a whole batch: when that returns, it survives a power cut. Whatever goes wrong
//! is an error for the caller and leaves the store usable: a full disk that has space again needs no restart.
//!
//! * `open`: the directory, its lock, the file; `quarantine`: where a damaged one goes; `migrations`: its schema
//! * `inspect`: a look from beside
//! * `thread`: the thread and its queue; `error`: what can go wrong
//! * `commit`: a batch and the rows it makes; `memory` and `state`: what is kept for the engine; `retention`: what is
//!   forgotten
//! * `alerts`: who was notified, and silences; `incidents` and `evidence`: history for operators; `outbox`: messages on
//!   their way; `capacity`: how many of them; `firing`: what receivers are sent over and over; `announced`: what they
//!   are notified once

mod age;
mod alerts;
mod announced;
mod capacity;
mod commit;
mod error;
mod evidence;
mod firing;
mod incidents;
mod inspect;
mod memory;
mod migrations;
mod open;
mod outbox;
mod quarantine;
mod retention;
mod state;
mod thread;
mod value;

pub use alerts::{AlertChanges, AlertMemory};
pub use announced::{Announcement, Topic};
pub use commit::Batch;
pub use error::{StoreError, StoreErrorKind};
pub use evidence::EvidenceRow;
pub use firing::{Firing, Waiting};
pub use incidents::{AttemptRow, IncidentDetail, IncidentFilter, IncidentRow, MessageRow, TimelineEntry};
pub use inspect::{Inspection, inspect};
pub use memory::{Remembered, spent};
pub use migrations::NEWEST;
pub use open::Opened;
pub use outbox::{
    Changed, Combination, Combine, Delivery, First, FromMemory, Next, Notice, OutboxSettings, Outcome, OutgoingMessage,
    Part, Queue, QueuedMessage, ReceiverQueue, Revision, Undelivered,
};
pub use thread::Store;
