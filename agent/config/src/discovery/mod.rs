//! What is discovered on the host: from the sources that look to the configuration that is laid over what they find.
//!
//! A source publishes a whole snapshot each time; [`DiscoveryFeed`] wakes the reloader when the snapshot is new. The
//! last snapshot of a source that cannot see stays: missing sight is no news of services. Such a source is shown, as
//! [`Unseen`]: a source that sees nothing must not be taken for one that has nothing to see.

mod discovered;
mod feed;
mod snapshot;
mod source;

pub use discovered::{DiscoveredKey, DiscoveredService, Origin, OriginKind, Rejected, service_name};
pub use feed::DiscoveryFeed;
pub use snapshot::{Discovery, PreexistingFailure, SourceSnapshot, Unseen};
pub use source::Source;
