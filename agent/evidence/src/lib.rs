//! Evidence about a failure, beside its cause, made fit to be kept and told.
//!
//! * [`log`]: what a service last wrote to its log; pure
//! * [`accept`]: whether it still accepted connections; pure
//! * [`packages`]: which packages changed on the host shortly before
//! * [`upgrade`]: whether packages are changing now; no evidence, but a reason to wait
//! * [`host`]: what was wrong with the host itself at that time

mod accept;
mod host;
mod log;
mod packages;
mod upgrade;

pub use accept::unaccepted;
pub use host::{Condition, look, notable};
pub use log::log_text;
pub use packages::recent as recent_changes;
pub use upgrade::is_under_way as upgrade_is_under_way;
