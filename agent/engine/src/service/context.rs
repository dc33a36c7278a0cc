//! What a judgement may read and write besides the machine itself.

use std::collections::VecDeque;

use crate::command::Command;
use crate::host::Host;
use crate::ids::ServiceName;
use crate::time::Time;

/// What an evaluation may read and write besides the machine itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) host: &'a mut Host,
    /// The first of `after` that is down.
    pub(crate) dependency: Option<DependencyDown>,
    /// When those of `after` last went down by themselves.
    pub(crate) fell: Vec<Time>,
    pub(crate) out: &'a mut VecDeque<Command>,
}

/// A dependency that is down.
#[derive(Clone, Debug)]
pub(crate) struct DependencyDown {
    pub(crate) name: ServiceName,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// Whether somebody stopped it.
    pub(crate) stopped: bool,
}

impl<'a> Context<'a> {
    /// A context in which nothing is known of dependencies; only a judgement asks for them.
    pub(crate) fn new(now: Time, host: &'a mut Host, out: &'a mut VecDeque<Command>) -> Self {
        Self {
            now,
            host,
            dependency: None,
            fell: Vec::new(),
            out,
        }
    }

    pub(crate) fn dependency_failed(&self) -> bool {
        self.dependency.as_ref().is_some_and(|dependency| dependency.failed)
    }
}
