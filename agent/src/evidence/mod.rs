//! Evidence about a failure, beside its cause, made fit to be kept and told.
//!
//! * [`log`]: what a service last wrote to its log; pure
//! * [`accept`]: whether it still accepted connections; pure
//! * [`packages`]: which packages changed on the host shortly before
//! * [`host`]: what was wrong with the host itself at that time

mod accept;
mod host;
mod log;
mod packages;

pub(crate) use accept::unaccepted;
pub(crate) use host::{look, notable};
pub(crate) use log::log_text;
pub(crate) use packages::recent as recent_changes;
