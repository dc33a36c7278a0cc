//! How much the prober may do at once.

use rustix::process::{Resource, getrlimit};

/// Descriptors kept free for the store, the bus, receivers, control connections and pid files.
const RESERVED_DESCRIPTORS: u64 = 64;

/// What one probe may hold: two sockets while IPv6 and IPv4 race, or the pipe and pidfd of a command.
const DESCRIPTORS_PER_PROBE: u64 = 2;

/// Never fewer probes than this, however few descriptors there are: a probe that finds none is skipped, not failed.
const MIN_IN_FLIGHT: u64 = 4;

/// Never more than this: each probe over HTTP takes some 24 kB while it waits, which for thousands that hang, or are all asked
/// for the first time, would be a third of what the agent's unit may have.
const MAX_IN_FLIGHT: u64 = 768;

/// Name lookups block a thread each, and nothing can call them off. So many of each of three kinds: of names that were
/// quick, that were slow, and that were never asked.
const LOOKUPS: usize = 16;

/// How much the prober may do at once. What comes on top waits for its turn, first come first served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Probes running at the same time.
    pub in_flight: usize,
    /// Name lookups running at the same time, of each kind of names.
    pub lookups: usize,
}

impl Limits {
    /// What the open-files limit of this process allows, with enough kept free for the rest of the agent.
    pub fn of_process() -> Self {
        Self::within(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    fn within(descriptors: u64) -> Self {
        let in_flight = (descriptors.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_PROBE)
            .clamp(MIN_IN_FLIGHT, MAX_IN_FLIGHT);
        Self {
            in_flight: usize::try_from(in_flight).unwrap_or(usize::MAX),
            lookups: LOOKUPS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_flight_follows_the_open_files_limit_within_bounds() {
        for (descriptors, expected) in [(0, 4), (32, 4), (256, 96), (1024, 480), (524_288, 768), (u64::MAX, 768)] {
            assert_eq!(Limits::within(descriptors).in_flight, expected, "{descriptors}");
        }
    }
}
