//! Calls that have been made and not been answered yet.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use zbus::{Connection, Message};

use super::message::CallError;
use super::peers::Listed;
use super::requests::View;

/// PID 1 answers in a millisecond, but not while it reloads, which takes seconds on hosts with thousands of units.
/// Without an answer for this long, sight is lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What an answer is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Only an error is worth a word: what was done.
    Done(&'static str),
    /// `Subscribe`; being subscribed already is fine.
    Subscribe,
    /// Who owns a name.
    Owner(&'static str),
    /// Whether the host is going down.
    SystemState,
    /// The states of all units, to compare.
    Poll,
    /// Everything about one unit.
    Read { unit: String },
    /// Which units may have taken `unit` down.
    PeersOf { unit: String, generation: u64 },
    /// The jobs of the units that may have taken `unit` down.
    PeerJobs { unit: String, generation: u64 },
    /// The facts of one of them.
    PeerFacts {
        unit: String,
        generation: u64,
        peer: String,
    },
    /// Asked for by a [`super::Systemd`].
    AskedRead(oneshot::Sender<Result<View, CallError>>),
    /// Asked for by a [`super::Systemd`].
    AskedStates(oneshot::Sender<Result<Vec<Listed>, CallError>>),
    /// Asked for by a [`super::Systemd`].
    AskedReset(oneshot::Sender<Result<(), CallError>>),
    /// Asked for by a [`super::Systemd`].
    AskedJob {
        unit: String,
        reply: oneshot::Sender<Result<String, CallError>>,
    },
}

/// The calls of one connection.
pub(super) struct Calls {
    connection: Connection,
    pending: HashMap<NonZeroU32, Purpose>,
    /// In the order of the calls. Those that were asked for are not in it: whoever asked has a deadline.
    deadlines: VecDeque<(Instant, NonZeroU32)>,
}

impl Calls {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            pending: HashMap::new(),
            deadlines: VecDeque::new(),
        }
    }

    /// Sends a call.
    pub(super) async fn make(&mut self, message: zbus::Result<Message>, purpose: Purpose) -> zbus::Result<()> {
        let message = message?;
        let serial = message.primary_header().serial_num();
        let asked_for = matches!(
            purpose,
            Purpose::AskedRead(_) | Purpose::AskedStates(_) | Purpose::AskedReset(_) | Purpose::AskedJob { .. }
        );
        if !asked_for {
            self.deadlines.push_back((Instant::now() + ANSWER_WITHIN, serial));
        }
        self.pending.insert(serial, purpose);
        self.connection.send(&message).await
    }

    /// What this reply is for, if it is one that is waited for.
    pub(super) fn answered(&mut self, reply: &Message) -> Option<Purpose> {
        let serial = reply.header().reply_serial()?;
        let purpose = self.pending.remove(&serial);
        while let Some((_, oldest)) = self.deadlines.front()
            && !self.pending.contains_key(oldest)
        {
            self.deadlines.pop_front();
        }
        purpose
    }

    /// When the oldest call is overdue.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    /// Whether a job for this unit has been asked for, and is not known by its number yet.
    pub(super) fn job_asked(&self, id: &str) -> bool {
        self.pending
            .values()
            .any(|purpose| matches!(purpose, Purpose::AskedJob { unit, .. } if unit == id))
    }

    /// Forgets calls for which nothing waits any more.
    pub(super) fn forget_abandoned(&mut self) {
        self.pending.retain(|_, purpose| match purpose {
            Purpose::AskedRead(reply) => !reply.is_closed(),
            Purpose::AskedStates(reply) => !reply.is_closed(),
            Purpose::AskedReset(reply) => !reply.is_closed(),
            Purpose::AskedJob { reply, .. } => !reply.is_closed(),
            _ => true,
        });
    }
}
