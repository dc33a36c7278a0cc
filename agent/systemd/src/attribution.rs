//! Who took a unit down for which systemd itself made the stop job.

use std::time::Duration;

use sentinel_engine::Intent;

use super::facts::{ActiveState, Facts};

/// How far apart two ends, or an end and a start, may be to belong together. Jobs of one transaction follow each other
/// within milliseconds, unless one of them takes long to stop; then its own end is in between.
const TOGETHER: Duration = Duration::from_secs(2);

/// The target that every unit conflicts with, so that it stops everything.
pub(super) const SHUTDOWN_TARGET: &str = "shutdown.target";

/// A unit that may have taken another one down, as it is just after.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) state: ActiveState,
    /// `start`, `stop`, ...; empty without a job.
    pub(super) job_type: String,
    pub(super) active_enter: u64,
    pub(super) active_exit: u64,
    pub(super) inactive_exit: u64,
}

/// On whose account the unit was stopped, by a job that was not the agent's.
pub(super) fn attribute(facts: &Facts, peers: &[Peer], host_stopping: bool) -> Intent {
    let named = |names: &[String], peer: &Peer| names.contains(&peer.name);
    if host_stopping || peers.iter().any(|peer| peer.name == SHUTDOWN_TARGET && comes_up(peer)) {
        return Intent::Shutdown;
    }
    let span = Span::of(facts);
    if !went_down_along(facts, peers).is_empty() {
        return Intent::DependencyStop;
    }
    if peers
        .iter()
        .any(|peer| named(&facts.conflicts, peer) && came_up_with(peer, &span))
    {
        return Intent::ConflictStop;
    }
    Intent::OperatorStop
}

/// Those that it is bound to, and that went down when it did.
pub(super) fn went_down_along<'p>(facts: &Facts, peers: &'p [Peer]) -> Vec<&'p Peer> {
    let span = Span::of(facts);
    let along = |peer: &&Peer| facts.bound_to.contains(&peer.name) && went_down_with(peer, &span);
    peers.iter().filter(along).collect()
}

/// From when the unit began to go down until it was down, widened by [`TOGETHER`], in microseconds.
struct Span {
    began: u64,
    from: u64,
    to: u64,
}

impl Span {
    fn of(facts: &Facts) -> Self {
        let together = u64::try_from(TOGETHER.as_micros()).unwrap_or(u64::MAX);
        let ended = facts.inactive_enter.max(facts.state_change);
        // Not every unit that ends was active: one that waited to be restarted was not.
        let began = if facts.active_exit > facts.active_enter && facts.active_exit <= ended {
            facts.active_exit
        } else {
            ended
        };
        Self {
            began,
            from: began.saturating_sub(together),
            to: ended.saturating_add(together),
        }
    }

    fn contains(&self, time: u64) -> bool {
        time != 0 && (self.from..=self.to).contains(&time)
    }
}

/// It left `active` in that span, or is on its way out. One that was back before the unit went down did not take it along.
fn went_down_with(peer: &Peer, span: &Span) -> bool {
    let back_before = peer.active_enter > peer.active_exit && peer.active_enter < span.began;
    let leaving = matches!(peer.state, ActiveState::Deactivating) || peer.job_type == "stop";
    leaving || (span.contains(peer.active_exit) && !back_before)
}

/// It was started in that span, or is about to be.
fn came_up_with(peer: &Peer, span: &Span) -> bool {
    (peer.state.is_up() && span.contains(peer.inactive_exit)) || matches!(peer.job_type.as_str(), "start" | "restart")
}

fn comes_up(peer: &Peer) -> bool {
    peer.state.is_up() || peer.job_type == "start"
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn stopped_at(second: u64) -> Facts {
        Facts {
            active_enter: SECOND,
            active_exit: second * SECOND,
            inactive_enter: second * SECOND + 1000,
            state_change: second * SECOND + 1000,
            bound_to: vec!["db.service".into(), "system.slice".into()],
            conflicts: vec!["rival.service".into(), SHUTDOWN_TARGET.into()],
            ..Facts::default()
        }
    }

    fn peer(name: &str, state: ActiveState) -> Peer {
        Peer {
            name: name.into(),
            state,
            ..Peer::default()
        }
    }

    #[test]
    fn a_stop_is_somebodys() {
        let slice = Peer {
            active_enter: SECOND / 2,
            inactive_exit: SECOND / 2,
            ..peer("system.slice", ActiveState::Active)
        };
        let db = |state, active_exit| Peer {
            active_enter: SECOND,
            active_exit,
            ..peer("db.service", state)
        };
        let rival = |inactive_exit| Peer {
            inactive_exit,
            active_enter: inactive_exit,
            ..peer("rival.service", ActiveState::Active)
        };
        for (what, peers, intent) in [
            ("nothing else happened", vec![], Intent::OperatorStop),
            (
                "the dependency is up all the time",
                vec![db(ActiveState::Active, 0)],
                Intent::OperatorStop,
            ),
            (
                "the dependency died just before",
                vec![db(ActiveState::Failed, 100 * SECOND - 5)],
                Intent::DependencyStop,
            ),
            (
                "the dependency died just before and waits for its restart",
                vec![db(ActiveState::Activating, 100 * SECOND - 5)],
                Intent::DependencyStop,
            ),
            (
                "the dependency is stopped after it, in the same transaction",
                vec![Peer {
                    job_type: "stop".into(),
                    ..db(ActiveState::Active, 0)
                }],
                Intent::DependencyStop,
            ),
            (
                "the dependency died long before",
                vec![db(ActiveState::Failed, 90 * SECOND)],
                Intent::OperatorStop,
            ),
            (
                "the dependency was restarted and back before",
                vec![Peer {
                    active_enter: 99 * SECOND,
                    ..db(ActiveState::Active, 99 * SECOND - 5)
                }],
                Intent::OperatorStop,
            ),
            (
                "the rival was started just then",
                vec![rival(100 * SECOND + 2000)],
                Intent::ConflictStop,
            ),
            (
                "the rival is about to start",
                vec![Peer {
                    job_type: "start".into(),
                    ..peer("rival.service", ActiveState::Inactive)
                }],
                Intent::ConflictStop,
            ),
            (
                "the rival runs since long",
                vec![rival(50 * SECOND)],
                Intent::OperatorStop,
            ),
            (
                "the host goes down",
                vec![Peer {
                    job_type: "start".into(),
                    ..peer(SHUTDOWN_TARGET, ActiveState::Inactive)
                }],
                Intent::Shutdown,
            ),
        ] {
            let peers: Vec<Peer> = peers.into_iter().chain([slice.clone()]).collect();
            assert_eq!(attribute(&stopped_at(100), &peers, false), intent, "{what}");
        }
    }

    #[test]
    fn a_host_that_goes_down_stops_everything() {
        assert_eq!(attribute(&stopped_at(100), &[], true), Intent::Shutdown);
    }

    #[test]
    fn a_slow_stop_still_belongs_to_what_began_it() {
        let mut facts = stopped_at(100);
        facts.inactive_enter = 190 * SECOND;
        facts.state_change = 190 * SECOND;
        let db = Peer {
            active_enter: SECOND,
            active_exit: 100 * SECOND - 5,
            ..peer("db.service", ActiveState::Failed)
        };
        assert_eq!(attribute(&facts, &[db], false), Intent::DependencyStop);
    }
}
