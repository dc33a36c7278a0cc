//! What must never happen, and what must always happen in the end, whatever goes wrong.
//!
//! Each invariant is one function, asked about everything that passes between the agent and a simulated host in which
//! everything goes wrong at random. None of them asks the engine what it thinks: they judge its decisions by a ledger
//! that counts what the agent was told by rules of its own (`simulation/ledger.rs`).
//!
//! An "own attempt" is a restart that the agent decided on; what an operator asked for is judged less strictly,
//! because operators win over every rule but two: two actions on a service never overlap, and nothing is done blindly.
//!
//! ```text
//! cargo test -p sentinel-engine --test invariants                                      a few seconds
//! SENTINEL_SIM_SEEDS=20000 cargo test --release ... --test invariants -- --nocapture   a larger budget
//! SENTINEL_SIM_SEED=4711 cargo test ... --test invariants -- --nocapture               one seed, told as a story
//! ```
//!
//! Of the 28 invariants of `SEMANTICS.md` 4.3 these are covered: 1 to 11, 13, 14, 16 to 24 and 26. Not yet: 12 (the
//! host's token bucket), 15 (boot grace), 25 (the wall clock, of which the engine has none), 27 (reload), 28 (an empty
//! list of targets).
//!
//! Whether the tests would notice a guard that is missing is asked with
//! `CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo mutants -p sentinel-engine -- --tests`, in a copy of the repository.

mod simulation;

use std::time::{Duration, Instant};

use sentinel_engine::{
    Action, Command, Happening, Intent, Mode, NotificationKind, OnCleanExit, State, Supervisor, Time, Verb,
};
use simulation::host::Sim;
use simulation::known::Known;
use simulation::ledger::{ANSWER_MAX, LOOK_AGAIN, Ledger};
use simulation::story;
use simulation::tape::Entry;

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Simulated time during which things go wrong.
const STORM: Duration = Duration::from_secs(45 * 60);
/// Simulated time after that, in which everything that must happen has to have happened.
const CALM: Duration = Duration::from_secs(45 * 60);
/// Lines of the transcript shown with a violation.
const TAIL: usize = 60;
/// The gap that is added when a supervisor has given up, and the longest that one alert speaks for dependents.
const AFTER_SUPERVISOR: Duration = Duration::from_secs(60);
const SUPPRESSION_MAX: Duration = Duration::from_secs(600);
/// Violations after which looking for more is no use.
const VIOLATIONS_MAX: usize = 5;
/// What anything may be late because events are.
const SLACK: Duration = Duration::from_secs(10);

/// Why an invariant does not hold.
type Judgement = Result<(), String>;

/// An invariant, asked before what it is asked about enters the ledger.
type Invariant = fn(&Ledger, Time, &Entry) -> Judgement;

/// All of them, by the numbers of `SEMANTICS.md` 4.3 where they have one.
const INVARIANTS: [(&str, Invariant); 27] = [
    ("1 shutdown", invariant_nothing_is_done_while_the_host_goes_down),
    ("2 blind", invariant_nothing_is_done_blindly),
    ("3 maintenance", invariant_nothing_is_done_in_maintenance),
    ("3 peace", invariant_nobody_is_alarmed_in_maintenance),
    ("4 operator stop", invariant_no_operator_stop_is_undone),
    ("5 busy", invariant_nobody_is_disturbed),
    ("5 supervisor first", invariant_supervisors_go_first),
    ("6 instance", invariant_actions_are_about_the_run_that_was_judged),
    ("7 one in flight", invariant_actions_never_overlap),
    ("8 intent first", invariant_intents_are_on_disk_before_the_deed),
    ("9 give up", invariant_nothing_is_done_after_giving_up),
    ("10 dependencies", invariant_dependencies_go_first),
    ("11 budget", invariant_budgets_are_kept),
    ("13 backoff", invariant_attempts_keep_their_distance),
    ("13 called off", invariant_what_was_called_off_is_not_repeated_at_once),
    ("14 grace", invariant_only_what_is_down_is_restarted),
    ("16 ids", invariant_action_ids_are_never_used_twice),
    ("17 fired once", invariant_people_are_told_once),
    ("18 resolved", invariant_the_end_is_told_to_whom_the_beginning_was),
    ("19 gave up", invariant_giving_up_is_part_of_an_incident),
    ("20 one incident", invariant_incidents_open_and_close_in_turn),
    ("21 healthy", invariant_healthy_services_have_no_incident),
    ("21 proof", invariant_only_a_new_run_that_lasts_is_proof),
    ("22 liveness", invariant_what_can_be_healed_is_acted_on),
    ("23 silence", invariant_no_outage_is_kept_from_people),
    ("26 crash", invariant_agent_crashes_grant_no_budget),
    ("bounds", invariant_the_engine_does_not_spin),
];

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The own attempt that `entry` decides on, and its service.
fn own_attempt<'a>(ledger: &'a Ledger, entry: &'a Entry) -> Option<(&'a Action, &'a Known)> {
    match entry {
        Entry::Decided(Command::RestartTarget(action)) if action.attempt > 0 => {
            Some((action, &ledger.services[&action.service]))
        }
        _ => None,
    }
}

/// The action that `entry` decides on, whoever asked for it, and its service.
fn any_action<'a>(ledger: &'a Ledger, entry: &'a Entry) -> Option<(&'a Action, &'a Known)> {
    match entry {
        Entry::Decided(Command::RestartTarget(action)) => Some((action, &ledger.services[&action.service])),
        _ => None,
    }
}

/// 1: no own attempt from the moment the agent is told that the host goes down until that is called off, nor on a
/// target that is down because its daemon goes down.
fn invariant_nothing_is_done_while_the_host_goes_down(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!ledger.going_down && known.down() != Some(Intent::Shutdown), || {
        "the host goes down".into()
    })
}

/// 2: no action, not even one that was asked for, on a target that is not seen, or has not been seen since the agent
/// started; and none on what has no target.
fn invariant_nothing_is_done_blindly(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(known.service.has_target && !known.blind(), || {
        format!("seen: {:?}", known.seen())
    })
}

/// 3: no own attempt while paused, nor in observe mode. A pause that was recorded survives the agent.
fn invariant_nothing_is_done_in_maintenance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!known.paused(now) && known.service.policy.mode == Mode::Heal, || {
        format!("pause: {:?}", known.keep.pause)
    })
}

/// 3 and 1: nobody is told of an outage in maintenance, or while the host goes down.
fn invariant_nobody_is_alarmed_in_maintenance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Notify(message)) = entry else {
        return Ok(());
    };
    let alarm = matches!(message.kind, NotificationKind::Fired | NotificationKind::GaveUp);
    let expected = ledger.going_down || ledger.services[&message.service].paused(now);
    ensure(!alarm || !expected, || format!("{:?}", message.kind))
}

/// 4: no own attempt on a run that was stopped on purpose (by an operator, or for what conflicts with it), however it
/// looks by now, until it, or another run, is seen running; nor on one that may have been stopped,
/// or ended as it was meant to. Across crashes of the agent as well, when it had time to record the stop.
///
/// What failed unseen may be restarted when it was seen down in the open incident before: it is that failure.
fn invariant_no_operator_stop_is_undone(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let Some(intent) = known.down() else { return Ok(()) };
    ensure(known.keep.stopped.is_none() || known.keep.stopped != known.run, || {
        format!("run {:?} was stopped on purpose", known.run)
    })?;
    let allowed = match intent {
        Intent::Crash | Intent::DependencyStop => true,
        Intent::CleanExit => known.service.policy.on_clean_exit == OnCleanExit::Restart,
        Intent::Unclear => known
            .keep
            .incident
            .as_ref()
            .is_some_and(|open| open.run.is_some() && open.run == known.run),
        Intent::OperatorStop | Intent::ConflictStop | Intent::Shutdown | Intent::NotApplicable => false,
    };
    ensure(allowed, || format!("it is down by {intent:?}"))
}

/// 5: no own attempt while somebody else is busy with the target: starting, stopping, reloading, a job, frozen, or
/// about to be restarted by its supervisor.
fn invariant_nobody_is_disturbed(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.busy().is_none(), || format!("busy: {:?}", known.busy()))
}

/// 5: a run that went down is left to its supervisor for the whole of `settle`, counted from when this very run was
/// first seen down.
fn invariant_supervisors_go_first(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let Some(down_at) = known.down_at else { return Ok(()) };
    ensure(now.since(down_at) >= known.settle(), || {
        format!("seen down {:?} ago, settle {:?}", now.since(down_at), known.settle())
    })
}

/// 6: an action expects the run that was last seen, and its verb fits what was last seen of it. What an operator asks
/// for while somebody is busy with the target is left to the adapter to refuse.
fn invariant_actions_are_about_the_run_that_was_judged(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(action.expected == known.run, || {
        format!("expects {:?}, last seen {:?}", action.expected, known.run)
    })?;
    let fits = match action.verb {
        Verb::Start => known.down().is_some(),
        Verb::Restart => known.running() || action.attempt == 0,
    };
    ensure(fits, || {
        format!("{} of what was seen as {:?}", action.verb.as_str(), known.seen())
    })
}

/// 7: at most one action per service, and own attempts only while the host has a free slot. An answer that has not
/// come after five minutes is lost, and holds nothing any more.
fn invariant_actions_never_overlap(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(known.flight.is_none(), || format!("{:?} is on its way", known.flight))?;
    let free = ledger.in_flight() < ledger.host.max_in_flight;
    ensure(free || action.attempt == 0, || {
        format!("{} are on their way on this host", ledger.in_flight())
    })
}

/// 8: an adapter only gets an action whose intent is recorded, and no own attempt is even decided on while the store
/// is known not to be writable.
fn invariant_intents_are_on_disk_before_the_deed(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    ensure(ledger.store_writable || own_attempt(ledger, entry).is_none(), || {
        "the store cannot be written".into()
    })?;
    let Entry::Acted(action) = entry else { return Ok(()) };
    ensure(ledger.intents.contains(&action.id), || {
        format!("action {} is not on disk", action.id)
    })
}

/// 9: no own attempt after a human was called, until the service was well for `reset_after` or an operator asked for a
/// restart.
fn invariant_nothing_is_done_after_giving_up(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!known.keep.gave_up, || "a human was called".into())
}

/// 10: no own attempt while something it depends on is down, being started or stopped, or in an incident that is not
/// over; or has not been seen since the agent started. What is out of sight blocks nobody: its absence is not known.
fn invariant_dependencies_go_first(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let down = ledger.dependency_down(known);
    ensure(down.is_none(), || {
        let down = down.map(|dependency| (&dependency.service.name, dependency.seen(), &dependency.keep.incident));
        format!("it depends on {down:?}")
    })
}

/// 11: at most `burst` own attempts within `window` (half of them, rounded up, when its supervisor gave up), whatever
/// becomes of the agent, unless it was well for `reset_after` between them or an operator asked for a restart. What
/// was called off before anything was done is not counted.
///
/// Well means one run, seen to run, without `fall` failed probes: what its supervisor restarts is not well.
fn invariant_budgets_are_kept(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let burst = known.service.policy.burst;
    let burst = if known.supervisor() == Supervisor::GaveUp {
        burst.div_ceil(2)
    } else {
        burst
    };
    ensure(known.spent(now) < burst as usize, || {
        format!("{} attempts were made, {burst} are allowed", known.spent(now))
    })
}

/// The shortest gap that `backoff` and `jitter` allow after so many attempts.
fn shortest_gap(known: &Known, attempts: u32) -> Duration {
    let policy = &known.service.policy;
    let Some(doublings) = attempts.checked_sub(1) else {
        return Duration::ZERO;
    };
    let gap = (0..doublings.min(20)).fold(policy.backoff, |gap, _| gap * 2);
    gap.min(policy.backoff_max).mul_f64(1.0 - policy.jitter)
}

/// 13: between two attempts of an incident lies at least the backoff of all that were made since the last clean slate,
/// less jitter; and an incident that opens before they are forgotten is first acted on after that backoff, and not
/// within a minute when its supervisor had given up. An operator's restart in between is a clean slate.
fn invariant_attempts_keep_their_distance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let Some(open) = known.keep.incident.as_ref() else {
        return Err("an attempt outside any incident".into());
    };
    // Counted since the last clean slate; ordinals go on over an operator's restart, backoff does not.
    let attempts = u32::try_from(known.keep.attempts.len()).unwrap_or(u32::MAX);
    let gap = shortest_gap(known, attempts);
    let before = known
        .keep
        .attempts
        .last()
        .filter(|spent| spent.incident == action.incident);
    if let Some(before) = before {
        ensure(action.attempt == before.ordinal + 1, || {
            format!("attempt {} after {}", action.attempt, before.ordinal)
        })?;
    } else if known.keep.operator_took_over.is_some_and(|at| at >= open.at) {
        return Ok(());
    }
    let minute = AFTER_SUPERVISOR.min(known.service.policy.backoff_max);
    let gap = if before.is_none() && open.after_supervisor {
        gap.max(minute)
    } else {
        gap
    };
    let since = before.map_or(open.at, |before| before.at);
    ensure(now.since(since) + Duration::from_micros(1) >= gap, || {
        format!("{:?} after {since:?}, {attempts} attempts", now.since(since))
    })
}

/// 13: what was called off (another run, somebody else's job, no record) is not tried again within five seconds, and
/// what was refused not until something changed.
fn invariant_what_was_called_off_is_not_repeated_at_once(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!known.refused, || "it was refused".into())?;
    ensure(known.called_off_at.is_none_or(|at| now.since(at) >= LOOK_AGAIN), || {
        format!("called off at {:?}", known.called_off_at)
    })
}

/// 14: an own attempt needs a target that is down, or `fall` failed probes in a row of the run that is to be
/// restarted, asked since it was first seen, and none of them in its start grace. What has failed so often stays down
/// until `rise` probes in a row pass; a single failure among them is enough then.
fn invariant_only_what_is_down_is_restarted(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let unhealthy = known.unhealthy() && !known.in_grace(now);
    ensure(known.down().is_some() || unhealthy, || {
        format!("{} probes failed, grace: {}", known.fails, known.in_grace(now))
    })
}

/// 16: no action is ever given to an adapter twice, whatever becomes of the agent.
fn invariant_action_ids_are_never_used_twice(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Acted(action) = entry else { return Ok(()) };
    ensure(!ledger.acted.contains(&action.id), || {
        format!("action {} was made before", action.id)
    })
}

/// 17: an incident is fired at most once and given up at most once, and its messages are counted without a gap.
fn invariant_people_are_told_once(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Notify(message)) = entry else {
        return Ok(());
    };
    let Some(open) = ledger.services[&message.service].told_of(message.kind) else {
        return Err(format!("{:?} outside any incident, or once more", message.kind));
    };
    ensure(message.incident == open.id, || {
        format!("about incident {}, open is {}", message.incident, open.id)
    })?;
    ensure(message.sequence == open.messages + 1, || {
        format!("message {} after {}", message.sequence, open.messages)
    })?;
    let again = match message.kind {
        NotificationKind::Fired => open.fired,
        NotificationKind::GaveUp => open.gave_up,
        NotificationKind::Healed { .. } | NotificationKind::Resolved { .. } => false,
    };
    ensure(!again, || format!("{:?} once more", message.kind))
}

/// 18: `resolved` goes to those who were told of the outage, `healed` tells of an outage of which nobody was told.
fn invariant_the_end_is_told_to_whom_the_beginning_was(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Notify(message)) = entry else {
        return Ok(());
    };
    let open = ledger.services[&message.service].told_of(message.kind);
    let fired = open.is_some_and(|open| open.fired);
    match message.kind {
        NotificationKind::Resolved { .. } => ensure(fired, || "resolved, and nobody had been told".into()),
        NotificationKind::Healed { .. } => ensure(!fired, || "healed, and people had been told".into()),
        NotificationKind::Fired | NotificationKind::GaveUp => Ok(()),
    }
}

/// 19: a human is only called in an open incident, and only after at least one attempt that is still in the window.
/// Forgetting attempts is allowed later than the ledger would, so those are asked for that were ever made.
fn invariant_giving_up_is_part_of_an_incident(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Notify(message)) = entry else {
        return Ok(());
    };
    let known = &ledger.services[&message.service];
    let window = known.service.policy.window;
    let tried = known.keep.ever.iter().any(|(at, _)| now.since(*at) < window);
    ensure(
        message.kind != NotificationKind::GaveUp || (known.keep.incident.is_some() && tried),
        || format!("tried: {tried}, incident {:?}", known.keep.incident),
    )
}

/// 20: a service has at most one open incident: another is only opened after the end of the one before was reported,
/// and what was not open is not closed.
fn invariant_incidents_open_and_close_in_turn(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let open = ledger.services[&report.service].keep.incident.as_ref();
    match report.what {
        Happening::IncidentOpened { .. } => ensure(open.is_none(), || format!("{open:?} is open")),
        Happening::IncidentClosed { .. } => ensure(open.is_some_and(|open| Some(open.id) == report.incident), || {
            format!("{:?} is closed, {open:?} is open", report.incident)
        }),
        _ => Ok(()),
    }
}

/// 21: a service that is called healthy, or stopped, has no open incident; and one that runs and passes its probes is
/// rid of its incident when the time to verify is over, counted from the answer to its last restart.
fn invariant_healthy_services_have_no_incident(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.services.values() {
        let name = &known.service.name;
        let over = ledger.agent_up && matches!(known.state, State::Healthy | State::Stopped);
        ensure(!over || known.keep.incident.is_none(), || {
            format!("{name} is {}: {:?}", known.state.as_str(), known.keep.incident)
        })?;
        let policy = &known.service.policy;
        let bound = policy.verify + policy.min_uptime + policy.interval * policy.rise + SLACK;
        ensure(known.fine_since.is_none_or(|since| now.since(since) <= bound), || {
            format!("{name} has been fine since {:?}", known.fine_since)
        })?;
    }
    Ok(())
}

/// 21: a restart is only said to have helped when another run than the one it was to replace has lived for
/// `min_uptime`, and passed `rise` probes if there are any.
fn invariant_only_a_new_run_that_lasts_is_proof(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let Happening::ActionVerified { .. } = report.what else {
        return Ok(());
    };
    let known = &ledger.services[&report.service];
    let policy = &known.service.policy;
    let fresh = known.replaced.is_none() || known.replaced != known.run;
    let lasts = known.running() && now.since(known.run_began) >= policy.min_uptime;
    let passes = !known.service.has_probes || (known.was_up && known.fails == 0);
    ensure(fresh && lasts && passes, || {
        format!("fresh: {fresh}, lasts: {lasts}, passes: {passes}")
    })
}

/// 22: a service that is down for certain, and may be acted on, and has budget left, is acted on within the longest
/// backoff, the time that an attempt of its own and those of the others may take, and a little.
fn invariant_what_can_be_healed_is_acted_on(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.services.values() {
        let policy = &known.service.policy;
        let longest_gap = policy.backoff_max.mul_f64(1.0 + policy.jitter).max(AFTER_SUPERVISOR);
        let own = ANSWER_MAX + policy.verify.max(policy.start_grace);
        // An answer that is lost holds the host's slot until nobody waits for it any more.
        let others = ANSWER_MAX * u32::try_from(ledger.services.len() - 1).unwrap_or(0);
        let bound = known.settle() + longest_gap + own + others + SLACK;
        ensure(known.due_since.is_none_or(|since| now.since(since) <= bound), || {
            let since = known.due_since;
            format!("{} is due since {since:?}, bound {bound:?}", known.service.name)
        })?;
    }
    Ok(())
}

/// 23: people hear of an incident that lasts, even when it is put down to a dependency. Not in maintenance, and not
/// while the host goes down.
fn invariant_no_outage_is_kept_from_people(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.services.values() {
        let bound = SUPPRESSION_MAX + known.service.policy.notify_after * 2 + SLACK;
        let since = known.untold_since;
        ensure(since.is_none_or(|since| now.since(since) <= bound), || {
            format!("{} is down, and nobody knows since {since:?}", known.service.name)
        })?;
    }
    Ok(())
}

/// 26: what the engine has left to spend is never more than the ledger says, right after a crash of the agent least
/// of all.
fn invariant_agent_crashes_grant_no_budget(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Shown(services) = entry else { return Ok(()) };
    for shown in services {
        let known = &ledger.services[&shown.name];
        let burst = known.service.policy.burst as usize;
        let left = if known.keep.gave_up {
            0
        } else {
            burst.saturating_sub(known.spent(now))
        };
        ensure(shown.attempts_left as usize <= left, || {
            format!("{} has {} attempts, not {left}", shown.name, shown.attempts_left)
        })?;
    }
    Ok(())
}

/// The engine asks to be woken a bounded number of times: per service as often as its probes need, and a little more.
fn invariant_the_engine_does_not_spin(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Woken = entry else { return Ok(()) };
    // Within ten seconds: rounds five times as often as configured, and what each of them and each event may change.
    let rounds = |known: &Known| 10.0 / (known.service.policy.interval.as_secs_f64() / 5.0);
    let bound: f64 = ledger.services.values().map(|known| 4.0 * rounds(known) + 60.0).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let woken = ledger.woken.len() as f64;
    ensure(woken <= bound, || format!("woken {woken} times within ten seconds"))
}

/// What a simulated life amounted to.
#[derive(Default)]
struct Totals {
    hours: f64,
    restarts: u64,
    messages: u64,
    crashes: u64,
    events: u64,
}

/// Lives through `seed`; a violation comes with the end of its story.
fn live(seed: u64, totals: &mut Totals) -> Result<Vec<(Time, Entry)>, String> {
    let mut sim = Sim::new(seed, STORM);
    let mut ledger = Ledger::new(sim.policy.clone(), &sim.services);
    let mut judged = 0;
    let end = Time::ZERO + STORM + CALM;
    let mut goes_on = true;
    while goes_on {
        goes_on = sim.step(end);
        if !goes_on {
            // Silence must not hide what should have happened.
            sim.tape.push(end, Entry::Settled { durable: false });
        }
        for (index, (at, entry)) in sim.tape.entries.iter().enumerate().skip(judged) {
            for (name, invariant) in INVARIANTS {
                invariant(&ledger, *at, entry).map_err(|reason| {
                    let story = tail(&sim.tape.entries[..=index]);
                    format!("{story}\nseed {seed}, invariant {name}: {reason}\n{:#?}", sim.services)
                })?;
            }
            ledger.apply(*at, entry);
            totals.count(entry);
        }
        judged = sim.tape.entries.len();
    }
    totals.hours += end.since_epoch().as_secs_f64() / 3600.0;
    Ok(sim.tape.entries)
}

impl Totals {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Told(_) => self.events += 1,
            Entry::Acted(_) => self.restarts += 1,
            Entry::AgentDied => self.crashes += 1,
            Entry::Decided(Command::Notify(_)) => self.messages += 1,
            _ => {}
        }
    }
}

/// The last lines of a story.
fn tail(entries: &[(Time, Entry)]) -> String {
    let lines: Vec<_> = entries
        .iter()
        .rev()
        .filter_map(|(at, entry)| story::line(*at, entry))
        .take(if only_seed().is_some() { usize::MAX } else { TAIL })
        .collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// The one seed that is asked for.
fn only_seed() -> Option<u64> {
    number_from_environment("SENTINEL_SIM_SEED")
}

fn number_from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn invariants_hold_whatever_goes_wrong() {
    let (first, count) = match only_seed() {
        Some(seed) => (seed, 1),
        None => (0, number_from_environment("SENTINEL_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let began = Instant::now();
    let mut totals = Totals::default();
    let mut violations = Vec::new();
    for seed in first..first + count {
        match live(seed, &mut totals) {
            Ok(tape) if count == 1 => {
                let story: Vec<_> = tape.iter().filter_map(|(at, entry)| story::line(*at, entry)).collect();
                println!("{}", story.join("\n"));
            }
            Ok(_) => {}
            Err(violation) => violations.push(violation),
        }
        if violations.len() == VIOLATIONS_MAX {
            break;
        }
    }
    let Totals {
        hours,
        restarts,
        messages,
        crashes,
        events,
    } = totals;
    println!(
        "{count} seeds, {hours:.0} simulated hours, {restarts} restarts, {messages} messages, {crashes} crashes of the \
         agent, {events} events, in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert!(violations.is_empty(), "{}", violations.join("\n\n"));
    assert!(restarts > count, "too little happened to show anything");
}

/// 24: the same events at the same times lead to the same decisions.
#[test]
fn invariant_the_same_life_is_decided_the_same_way() {
    for seed in 0..10 {
        let first = live(seed, &mut Totals::default());
        let second = live(seed, &mut Totals::default());
        assert!(first.is_ok(), "{first:?}");
        assert!(first == second, "seed {seed} was not decided the same way twice");
    }
}
