//! Process targets: real processes, pid files and signals.

mod harness;
mod restart;
mod watch;
