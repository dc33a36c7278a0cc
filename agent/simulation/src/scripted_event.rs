//! What can happen to the simulated host, in the words of the transcript.

use std::fmt;
use std::time::Duration;

use sentinel_engine::{OperatorRequest, ServiceName};
use sentinel_text::exact_span;

use crate::scenario::Start;

/// Something that the script lets happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptedEvent {
    /// To one service.
    Service(ServiceName, ServiceEvent),
    /// An operator silences the messages of one service, or of all, for this long.
    Silence(Option<ServiceName>, Duration),
    /// The agent cannot see any target for this long.
    LoseConnection(Duration),
    /// The agent is killed and starts again after this long.
    KillAgent(Duration),
    /// The host goes down and is off for this long.
    Reboot(Duration),
    /// The host sleeps for this long.
    Suspend(Duration),
}

/// Something that happens to one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// Its process is killed.
    Kill,
    /// Its process ends by itself with this code.
    Exit(i32),
    /// It does not answer any more.
    Hang,
    /// It answers with this status.
    Fail(u16),
    /// It answers again.
    Answer,
    /// From now on it starts well.
    Fix,
    /// From now on its starts go like this.
    Starts(Start),
    /// An operator stops it with its supervisor's own command.
    Stop,
    /// An operator starts it with its supervisor's own command.
    Start,
    /// An operator asks the agent.
    Operator(OperatorRequest),
    /// An operator acknowledges its incident.
    Acknowledge,
}

impl ScriptedEvent {
    /// The word of the scenario for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Service(_, effect) => match effect {
                ServiceEvent::Kill => "kill",
                ServiceEvent::Exit(_) => "exit",
                ServiceEvent::Hang => "hang",
                ServiceEvent::Fail(_) => "fail",
                ServiceEvent::Answer => "answer",
                ServiceEvent::Fix => "fix",
                ServiceEvent::Starts(_) => "starts",
                ServiceEvent::Stop => "stop",
                ServiceEvent::Start => "start",
                ServiceEvent::Operator(OperatorRequest::Restart) => "restart",
                ServiceEvent::Operator(OperatorRequest::Pause { .. }) => "pause",
                ServiceEvent::Operator(OperatorRequest::Resume) => "resume",
                ServiceEvent::Operator(OperatorRequest::BeginDeploy { .. }) => "begin_deploy",
                ServiceEvent::Operator(OperatorRequest::EndDeploy { .. }) => "end_deploy",
                ServiceEvent::Acknowledge => "acknowledge",
            },
            Self::Silence(..) => "silence",
            Self::LoseConnection(_) => "lose_connection",
            Self::KillAgent(_) => "kill_agent",
            Self::Reboot(_) => "reboot",
            Self::Suspend(_) => "suspend",
        }
    }
}

impl fmt::Display for ScriptedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(_, effect) => write!(f, "{effect}"),
            Self::Silence(None, span) => write!(f, "an operator silences everything for {}", exact_span(*span)),
            Self::Silence(Some(_), span) => write!(f, "an operator silences it for {}", exact_span(*span)),
            Self::LoseConnection(span) => write!(f, "no target can be seen for {}", exact_span(*span)),
            Self::KillAgent(span) => write!(f, "the agent is killed; it starts again in {}", exact_span(*span)),
            Self::Reboot(span) => write!(f, "the host reboots; it is off for {}", exact_span(*span)),
            Self::Suspend(span) => write!(f, "the host sleeps for {}", exact_span(*span)),
        }
    }
}

impl fmt::Display for ServiceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("its process is killed"),
            Self::Exit(code) => write!(f, "its process exits with code {code}"),
            Self::Hang => f.write_str("it runs, but does not answer any more"),
            Self::Fail(status) => write!(f, "it answers with status {status} from now on"),
            Self::Answer => f.write_str("it answers again"),
            Self::Fix => f.write_str("an operator fixes it: the next start is a good one"),
            Self::Starts(start) => write!(f, "from now on, when it is started, {start}"),
            Self::Stop => f.write_str("an operator stops it"),
            Self::Start => f.write_str("an operator starts it"),
            Self::Operator(OperatorRequest::Restart) => f.write_str("an operator asks the agent to restart it"),
            Self::Operator(OperatorRequest::Pause { duration: None }) => f.write_str("an operator pauses it"),
            Self::Operator(OperatorRequest::Pause {
                duration: Some(duration),
            }) => write!(f, "an operator pauses it for {}", exact_span(*duration)),
            Self::Operator(OperatorRequest::Resume) => f.write_str("an operator ends the pause"),
            Self::Operator(OperatorRequest::BeginDeploy { .. }) => f.write_str("a deploy of it begins"),
            Self::Operator(OperatorRequest::EndDeploy { .. }) => f.write_str("its deploy ends"),
            Self::Acknowledge => f.write_str("an operator acknowledges its incident"),
        }
    }
}
