//! What the facts about a container, and what is remembered of it, mean.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_engine::{
    Activity, Cause, DRAIN_MAX, Details, Intent, Limits, Observation, StartedBy, Supervisor, TargetState,
};

use super::cause::{cause_of, cause_of_end_before};
use super::checks::Health;
use super::facts::{RestartPolicy, Status};
use super::restart::START_WITHIN;
use super::tracker::{Conclusion, Tracker};

/// How long the news of an end may take from the Engine to here. It is sent in the same breath (57 to 63 ms measured).
const NEWS_WITHIN: Duration = Duration::from_secs(1);

/// An end this long before the Engine went away may have been its own doing: it stops what runs in parallel, and each may
/// take its timeout.
const BEFORE_LOSS: Duration = Duration::from_secs(30);

/// Ends are dated by the Engine, its absence by the agent: so far apart these may be and still be the same moment.
const TOGETHER: Duration = Duration::from_secs(2);

/// How long after its return the Engine may still be starting what its policies say.
const AFTER_RETURN: Duration = Duration::from_secs(10);

/// How long a container may wait for those that it comes after, before that is reported.
const CREATED_MAX: Duration = Duration::from_secs(90);

/// What is known beside the container itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// The wall clock, which is the Engine's on the same host.
    pub(super) now: Timestamp,
    /// Since when every event reaches the agent.
    pub(super) watched_since: Timestamp,
    /// From when to when the Engine was last away, if it was since the watch began.
    pub(super) away: Option<(Timestamp, Timestamp)>,
    /// The service has probes of its own, which decide whether it has started.
    pub(super) probed: bool,
    /// It is podman's, which tells an end and not who asked for it.
    pub(super) podman: bool,
}

/// The outcome of looking at a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This is what it means; it may mean something else at that time.
    Seen(Box<Observation>, Option<Timestamp>),
    /// It ended a moment ago, and the news of why may still be on its way: ask again then.
    Wait(Timestamp),
}

/// Judges a container. Remembers in the tracker what it concluded about its going down.
pub(super) fn classify(tracker: &mut Tracker, world: World) -> Verdict {
    if let Some(until) = start_is_reported_by(tracker, world) {
        return Verdict::Wait(until);
    }
    let asked = tracker.asked_to_stop(world.now);
    // An interrupt, as from a terminal: heeded within the timeout, or not at all.
    let interrupted = tracker
        .stopping_until()
        .filter(|until| asked.is_none() && *until > world.now);
    let waited = waits_until(tracker);
    let state = match tracker.facts.status {
        Status::Paused => TargetState::Busy(Activity::Frozen),
        Status::Restarting => TargetState::Busy(Activity::AutoRestart),
        Status::Removing => TargetState::Busy(Activity::Stopping),
        Status::Running | Status::Exited if tracker.acting => TargetState::Busy(Activity::Starting),
        Status::Running if interrupted.is_some() => TargetState::Busy(Activity::Stopping),
        Status::Running => running(tracker, world),
        Status::Created if waited.is_some_and(|until| until > world.now) => TargetState::Busy(Activity::Starting),
        Status::Created if waited.is_some() => {
            let others = tracker.facts.waits_for.join(", ");
            TargetState::Unusable(format!(
                "it was created and is not started: Compose waits for {others} (depends_on), or has given up"
            ))
        }
        Status::Created if tracker.facts.error.is_empty() => TargetState::Down {
            // Whoever made it has not started it: that is theirs to do.
            intent: Intent::OperatorStop,
            cause: Cause::Unknown,
        },
        Status::Created => TargetState::Unusable(format!("it could not be started: {}", tracker.facts.error)),
        Status::Dead => TargetState::Unusable("Docker failed to remove it, and does not start it any more".to_owned()),
        Status::Other => TargetState::Unknown("Docker reports a state that means nothing to Sentinel".to_owned()),
        Status::Exited => match down(tracker, world) {
            Ok(state) => state,
            Err(again) => return Verdict::Wait(again),
        },
    };
    let supervisor = match (&state, &tracker.concluded) {
        (TargetState::Down { .. }, Some(concluded)) => concluded.supervisor,
        (TargetState::Busy(Activity::AutoRestart), _) => Supervisor::Active,
        _ => Supervisor::Passive,
    };
    let running = tracker.facts.started.filter(|_| tracker.facts.is_up());
    let age = running.and_then(|started| Duration::try_from(world.now.duration_since(started)).ok());
    let asked = asked.filter(|_| tracker.facts.status == Status::Running && !matches!(state, TargetState::Busy(_)));
    let facts = &tracker.facts;
    let details = Details {
        starts_within: (state == TargetState::Busy(Activity::Starting)).then_some(facts.health_within),
        ended: match state {
            TargetState::Busy(Activity::AutoRestart) => Some(cause_of(tracker)),
            TargetState::Down { .. } => None,
            _ => cause_of_end_before(tracker),
        },
        ..Details::default()
    };
    let observation = Observation {
        state,
        run: tracker.facts.run_id(),
        age,
        supervisor,
        started_by: started_by(tracker, world),
        restarts: u32::try_from(tracker.facts.restarts).ok(),
        asked_to_stop: asked.map(|(_, reported)| reported),
        limits: Limits {
            start: Some(START_WITHIN),
            stop: Some(tracker.facts.stop_timeout),
        },
        check: tracker.facts.check().filter(|_| tracker.facts.is_up()),
        details,
    };
    let forgotten = asked.map(|(at, _)| later(at, DRAIN_MAX));
    let waited = waited.filter(|until| *until > world.now);
    Verdict::Seen(Box::new(observation), interrupted.or(forgotten).or(waited))
}

/// Until when Compose, which has made this container, may still be about to start it when what it comes after is ready. Then
/// that is reported: Compose leaves it `created` for good when one of those never gets ready.
fn waits_until(tracker: &Tracker) -> Option<Timestamp> {
    let facts = &tracker.facts;
    let waits = facts.status == Status::Created && facts.error.is_empty() && !facts.waits_for.is_empty();
    waits.then(|| later(facts.created.unwrap_or(Timestamp::UNIX_EPOCH), CREATED_MAX))
}

/// Who began the last run: known when the Engine counts it as its policy's doing, or told of its start, and that was not the
/// agent's doing.
fn started_by(tracker: &Tracker, world: World) -> StartedBy {
    let start = tracker.start.filter(|(at, _)| tracker.is_of_this_run(*at));
    if start.is_some_and(|(_, own)| own) {
        return StartedBy::Unknown;
    }
    if tracker.facts.restarts > 0 {
        // Whatever else starts a container sets that back, so the state alone tells, and a start that is over within
        // milliseconds may be seen before it is heard.
        return StartedBy::Supervisor;
    }
    // The Engine starts what its policies say when it comes back, and does not count that.
    let returned = |at| {
        let while_away = |(gone, back)| at >= gone && at < later(back, AFTER_RETURN);
        world.away.is_some_and(while_away)
    };
    match start {
        None => StartedBy::Unknown,
        Some((at, _)) if returned(at) && tracker.facts.policy != RestartPolicy::No => StartedBy::Supervisor,
        Some(_) => StartedBy::Other,
    }
}

/// Until when the news of who began a run that is already seen may still be on its way, should there be any.
fn start_is_reported_by(tracker: &Tracker, world: World) -> Option<Timestamp> {
    let facts = &tracker.facts;
    let started = facts
        .started
        .filter(|_| facts.is_up() && !tracker.acting && facts.restarts == 0)?;
    if started < world.watched_since || tracker.start.is_some_and(|(at, _)| at >= started) {
        return None;
    }
    Some(later(started, NEWS_WITHIN)).filter(|until| *until > world.now)
}

fn running(tracker: &mut Tracker, world: World) -> TargetState {
    match &tracker.facts.health {
        Health::Starting if !world.probed => TargetState::Busy(Activity::Starting),
        Health::Starting | Health::Healthy | Health::Unchecked => {
            tracker.unhealthy = None;
            TargetState::Running
        }
        Health::NotRun { reason, runtime_away } => {
            tracker.unhealthy = None;
            TargetState::Unchecked {
                reason: reason.clone(),
                runtime_away: *runtime_away,
            }
        }
        Health::Unhealthy(output) => {
            let run = tracker.facts.run_id();
            let first = tracker.unhealthy.take_if(|(of, _)| *of == run);
            let (_, output) = tracker.unhealthy.insert(first.unwrap_or_else(|| (run, output.clone())));
            TargetState::Unhealthy(output.clone())
        }
    }
}

fn down(tracker: &mut Tracker, world: World) -> Result<TargetState, Timestamp> {
    if let Some(known) = &tracker.concluded {
        return Ok(TargetState::Down {
            intent: known.intent,
            cause: known.cause.clone(),
        });
    }
    let (intent, cause, supervisor) = conclude(tracker, world)?;
    tracker.concluded = Some(Conclusion {
        of: tracker.end(),
        intent,
        cause: cause.clone(),
        supervisor,
    });
    Ok(TargetState::Down { intent, cause })
}

/// On whose account the container is down, why, and who will start it again.
fn conclude(tracker: &Tracker, world: World) -> Result<(Intent, Cause, Supervisor), Timestamp> {
    let cause = cause_of(tracker);
    let returned = world
        .away
        .is_some_and(|(_, back)| world.now < later(back, AFTER_RETURN));
    let supervisor = supervisor(tracker, returned);
    let stopped = tracker.stopped_at().map(|at| (at, Intent::OperatorStop));
    let late = || tracker.ended_late().map(|at| (at, Intent::AskedToStop));
    if let Some((stopped, intent)) = stopped.or_else(late) {
        let news_by = later(tracker.died_at().unwrap_or(stopped), NEWS_WITHIN);
        if intent == Intent::AskedToStop && world.now < news_by {
            // `docker stop` says so itself when it is done, which Docker 20.10 tells after the end.
            return Err(news_by);
        }
        // The Engine stops what it runs when it goes down, and what it finds running when it comes back after being killed.
        // Nobody else can have asked it while it was away, and the agent could not ask about it either.
        if let Some((gone, back)) = world.away
            && later(stopped, BEFORE_LOSS) >= gone
            && stopped <= back
        {
            let result = format!("went down with the Docker daemon: {cause}");
            return Ok((Intent::Crash, Cause::Other { result }, supervisor));
        }
        return Ok((intent, cause, Supervisor::Passive));
    }
    if world.podman && [0, 137, 143].contains(&tracker.facts.exit_code) && cause != Cause::OomKilled {
        // `podman stop` leaves it so, and so may a crash.
        return Ok((Intent::Unclear, cause, Supervisor::Passive));
    }
    if tracker.died_at().is_some() || tracker.stop.is_some_and(|(_, own)| own) {
        let intent = if tracker.facts.exit_code == 0 && cause != Cause::OomKilled {
            Intent::CleanExit
        } else {
            Intent::Crash
        };
        return Ok((intent, cause, supervisor));
    }
    unheard(tracker, world, cause, supervisor)
}

/// It ended, and nobody heard how.
fn unheard(
    tracker: &Tracker,
    world: World,
    cause: Cause,
    supervisor: Supervisor,
) -> Result<(Intent, Cause, Supervisor), Timestamp> {
    let finished = tracker.facts.finished.unwrap_or(world.watched_since);
    let news_by = later(finished, NEWS_WITHIN);
    if finished >= world.watched_since && world.now < news_by {
        return Err(news_by);
    }
    let ran_before = tracker.seen_running.is_some() && tracker.seen_running == tracker.facts.run_id();
    let while_away = world
        .away
        .is_some_and(|(gone, back)| later(finished, TOGETHER) >= gone && finished <= later(back, TOGETHER));
    if ran_before && while_away {
        let result = format!("went down with the Docker daemon: {cause}");
        return Ok((Intent::Crash, Cause::Other { result }, supervisor));
    }
    let intent = match (tracker.facts.policy, tracker.facts.exit_code) {
        // As `docker kill` and `docker stop` leave it, and as a crash may.
        (RestartPolicy::No, 137 | 143) => Intent::Unclear,
        (RestartPolicy::No, code) if code != 0 => Intent::Crash,
        (RestartPolicy::OnFailure(_), code) if code != 0 && supervisor == Supervisor::GaveUp => Intent::Crash,
        // Docker would have started it again, unless an operator had stopped it; or it ended well, long ago.
        _ => return Ok((Intent::OperatorStop, cause, Supervisor::Passive)),
    };
    Ok((intent, cause, supervisor))
}

/// Whether Docker will start the container by itself. The Engine decides that in the same breath in which it declares the
/// end: what is `exited` and not `restarting` it leaves alone, except while it is starting itself.
fn supervisor(tracker: &Tracker, returned: bool) -> Supervisor {
    match tracker.facts.policy {
        RestartPolicy::No => Supervisor::Passive,
        _ if returned => Supervisor::Active,
        RestartPolicy::OnFailure(max) if max > 0 && tracker.facts.restarts >= max => Supervisor::GaveUp,
        RestartPolicy::OnFailure(_) | RestartPolicy::Always | RestartPolicy::UnlessStopped => Supervisor::Passive,
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
