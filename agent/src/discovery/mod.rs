//! What is discovered on the host, from those who look to the configuration that is laid over it.
//!
//! A source says all that it sees, each time; [`DiscoveryFeed`] tells the reloader when that is something else than before.
//! Of a source that cannot see, what it said last stays: missing sight is no news of services. It is shown all the same, as
//! [`Unseen`]: who sees nothing must not be taken for somebody with nothing to see.

mod feed;
mod snapshot;
mod source;

pub use feed::DiscoveryFeed;
pub use snapshot::{Discovery, PreexistingFailure, SourceSnapshot, Unseen};
pub use source::Source;
