//! How Sentinel writes for its readers, everywhere in one way: durations, times, plurals, tables, errors with their causes,
//! and foreign text that is made harmless, cut to size, or freed of what looks like a secret. Pure: no clock, no IO, no
//! environment.

pub mod clip;
mod duration;
mod error;
mod line;
mod paint;
mod plural;
mod printable;
mod scrub;
mod table;
pub mod time;

pub use clip::clip;
pub use duration::{exact_span, span, span_secs};
pub use error::{chain, innermost};
pub use line::{one_line, with_words};
pub use paint::{Paint, Tone};
pub use plural::count;
pub use printable::{is_unprintable, printable, push_quoted};
pub use scrub::scrub;
pub use table::Table;
