//! systemd units over D-Bus: watched, classified, restarted.
//!
//! [`Watcher::run`] owns the one connection to the bus. It hears from PID 1 at once when a unit changes, keeps the facts
//! of every watched unit, and sends an observation whenever what they mean has changed. [`Systemd`] is the handle by
//! which everybody else asks for a restart, or changes the set of units.
//!
//! Pure, without the bus, and tested by tables:
//!
//! * [`facts`]: what PID 1 says of a unit, taken from its properties
//! * [`tracker`]: what has to be remembered of a unit between signals, to distinguish a stop from a crash
//! * [`classify`]: what it all means; [`cause`], [`supervisor`], [`attribution`] and [`started`] are parts of that question
//! * [`relations`]: what a job for one unit does to others; [`triggers`]: what starts it when it is needed
//! * [`journal`]: what PID 1's journal says of a unit that went down while the agent did not watch
//! * [`runs`]: when each run of a unit began and ended; [`tail`]: what it last wrote to the journal itself
//!
//! With the bus:
//!
//! * [`watcher`]: connecting, again and again
//! * [`session`]: the life of one connection; [`message`], [`calls`] and [`peers`] are what it speaks
//! * [`units`]: what outlives it; [`outbox`] is how it is told
//! * [`requests`], [`restart`], [`start_triggers`], [`blast`]: the handle, the verbs, and what else they would hurt
//! * [`section`]: services that are defined in unit files, by `[X-Sentinel]`
//! * [`inventory`]: what runs, asked for once, without watching; [`discovery`]: the same every now and then
//! * [`error`]: what goes wrong, beside calls of the session
//! * [`rules`]: whether polkit's rules changed
//! * [`permission`]: what this user may do, asked without doing it; [`mod@survey`]: for `sentinel doctor`

mod attribution;
mod blast;
mod bus;
mod calls;
mod cause;
mod classify;
mod discovery;
mod error;
mod facts;
mod fallen;
#[cfg(test)]
mod fuzz;
mod inventory;
mod journal;
mod message;
mod names;
mod neighbours;
mod outbox;
mod peers;
mod permission;
mod relations;
mod requests;
mod restart;
mod rules;
mod runs;
mod section;
mod session;
mod start_triggers;
mod started;
mod supervisor;
mod survey;
mod tail;
mod tracker;
mod triggers;
mod units;
mod watcher;

pub use blast::MayAffect;
pub use discovery::{discover_units, discover_units_once};
pub use error::{BusError, LogError, SectionError, SurveyError};
pub use inventory::{RunningUnit, running_units};
pub use permission::{canonical_names, denied, denied_triggers, triggers_of};
pub use requests::Systemd;
pub use section::{SectionWatcher, unit_sections};
pub use survey::{Survey, UnitAccount, Units, look_for_units, survey, unit_account};
pub use watcher::{BusAddress, Watched, Watcher};

/// Whether PID 1 is systemd, as `sd_booted(3)` finds out.
pub fn is_booted() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}
