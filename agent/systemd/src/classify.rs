//! What the facts about a unit, and what is remembered of it, mean.

use std::time::Duration;

use sentinel_engine::{Activity, Cause, Details, FellWith, Intent, Observation, Supervisor, TargetState};

use super::attribution::{Peer, attribute};
use super::cause::cause_of;
use super::facts::{ActiveState, Facts};
use super::fallen::{Fallen, not_started, taken_along};
use super::journal::Past;
use super::started::Jobs;
use super::supervisor::after_end;
use super::tracker::{Conclusion, FinishedJob, Tracker};

/// What is known beside the unit itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct World<'j> {
    /// `CLOCK_MONOTONIC` in microseconds.
    pub(super) now: u64,
    /// Whether the host is going down.
    pub(super) host_stopping: bool,
    /// Whether the unit's pending job is one of the agent's.
    pub(super) own_job: bool,
    /// The jobs of the host.
    pub(super) jobs: &'j Jobs,
}

/// The outcome of looking at a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This is what it means.
    Seen(Box<Observation>),
    /// That depends on the units it is bound to, conflicts with, or is triggered by.
    AskPeers,
    /// It went down while the agent did not watch: that depends on what the journal says.
    AskJournal,
}

/// Judges a unit. Remembers in the tracker what it concluded about its going down.
pub(super) fn classify(tracker: &mut Tracker, world: World<'_>) -> Verdict {
    let state = match state_of(tracker, world) {
        Ok(state) => state,
        Err(question) => return question,
    };
    let running = matches!(state, TargetState::Running);
    let supervisor = match (&state, &tracker.concluded) {
        // Only what is down can be restarted. A unit that runs and hangs is nobody's but the agent's.
        (TargetState::Down { .. }, Some(concluded)) => concluded.supervisor,
        (TargetState::Busy(Activity::AutoRestart), _) => Supervisor::Active,
        _ => Supervisor::Passive,
    };
    let facts = &tracker.facts;
    let activity = match state {
        TargetState::Busy(activity) => Some(activity),
        _ => None,
    };
    let since = match activity {
        None => facts.active_enter,
        // The job, or the freezing, is younger than the state.
        Some(Activity::Job | Activity::Frozen) => 0,
        Some(_) if facts.job != 0 && facts.active_state.is_down() => 0,
        Some(_) => facts.state_change,
    };
    let is_timed = since != 0 && (running || activity.is_some());
    Verdict::Seen(Box::new(Observation {
        age: is_timed.then(|| Duration::from_micros(world.now.saturating_sub(since))),
        supervisor,
        limits: facts.limits(),
        details: Details {
            fell_with: tracker
                .concluded
                .as_ref()
                .and_then(|concluded| fell_with(&state, concluded)),
            ..details(facts, activity)
        },
        ..Observation::new(state, tracker.run.clone())
    }))
}

/// A oneshot starts for as long as it works. One without a limit is given this long before anything is said of it.
const ONESHOT_MAX: Duration = Duration::from_secs(60 * 60);

/// What bounds what systemd is busy with, and what is known of the run before.
fn details(facts: &Facts, activity: Option<Activity>) -> Details {
    let works = activity == Some(Activity::Starting) && facts.service_type == "oneshot";
    Details {
        starts_within: works.then(|| facts.limits().start.unwrap_or(ONESHOT_MAX)),
        has_job: activity.is_some() && facts.job != 0,
        ended: (activity == Some(Activity::AutoRestart)).then(|| cause_of(facts)),
        // They are judged by themselves.
        triggers: Vec::new(),
        fell_with: None,
    }
}

/// With what it fell, where that is why it is down. Whether that one is back changes by itself: see `units.rs`.
fn fell_with(state: &TargetState, concluded: &Conclusion) -> Option<Box<FellWith>> {
    let of_this = matches!(
        state,
        TargetState::Down {
            intent: Intent::DependencyStop,
            ..
        }
    );
    let Fallen { name, failed } = concluded.fell_with.clone().filter(|_| of_this)?;
    Some(Box::new(FellWith {
        name,
        failed,
        is_back: false,
    }))
}

fn state_of(tracker: &mut Tracker, world: World<'_>) -> Result<TargetState, Verdict> {
    let facts = &tracker.facts;
    if let Some(activity) = activity_of(tracker, world.own_job) {
        return Ok(TargetState::Busy(activity));
    }
    match facts.active_state {
        ActiveState::Active => Ok(TargetState::Running),
        ActiveState::Inactive | ActiveState::Failed => match unusable(facts) {
            Some(reason) => taken_away(tracker, world).map(|stopped| stopped.unwrap_or(TargetState::Unusable(reason))),
            None => down(tracker, world),
        },
        _ => Ok(TargetState::Unknown(format!(
            "systemd says that it is `{}`, which means nothing to Sentinel",
            facts.sub_state
        ))),
    }
}

/// What somebody is doing with the unit. Any state with a job is about to change.
fn activity_of(tracker: &Tracker, own_job: bool) -> Option<Activity> {
    let facts = &tracker.facts;
    match facts.active_state {
        ActiveState::Activating if facts.sub_state.starts_with("auto-restart") => Some(Activity::AutoRestart),
        ActiveState::Activating => Some(Activity::Starting),
        ActiveState::Deactivating => Some(Activity::Stopping),
        ActiveState::Reloading => Some(Activity::Reloading),
        _ if facts.job != 0 && own_job => Some(Activity::Starting),
        _ if facts.job != 0 => Some(Activity::Job),
        // What is dead is dead, whatever is left of its cgroup.
        ActiveState::Active if facts.frozen && !tracker.frozen_before => Some(Activity::Frozen),
        _ => None,
    }
}

/// What a unit is that an operator stopped, alone or with its socket or whatever else it is bound to, and masked or removed
/// before or after: `systemctl mask --now`, or its package was removed. `None` for every other one.
fn taken_away(tracker: &mut Tracker, world: World<'_>) -> Result<Option<TargetState>, Verdict> {
    let is_gone = matches!(tracker.facts.load_state.as_str(), "not-found" | "masked");
    if !is_gone || !(tracker.concluded.is_some() || was_stopped(tracker)) {
        return Ok(None);
    }
    let state = down(tracker, world)?;
    let TargetState::Down { intent, cause } = state else {
        return Ok(None);
    };
    let was_meant = match intent {
        Intent::OperatorStop
        | Intent::DependencyStop
        | Intent::ConflictStop
        | Intent::NotApplicable
        | Intent::ConditionNotMet => true,
        Intent::Crash
        | Intent::CleanExit
        | Intent::OneshotFailed
        | Intent::AskedToStop
        | Intent::Unclear
        | Intent::Shutdown => false,
    };
    // There is nothing left to bring back with whatever it was bound to.
    Ok(was_meant.then_some(TargetState::Down {
        intent: Intent::OperatorStop,
        cause,
    }))
}

/// Why a unit that is down cannot be started as it is.
fn unusable(facts: &Facts) -> Option<String> {
    match facts.load_state.as_str() {
        "not-found" => Some("there is no such unit".to_owned()),
        "masked" => Some("the unit is masked".to_owned()),
        "bad-setting" | "error" if facts.load_error.is_empty() => {
            Some("systemd cannot make sense of the unit file".to_owned())
        }
        "bad-setting" | "error" => Some(facts.load_error.clone()),
        _ if facts.assert_failed() => Some("an Assert...= of the unit is not met".to_owned()),
        _ => None,
    }
}

fn down(tracker: &mut Tracker, world: World<'_>) -> Result<TargetState, Verdict> {
    let supervisor = after_end(&tracker.facts, tracker.at_rest);
    if tracker.concluded.is_none() {
        let (intent, cause) = conclude(tracker, world)?;
        let fell_with = (intent == Intent::DependencyStop).then(|| what_it_fell_with(tracker, &cause, world));
        tracker.concluded = Some(Conclusion {
            fell_with: fell_with.flatten(),
            supervisor: match intent {
                Intent::Crash | Intent::CleanExit | Intent::Unclear | Intent::OneshotFailed => supervisor,
                _ => Supervisor::Passive,
            },
            intent,
            cause,
        });
    }
    let (intent, cause) = match &mut tracker.concluded {
        Some(concluded) => {
            if concluded.supervisor == Supervisor::Active && tracker.at_rest {
                concluded.supervisor = Supervisor::GaveUp;
            }
            (concluded.intent, concluded.cause.clone())
        }
        None => (Intent::Unclear, Cause::Unknown),
    };
    Ok(TargetState::Down { intent, cause })
}

/// On whose account the unit is down, and why.
fn conclude(tracker: &Tracker, world: World<'_>) -> Result<(Intent, Cause), Verdict> {
    let facts = &tracker.facts;
    let failed = facts.active_state == ActiveState::Failed;
    if !failed && facts.condition_failed() {
        let result = facts.condition_in_words();
        return Ok((Intent::ConditionNotMet, Cause::Other { result }));
    }
    if !failed && facts.is_plain_oneshot() && matches!(facts.result.as_str(), "success" | "") {
        // It did its work, or was never asked to: there is nothing that should be running.
        return Ok((Intent::NotApplicable, cause_of(facts)));
    }
    if was_stopped(tracker) {
        return Ok((stopped_by(tracker, world)?, cause_of(facts)));
    }
    if tracker.jobs.last().is_some_and(|job| job.result == "dependency") {
        return was_not_started(tracker);
    }
    if tracker.unwitnessed {
        return after_gap(tracker, world);
    }
    if failed {
        return Ok((failure(facts), cause_of(facts)));
    }
    ended_by_itself(tracker, cause_of(facts))
}

/// A failure of what should run, or of what should do its work and end.
fn failure(facts: &Facts) -> Intent {
    if facts.service_type == "oneshot" {
        Intent::OneshotFailed
    } else {
        Intent::Crash
    }
}

/// Whether a job of another party stopped it: the last one was carried out, and left it down.
///
/// An end without any job known counts as a stop only when it began as one. Used beside a known job this would take a
/// restart that runs into the start limit for a stop. A start that did nothing, as a condition is not met, is none either.
fn was_stopped(tracker: &Tracker) -> bool {
    match last_of_others(tracker) {
        Some(job) => job.result == "done" && job.state.is_down(),
        None => tracker.jobs.is_empty() && tracker.stop_began,
    }
}

/// The last job that another party made, and that did something.
fn last_of_others(tracker: &Tracker) -> Option<&FinishedJob> {
    tracker.jobs.iter().rev().find(|job| !job.own && !job.called_off)
}

fn stopped_by(tracker: &Tracker, world: World<'_>) -> Result<Intent, Verdict> {
    match &tracker.peers {
        Some(peers) => match attribute(&tracker.facts, peers, world.host_stopping) {
            // Nothing but an order stops what is down.
            Intent::DependencyStop if was_down_before(tracker) => Ok(Intent::OperatorStop),
            intent => Ok(intent),
        },
        None if world.host_stopping => Ok(Intent::Shutdown),
        None => Err(Verdict::AskPeers),
    }
}

/// Whether the job that stopped it found it down: one before that had left it so.
fn was_down_before(tracker: &Tracker) -> bool {
    let last = last_of_others(tracker).map(|job| job.id);
    let mut before = tracker.jobs.iter().take_while(|job| Some(job.id) != last);
    before.any(|job| job.state.is_down())
}

/// A start of it was called off, for want of something it needs.
fn was_not_started(tracker: &Tracker) -> Result<(Intent, Cause), Verdict> {
    match &tracker.peers {
        Some(_) => Ok((Intent::DependencyStop, Cause::Dependency)),
        None => Err(Verdict::AskPeers),
    }
}

fn what_it_fell_with(tracker: &Tracker, cause: &Cause, world: World<'_>) -> Option<Fallen> {
    let (facts, peers) = (&tracker.facts, tracker.peers.as_deref()?);
    if *cause == Cause::Dependency {
        let job = tracker.jobs.last().map(|job| job.id);
        return not_started(facts, peers, job, world.jobs);
    }
    let job = last_of_others(tracker).map(|job| job.id);
    taken_along(facts, peers, job, world.jobs)
}

/// A service of a socket, timer or path that waits is not missed while it is not needed. Nor is one whose trigger has failed or
/// was stopped: what is to be done about that the engine decides, which is told of triggers beside.
fn ended_by_itself(tracker: &Tracker, cause: Cause) -> Result<(Intent, Cause), Verdict> {
    let triggers = &tracker.facts.triggered_by;
    if triggers.is_empty() {
        return Ok((Intent::CleanExit, cause));
    }
    let peers = tracker.peers.as_ref().ok_or(Verdict::AskPeers)?;
    let is_trigger = |peer: &&Peer| triggers.contains(&peer.name);
    let waits = |peer: &Peer| match peer.state {
        ActiveState::Active | ActiveState::Failed => true,
        // What has never waited in this boot is not enabled.
        state => state.is_down() && peer.active_enter != 0,
    };
    let intent = if peers.iter().filter(is_trigger).any(waits) {
        Intent::NotApplicable
    } else {
        Intent::CleanExit
    };
    Ok((intent, cause))
}

/// It is down, and the agent did not see how that came.
fn after_gap(tracker: &Tracker, world: World<'_>) -> Result<(Intent, Cause), Verdict> {
    let past = tracker.past.as_ref().ok_or(Verdict::AskJournal)?;
    let cause = cause_of(&tracker.facts);
    let failed = tracker.facts.active_state == ActiveState::Failed;
    match past {
        Past::Stopped => Ok((stopped_by(tracker, world)?, cause)),
        Past::Dependency => was_not_started(tracker),
        Past::Crashed(_) if failed => Ok((failure(&tracker.facts), cause)),
        // Somebody has reset it since.
        Past::Crashed(reported) => Ok((Intent::Unclear, reported.clone().unwrap_or(cause))),
        Past::Exited if !failed => ended_by_itself(tracker, cause),
        _ if failed => Ok((Intent::Unclear, cause)),
        // It did not run when the watch began, so nobody missed it then.
        _ => match ended_by_itself(tracker, cause)? {
            (Intent::NotApplicable, cause) => Ok((Intent::NotApplicable, cause)),
            (_, cause) => Ok((Intent::OperatorStop, cause)),
        },
    }
}

#[cfg(test)]
mod tests;
