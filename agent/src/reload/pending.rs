//! Services of before the start that may still be found.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::ServiceName;
use tokio::time::Instant;

/// Services of before the start with an open incident that are in no file: they may be found again.
pub struct PendingServices {
    names: BTreeSet<ServiceName>,
    /// When they are given up although not everything could be seen.
    until: Instant,
}

impl PendingServices {
    /// Who sees nothing for so long is not waited for: as long as a budget counts by default.
    const LONGEST: Duration = Duration::from_secs(30 * 60);

    /// Waits for these.
    pub fn new(names: BTreeSet<ServiceName>) -> Self {
        Self {
            names,
            until: Instant::now() + Self::LONGEST,
        }
    }

    /// When they are given up; `None` when there is none.
    pub(super) fn until(&self) -> Option<Instant> {
        (!self.names.is_empty()).then_some(self.until)
    }

    /// Those that are not waited for any longer, when `seen` is all there is.
    pub(super) fn given_up(&mut self, seen: bool) -> BTreeSet<ServiceName> {
        if seen || self.until <= Instant::now() {
            std::mem::take(&mut self.names)
        } else {
            BTreeSet::new()
        }
    }
}
