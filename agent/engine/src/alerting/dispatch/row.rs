//! A message that waits, as the decision sees it.

use crate::ids::IncidentId;
use crate::policy::Severity;
use crate::time::Time;

/// What kind of message it is, as far as its dispatch differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Begins a conversation.
    Fired,
    /// Sends a critical alert. Never waits for company.
    GaveUp,
    /// The only message of its incident, which is over.
    Healed,
    /// Ends a conversation.
    Resolved,
    /// News in between, which newer news replaces.
    Update,
    /// The beginnings of several incidents in one.
    Group,
    /// What was never delivered, and what was over before it could be.
    Digest,
    /// About another receiver, or about what the agent watches.
    Notice,
    /// Anything else within a conversation: sent as it is.
    Other,
}

impl MessageKind {
    /// The kind that the word of a stored message means.
    pub fn from_word(word: &str) -> Self {
        match word {
            // It is told only to those who have heard nothing yet.
            "fired" | "escalated" => Self::Fired,
            "gave_up" => Self::GaveUp,
            "healed" => Self::Healed,
            "resolved" => Self::Resolved,
            "update" | "repeat" => Self::Update,
            "group" => Self::Group,
            "digest" => Self::Digest,
            "stuck" | "refused" | "works" | "notice" => Self::Notice,
            _ => Self::Other,
        }
    }
}

/// Where a message is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits.
    Pending,
    /// It was being sent by somebody who is gone: it is unknown whether it arrived.
    Interrupted,
    /// It is part of another message that waits.
    Merged,
}

/// What became of the earlier messages of the same conversation that are no longer on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// There are none.
    Nothing,
    /// The receiver took one, or may have.
    Delivered,
    /// There were some, and the receiver certainly heard none of them.
    Lost,
}

/// One message that waits for one receiver.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, as the outbox has it"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number in the outbox.
    pub id: i64,
    /// Its place in the queue. That of a combined message is the place of its oldest part.
    pub place: i64,
    /// The incident it is about; 0 when it is about none, or several.
    pub incident: IncidentId,
    /// Its ordinal within the incident.
    pub sequence: u32,
    /// What kind of message.
    pub kind: MessageKind,
    /// How urgent.
    pub severity: Severity,
    /// When it was decided.
    pub created: Time,
    /// It is not sent before.
    pub not_before: Time,
    /// Attempts so far.
    pub attempts: u32,
    /// Whether an attempt may have reached the receiver.
    pub ambiguous: bool,
    /// Whether it was recorded with leave to wait for company.
    pub patient: bool,
    /// Where it is.
    pub standing: Standing,
    /// What became of the messages before it.
    pub earlier: Earlier,
    /// Whether a later message of its conversation was delivered.
    pub overtaken: bool,
    /// Whether its conversation began in a message about several incidents.
    pub together: bool,
}

impl Row {
    /// Whether no attempt can have reached the receiver, so that it may still be put in other words.
    pub(super) fn is_undelivered(&self) -> bool {
        self.standing == Standing::Pending && !self.ambiguous
    }
}
