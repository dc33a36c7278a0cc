//! Tells the engine while packages change: what an upgrade stops it may be about to start again.

use std::time::Duration;

use sentinel_engine::{Event, Intent, TargetState};
use tokio::time::Instant;

use super::{Driver, Probes, Target};

/// How often to look again while they do.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The answer of the last look holds for so long, when much is stopped or started at once.
const HOLDS_FOR: Duration = Duration::from_millis(500);

/// What was seen of upgrades.
#[derive(Default)]
pub struct Upgrades {
    /// Whether one is under way.
    pub(super) under_way: bool,
    looked: Option<Instant>,
}

impl Upgrades {
    /// Whether it is time to look whether one has ended.
    pub(super) fn is_due(&self) -> bool {
        self.under_way && self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY)
    }
}

impl<T: Target, P: Probes> Driver<T, P> {
    /// Looks when it matters: something was stopped along with something else, or may have been started after that.
    pub(super) fn look_for_upgrade(&mut self, event: &Event) {
        let Event::TargetObserved { observation, .. } = event else {
            return;
        };
        let matters = matches!(
            observation.state,
            TargetState::Running
                | TargetState::Down {
                    intent: Intent::DependencyStop,
                    ..
                }
        );
        let recent = |at: Instant| at.elapsed() < HOLDS_FOR;
        if matters && !self.upgrades.looked.is_some_and(recent) {
            self.look_again_for_upgrade();
        }
    }

    /// Looks, and says what has changed.
    pub(super) fn look_again_for_upgrade(&mut self) {
        self.upgrades.looked = Some(Instant::now());
        let under_way = sentinel_evidence::upgrade_is_under_way();
        if std::mem::replace(&mut self.upgrades.under_way, under_way) != under_way {
            self.engine
                .handle_event(self.clock.now(), Event::PackagesChange { under_way });
        }
    }
}
