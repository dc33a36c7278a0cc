//! What can go wrong with the Engine: a call, a question, the stream of events, a log.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::facts::clip;

/// Why a call did not lead to an answer, or to which.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is nobody to speak to, so nothing was asked.
    #[error("cannot reach the Docker daemon")]
    NotConnected(#[source] Unreachable),
    /// The Engine was asked, and the answer never came, or made no sense.
    #[error("the Docker daemon did not answer")]
    Lost(#[source] NoAnswer),
    /// The Engine, or a proxy before it, answered with this status.
    #[error("the Docker daemon answered {status}: {message}")]
    Status {
        /// The status of HTTP.
        status: u16,
        /// The words that came with it, clipped.
        message: String,
    },
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// systemd says that the daemon does not run; to connect would start it.
    #[error("{0}")]
    AtRest(AtRest),
    /// Nothing has made a socket at this path.
    #[error("there is no socket {}", .0.display())]
    NoSocket(PathBuf),
    /// The socket refused.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The client library could not connect.
    #[error(transparent)]
    Client(#[from] Innermost<bollard::errors::Error>),
    /// The address makes no request of HTTP.
    #[error(transparent)]
    Request(#[from] hyper::http::Error),
}

/// What systemd says of a daemon that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    /// An operator stopped it, or is about to.
    Stopped,
    /// It was given up.
    Failed,
    /// systemd restarts it in a moment.
    AboutToRestart,
}

impl fmt::Display for AtRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "docker.service is stopped",
            Self::Failed => "docker.service has failed",
            Self::AboutToRestart => "docker.service is about to be restarted",
        })
    }
}

/// Why what was asked has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It did not come in time.
    #[error("not within {}s", .0.as_secs())]
    Late(Duration),
    /// More came than is read: an answer, an event or a log.
    #[error("its {0} does not end")]
    Endless(&'static str),
    /// It is no JSON, or not what was asked for.
    #[error("its answer makes no sense")]
    Malformed(#[source] serde_json::Error),
    /// The connection broke.
    #[error(transparent)]
    Connection(#[from] Innermost<hyper::Error>),
    /// The client library could not make sense of it.
    #[error(transparent)]
    Client(#[from] Innermost<bollard::errors::Error>),
}

/// An error of a library whose layers say nothing to operators: it reads as what is at its bottom.
#[derive(Debug)]
pub struct Innermost<E>(pub E);

impl<E: Error> fmt::Display for Innermost<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clip(&sentinel_text::innermost(&self.0)))
    }
}

impl<E: Error> Error for Innermost<E> {}

impl From<hyper::Error> for CallError {
    fn from(error: hyper::Error) -> Self {
        Self::Lost(NoAnswer::Connection(Innermost(error)))
    }
}

impl From<NoAnswer> for CallError {
    fn from(reason: NoAnswer) -> Self {
        Self::Lost(reason)
    }
}

impl From<Unreachable> for CallError {
    fn from(reason: Unreachable) -> Self {
        Self::NotConnected(reason)
    }
}

impl From<bollard::errors::Error> for CallError {
    fn from(error: bollard::errors::Error) -> Self {
        use bollard::errors::Error as Client;
        match error {
            Client::DockerResponseServerError { status_code, message } => Self::Status {
                status: status_code,
                message: clip(&message),
            },
            Client::SocketNotFoundError(path) => Self::NotConnected(Unreachable::NoSocket(path.into())),
            Client::HyperLegacyError { ref err } if err.is_connect() => {
                Self::NotConnected(Unreachable::Client(Innermost(error)))
            }
            other => Self::Lost(NoAnswer::Client(Innermost(other))),
        }
    }
}

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The Engine closed the stream of events.
    #[error("the Docker daemon ended the stream of events")]
    EventsEnded,
    /// Whoever took the events has gone.
    #[error("nothing listens")]
    NotHeard,
    /// The configuration was changed.
    #[error("the configuration names another Docker daemon")]
    OtherDaemon,
}

/// Which of the questions that the agent depends on is not answered.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// None of them.
    #[error(transparent)]
    Connect(#[from] CallError),
    /// This one, which a proxy may refuse.
    #[error("`GET {path}`")]
    Refused {
        /// What is asked for.
        path: &'static str,
        /// What came instead.
        source: CallError,
    },
}

/// Why the log of a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The Engine does not give it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It was removed together with its container.
    #[error("the container is gone, and its log with it")]
    Gone,
    /// There is no connection.
    #[error("the Docker daemon cannot be reached")]
    NotConnected,
    /// The connection was lost before the answer came.
    #[error("the connection to the Docker daemon was lost meanwhile")]
    Lost,
    /// The watcher has ended.
    #[error("Docker is not watched any more")]
    NotWatched,
}

#[cfg(test)]
mod tests {
    use sentinel_text::chain;

    use super::*;

    #[test]
    fn an_error_says_what_failed_and_its_innermost_cause() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let malformed = serde_json::from_str::<u8>("x")
            .map_err(NoAnswer::Malformed)
            .unwrap_err();
        let wrapped = bollard::errors::Error::IOError {
            err: io::Error::other("broken pipe"),
        };
        for (error, expected) in [
            (
                CallError::NotConnected(refused.into()),
                "cannot reach the Docker daemon: connection refused",
            ),
            (
                Unreachable::AtRest(AtRest::Stopped).into(),
                "cannot reach the Docker daemon: docker.service is stopped",
            ),
            (
                bollard::errors::Error::SocketNotFoundError("/run/x".into()).into(),
                "cannot reach the Docker daemon: there is no socket /run/x",
            ),
            (
                NoAnswer::Late(Duration::from_secs(5)).into(),
                "the Docker daemon did not answer: not within 5s",
            ),
            (
                malformed.into(),
                "the Docker daemon did not answer: its answer makes no sense: expected value at line 1 column 1",
            ),
            (wrapped.into(), "the Docker daemon did not answer: broken pipe"),
        ] {
            assert_eq!(chain(&error), expected);
            let asked = QuestionError::Refused {
                path: "/events",
                source: error,
            };
            assert_eq!(chain(&asked), format!("`GET /events`: {expected}"));
        }
    }
}
