//! What can go wrong between the agent and systemd, beside a call over the watcher's connection
//! ([`CallError`]).

use std::io;
use std::time::Duration;

use tokio::task::JoinError;
use zbus::fdo;

use super::message::CallError;

/// Why a question that was asked once, without watching, has no answer.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no bus, or it lets nobody in.
    #[error("cannot connect to the system bus")]
    Connect(#[source] zbus::Error),
    /// The bus takes the connection and never says hello.
    #[error("the system bus accepts connections but does not answer")]
    Silent,
    /// The answer did not come in time.
    #[error("systemd did not answer within {}s", .0.as_secs())]
    Late(Duration),
    /// systemd answered with an error.
    #[error("systemd refused")]
    Refused(#[source] zbus::Error),
    /// The question did not reach systemd, or its answer did not come back.
    #[error("systemd cannot be asked")]
    Unasked(#[source] zbus::Error),
    /// The answer is not of the documented type.
    #[error("systemd answered with something unexpected")]
    Unexpected(#[source] Option<zbus::Error>),
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(..) => Self::Refused(error),
            zbus::Error::FDO(ref answer) if is_from_systemd(answer) => Self::Refused(error),
            _ => Self::Unasked(error),
        }
    }
}

/// Whether an error is systemd's, and not what the bus says when systemd is not there or does not answer.
fn is_from_systemd(error: &fdo::Error) -> bool {
    !matches!(
        error,
        fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::NoReply(_)
            | fdo::Error::NoServer(_)
            | fdo::Error::Timeout(_)
            | fdo::Error::TimedOut(_)
            | fdo::Error::Disconnected(_)
    )
}

/// Why a property, or another answer of systemd or of one of its helpers, is not known.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// There is no connection to ask over.
    #[error(transparent)]
    Connect(#[from] BusError),
    /// The answer did not come in time.
    #[error("no answer within {}s", .0.as_secs())]
    Late(Duration),
    /// The question was refused, or did not arrive.
    #[error(transparent)]
    Call(#[from] zbus::Error),
    /// The answer is not of the documented type.
    #[error("`{name}` answered with something unexpected")]
    Unexpected {
        /// Who answered, by its name on the bus.
        name: String,
        /// What is wrong with the answer.
        source: zbus::Error,
    },
}

/// Why a connection to the bus is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The bus is gone, or does not want this connection any more.
    #[error("the system bus closed the connection")]
    Closed(#[source] Option<zbus::Error>),
    /// Nothing can be sent.
    #[error("cannot send to the system bus")]
    Send(#[source] zbus::Error),
    /// A call is overdue.
    #[error("systemd does not answer")]
    Unanswered,
    /// PID 1 was there, and is not any more.
    #[error("systemd left the system bus")]
    Left,
    /// PID 1 was never there.
    #[error("systemd is not on the system bus")]
    Absent,
    /// PID 1 does not tell this user of changes.
    #[error("systemd does not let the agent watch")]
    NotSubscribed(#[source] CallError),
}

/// Why the sections of unit files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SectionError {
    /// systemd does not say which files there are.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The bus is gone, or does not want this connection any more.
    #[error("the system bus closed the connection")]
    Closed(#[source] Option<zbus::Error>),
    /// Nothing can be sent.
    #[error("cannot send to the system bus")]
    Send(#[source] zbus::Error),
    /// The thread that read files ended early.
    #[error("reading the files broke off")]
    Thread(#[from] JoinError),
}

/// Why the journal does not give what a run wrote.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no such program, or it may not be run.
    #[error("journalctl cannot be run")]
    Run(#[source] io::Error),
    /// It was lost while it ran.
    #[error("journalctl cannot be waited for")]
    Wait(#[source] io::Error),
    /// It took too long.
    #[error("journalctl took longer than {}s", .0.as_secs())]
    Late(Duration),
    /// It failed, with these words.
    #[error("journalctl: {0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_text::chain;

    #[test]
    fn an_answer_that_is_an_error_is_distinguished_from_none_by_the_kind_of_error() {
        let io = io::Error::new(io::ErrorKind::BrokenPipe, "broken pipe");
        for (error, expected) in [
            (
                BusError::from(zbus::Error::from(fdo::Error::AccessDenied("no".into()))),
                "systemd refused: org.freedesktop.DBus.Error.AccessDenied: no",
            ),
            (
                BusError::from(zbus::Error::from(fdo::Error::ServiceUnknown("gone".into()))),
                "systemd cannot be asked: org.freedesktop.DBus.Error.ServiceUnknown: gone",
            ),
            (
                BusError::from(zbus::Error::from(io)),
                "systemd cannot be asked: I/O error: broken pipe",
            ),
            (BusError::Unexpected(None), "systemd answered with something unexpected"),
            (
                BusError::Connect(zbus::Error::Address("unix".into())),
                "cannot connect to the system bus: address error: unix",
            ),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}
