//! The command line.

mod check;

pub use check::check;
