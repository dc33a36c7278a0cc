//! What a judgement may read and write besides the machine itself.

use std::collections::VecDeque;

use super::left_behind::Companion;
use crate::command::Command;
use crate::host::Host;
use crate::ids::ServiceName;
use crate::notification::Notification;
use crate::time::Time;

/// What an evaluation may read and write besides the machine itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) host: &'a mut Host,
    /// The first of `after` to be waited for: one that is down, else one that may be.
    pub(crate) dependency: Option<DependencyDown>,
    /// When those of `after` last went down by themselves.
    pub(crate) fell: Vec<Time>,
    /// Those of `after`, as far as that matters to what was stopped with one of them.
    pub(crate) companions: Vec<Companion>,
    pub(crate) out: &'a mut VecDeque<Decision>,
}

/// What a machine decided.
#[derive(Debug)]
pub(crate) enum Decision {
    /// To be done as it is.
    Do(Command),
    /// To be sent to whom alerting chooses.
    Notify(Box<Notification>),
}

/// A dependency that is down, or may be: of the service itself, or of one that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DependencyDown {
    pub(crate) name: ServiceName,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// Whether an operator stopped it.
    pub(crate) stopped: bool,
    /// Whether it is only suspected: a probe failed, but not often enough to call it down.
    pub(crate) suspect: bool,
    /// Since when.
    pub(crate) since: Time,
    /// When it is no longer waited for, whatever becomes of it.
    pub(crate) until: Option<Time>,
}

impl DependencyDown {
    /// Whether it is waited for at `now`.
    pub(crate) fn holds(&self, now: Time) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

impl<'a> Context<'a> {
    /// A context in which nothing is known of dependencies; only a judgement asks for them.
    pub(crate) fn new(now: Time, host: &'a mut Host, out: &'a mut VecDeque<Decision>) -> Self {
        Self {
            now,
            host,
            dependency: None,
            fell: Vec::new(),
            companions: Vec::new(),
            out,
        }
    }

    /// Has a command carried out.
    pub(crate) fn command(&mut self, command: Command) {
        self.out.push_back(Decision::Do(command));
    }

    /// Has receivers notified.
    pub(crate) fn notify(&mut self, notification: Notification) {
        self.out.push_back(Decision::Notify(Box::new(notification)));
    }

    pub(crate) fn dependency_failed(&self) -> bool {
        self.dependency.as_ref().is_some_and(|dependency| dependency.failed)
    }
}
