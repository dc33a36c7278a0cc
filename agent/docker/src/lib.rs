//! Docker containers through the Engine's API: watched, classified, restarted.
//!
//! [`Watcher::run`] follows the events of one Engine. An event only says that a container has to be looked at, and what
//! was done to it; its state is always read. [`Docker`] is the handle by which everybody else asks for a restart, or
//! changes the set of containers.
//!
//! Pure, without an Engine, and tested by tables:
//!
//! * [`mod@answers`]: the Engine's answers, read leniently
//! * [`facts`]: what the Engine says of a container; [`checks`] what its health check does
//! * [`identity`]: which containers a service means, whatever their ids
//! * [`tracker`]: what has to be remembered of a container between events, to distinguish a stop from a crash
//! * [`run_log`]: which part of its log is of which run
//! * [`classify`]: what it all means; [`cause`] is a part of that question
//! * [`labels`]: what the labels of a container say of it as a service
//! * [`service`]: which of several containers speaks for a service
//!
//! With an Engine:
//!
//! * [`watcher`]: connecting, again and again
//! * [`session`]: the life of one connection; [`client`] are the calls, [`events`] what comes unasked, [`wire`] is how it is
//!   done, [`error`] what goes wrong
//! * [`engine`]: which program it is
//! * [`containers`]: what outlives it; [`outbox`] is how it is told
//! * [`requests`], [`restart`]: the handle and the verbs
//! * [`tail`]: what a run last wrote to its log
//! * [`inventory`]: what runs, asked for once, without watching
//! * [`discovery`]: what asks to be watched by its labels; its `candidates` are the pure part of it
//! * [`daemon`]: whether the daemon is to be spoken to, which systemd knows
//! * [`cgroup_fallback`]: what systemd shows when the Engine cannot be asked
//! * [`self_container`]: the container in which the agent runs, which it leaves alone

mod answers;
mod cause;
mod cgroup_fallback;
mod checks;
mod classify;
mod client;
mod containers;
mod daemon;
mod discovery;
mod engine;
mod error;
mod events;
mod facts;
#[cfg(test)]
mod fuzz;
mod identity;
mod inventory;
mod labels;
mod log;
mod outbox;
mod requests;
mod restart;
mod run_log;
mod self_container;
mod service;
mod session;
mod tail;
mod tracker;
mod watcher;
mod wire;

pub use discovery::{Search, discover, discover_once};
pub use error::{AtRest, CallError, Innermost, LogError, NoAnswer, QuestionError, Unreachable};
pub use inventory::{Answers, PublishedPort, RunningContainer, answers, running_containers};
pub use labels::at_host;
pub use labels::{Labelled, read as read_labels};
pub use requests::Docker;
pub use restart::PODMAN;
pub use watcher::{Watched, Watcher};
