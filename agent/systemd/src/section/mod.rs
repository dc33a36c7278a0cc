//! `[X-Sentinel]`: services that are defined where their unit is, in its file or a drop-in.
//!
//! systemd ignores sections that begin with `X-`, so a package can ship its health check beside its unit, and an operator
//! can add one with `systemctl edit`. The keys are those of `[services.NAME]`.
//!
//! * [`syntax`]: the section of one file; [`specifiers`]: what `%i` stands for in it; pure
//! * [`keys`]: the sections of one unit as keys of a service, or what is wrong with them; pure
//! * [`files`]: reading the files, if they are root's, and finding those that have a section
//! * [`look`]: asking PID 1 which files make up those units
//! * [`watch`]: looking again whenever that may have changed

mod files;
#[cfg(test)]
mod fuzz;
mod keys;
mod look;
mod specifiers;
mod syntax;
mod watch;

pub use look::unit_sections;
pub use watch::SectionWatcher;

/// The section's name.
const SECTION: &str = "X-Sentinel";
