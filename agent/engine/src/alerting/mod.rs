//! Who is notified what: every message the engine sends goes through here, and comes out with its receivers or a reason.
//!
//! | file | what |
//! | --- | --- |
//! | `pipeline.rs` | [`Alerting`]: messages, reports and time go in, commands come out; part of [`crate::Engine`] |
//! | `operator.rs` | silences and acknowledgements |
//! | `notification_log.rs` | one incident as operators know it; what is due to be said of it now |
//! | `rules.rs` | routes, defaults and escalations: pure functions of what is configured |
//! | `silence.rs` | the silences in force |
//! | `subject.rs` | what a message is about, and what fits it |
//! | `dispatch/` | which message goes to a receiver next, and why: what becomes of messages afterwards |
//! | `reason.rs` | why a receiver is notified, or is not |
//!
//! Like the engine it is level-triggered and has no clock: whenever something may have changed, a notification log is asked
//! what is due, and answers when to ask again. What it must not forget comes out as commands, to be recorded in the same
//! transaction as the messages.

pub mod dispatch;
mod notification_log;
mod operator;
mod pipeline;
mod reason;
mod rules;
mod silence;
mod subject;

pub use notification_log::{Acknowledgement, NotificationLog};
pub use operator::AckError;
pub use pipeline::{AlertContext, Alerting, Outgoing};
pub use reason::Reason;
pub use rules::{Choice, Escalation, Route, Rules, Verdict};
pub use silence::{COMMENT_MAX, SILENCE_MAX, SILENCES_MAX, Silence, SilenceError};
pub use subject::{Match, Misfit, Subject};
