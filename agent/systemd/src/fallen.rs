//! With what a unit went down that systemd itself stopped, or did not start.
//!
//! systemd stops what is bound to a unit that went down (`BindsTo=`), by a job of its own making, and does not start what
//! needs a unit that could not be started (`Requires=`, job result `dependency`). It undoes neither when that one is back.
//! A stop that an operator asked for takes units along in the same way, but for one thing: then the other one has a
//! job, made before that of the unit. PID 1 numbers them in that order.

use super::attribution::{Peer, went_down_along};
use super::facts::{ActiveState, Facts, JobId};
use super::started::Jobs;

/// A unit that went down, and took another one along, or kept it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fallen {
    pub(super) name: String,
    /// No operator stopped it, as far as was witnessed.
    pub(super) failed: bool,
}

/// With what the unit was stopped by `job`, of which nothing is known when it is `None`.
pub(super) fn taken_along(facts: &Facts, peers: &[Peer], job: Option<JobId>, jobs: &Jobs) -> Option<Fallen> {
    let along = went_down_along(facts, peers);
    // What is back already took it along as well, but is nothing to wait for while another one is not.
    let other = along.iter().find(|peer| !is_up(peer)).or(along.first())?;
    let names: Vec<String> = along.iter().map(|peer| peer.name.clone()).collect();
    let ordered = job.and_then(|job| jobs.follows(job, &facts.id, &[&names]));
    Some(Fallen {
        name: other.name.clone(),
        failed: ordered == Some(false),
    })
}

/// For want of what the unit was not started, by `job`.
pub(super) fn not_started(facts: &Facts, peers: &[Peer], job: Option<JobId>, jobs: &Jobs) -> Option<Fallen> {
    let failed = |peer: &&Peer| {
        let failed_then = job.is_some_and(|job| jobs.failed_with(&peer.name, job));
        // One that is about to be started again had not come up then either.
        failed_then || matches!(peer.state, ActiveState::Failed | ActiveState::Activating)
    };
    let needs = || peers.iter().filter(|peer| facts.needs.contains(&peer.name));
    let failing = || needs().filter(failed);
    if let Some(peer) = failing().find(|peer| !is_up(peer)).or(failing().next()) {
        let name = peer.name.clone();
        return Some(Fallen { name, failed: true });
    }
    let away = needs().find(|peer| !is_up(peer))?;
    let name = away.name.clone();
    Some(Fallen { name, failed: false })
}

fn is_up(peer: &Peer) -> bool {
    runs(peer.state)
}

/// Whether what needs a unit in this state can be started.
pub(super) fn runs(state: ActiveState) -> bool {
    matches!(state, ActiveState::Active | ActiveState::Reloading)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// A unit that was stopped at 100 s.
    fn app() -> Facts {
        let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
        Facts {
            id: "app.service".into(),
            active_enter: SECOND,
            active_exit: 100 * SECOND,
            inactive_enter: 100 * SECOND + 1000,
            state_change: 100 * SECOND + 1000,
            bound_to: names(["cache.service", "db.service", "umbrella.service"]),
            needs: vec!["cache.service".into(), "db.service".into()],
            ..Facts::default()
        }
    }

    fn peer(name: &str, state: ActiveState, active_exit: u64) -> Peer {
        Peer {
            name: format!("{name}.service"),
            state,
            active_enter: SECOND / 2,
            active_exit,
            ..Peer::default()
        }
    }

    fn jobs(made: &[(JobId, &str)]) -> Jobs {
        let mut jobs = Jobs::new();
        for (id, name) in made {
            jobs.made(*id, &format!("{name}.service"), 100 * SECOND);
        }
        jobs
    }

    fn reported(fallen: Option<Fallen>) -> Option<(String, bool)> {
        fallen.map(|Fallen { name, failed }| (name, failed))
    }

    fn named(expected: Option<(&str, bool)>) -> Option<(String, bool)> {
        expected.map(|(name, failed)| (format!("{name}.service"), failed))
    }

    #[test]
    fn what_takes_a_unit_along_went_down_by_itself_or_was_stopped() {
        use ActiveState::{Active, Deactivating, Failed, Inactive};
        let then = 100 * SECOND - 5;
        for (what, peers, made, expected) in [
            (
                "nothing went down",
                vec![peer("db", Active, 0)],
                &[(7, "app")][..],
                None,
            ),
            (
                "it died",
                vec![peer("db", Failed, then)],
                &[(7, "app")],
                Some(("db", true)),
            ),
            (
                "it ended by itself, without an error",
                vec![peer("db", Inactive, then)],
                &[(7, "app")],
                Some(("db", true)),
            ),
            (
                "it was stopped",
                vec![peer("db", Inactive, then)],
                &[(6, "db"), (7, "app")],
                Some(("db", false)),
            ),
            (
                "it was stopped, and that ended as a failure",
                vec![peer("db", Failed, then)],
                &[(6, "db"), (7, "app")],
                Some(("db", false)),
            ),
            (
                "it was stopped, and takes its time",
                vec![peer("db", Deactivating, then)],
                &[(6, "db"), (7, "app")],
                Some(("db", false)),
            ),
            (
                "it died, and was asked to start again later",
                vec![peer("db", Failed, then)],
                &[(7, "app"), (8, "db")],
                Some(("db", true)),
            ),
            (
                "something else was stopped just then, that did not take it along",
                vec![peer("cache", Active, 0), peer("db", Failed, then)],
                &[(5, "cache"), (7, "app")],
                Some(("db", true)),
            ),
            (
                "two went down, one of them was stopped",
                vec![peer("cache", Inactive, then), peer("db", Failed, then)],
                &[(5, "cache"), (7, "app")],
                Some(("cache", false)),
            ),
            (
                "two died, one of them is back",
                vec![peer("cache", Active, then), peer("db", Failed, then)],
                &[(7, "app")],
                Some(("db", true)),
            ),
            (
                "nobody saw the job",
                vec![peer("db", Failed, then)],
                &[(6, "mail")],
                Some(("db", false)),
            ),
        ] {
            let fallen = taken_along(&app(), &peers, Some(7), &jobs(made));
            assert_eq!(reported(fallen), named(expected), "{what}");
        }
        let unseen = taken_along(&app(), &[peer("db", Failed, then)], None, &jobs(&[]));
        assert_eq!(
            reported(unseen),
            named(Some(("db", false))),
            "it went down before anybody watched"
        );
    }

    #[test]
    fn what_keeps_a_unit_from_being_started_has_failed_or_is_only_not_there() {
        use ActiveState::{Activating, Active, Failed, Inactive};
        let ended = |result: &str, at: u64| {
            let mut jobs = jobs(&[(6, "db"), (7, "app")]);
            jobs.ended(6, result, at);
            jobs.ended(7, "dependency", 100 * SECOND);
            jobs
        };
        let then = 100 * SECOND;
        for (what, peers, jobs, expected) in [
            (
                "everything runs",
                vec![peer("db", Active, 0)],
                ended("done", then),
                None,
            ),
            (
                "it has failed",
                vec![peer("db", Failed, 0)],
                Jobs::new(),
                Some(("db", true)),
            ),
            (
                "it is about to be started again",
                vec![peer("db", Activating, 0)],
                Jobs::new(),
                Some(("db", true)),
            ),
            (
                "it does not run, as somebody stopped it",
                vec![peer("db", Inactive, 0)],
                ended("canceled", then),
                Some(("db", false)),
            ),
            (
                "it could not be started either",
                vec![peer("db", Inactive, 0)],
                ended("dependency", then),
                Some(("db", true)),
            ),
            (
                "it failed, and is back already",
                vec![peer("db", Active, 0)],
                ended("failed", then),
                Some(("db", true)),
            ),
            (
                "it failed long before",
                vec![peer("db", Active, 0)],
                ended("failed", 90 * SECOND),
                None,
            ),
            (
                "one is not there, and another has failed",
                vec![peer("cache", Inactive, 0), peer("db", Failed, 0)],
                Jobs::new(),
                Some(("db", true)),
            ),
            (
                "what it is only part of has failed",
                vec![peer("umbrella", Failed, 0)],
                Jobs::new(),
                None,
            ),
        ] {
            let fallen = not_started(&app(), &peers, Some(7), &jobs);
            assert_eq!(reported(fallen), named(expected), "{what}");
        }
    }
}
