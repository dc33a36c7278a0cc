//! How much may be done: at the same time, after one another, to one service and to the whole host.

use std::time::Duration;

use sentinel_engine::{Command, HOST, Hold, Policy, ReportKind, State, Supervisor, Time};

use super::super::ledger::{LOOK_AGAIN, Ledger};
use super::super::tape::Entry;
use super::{AFTER_SUPERVISOR, Judgement, any_action, ensure, own_attempt};

/// 7: at most one action per service, and own attempts only while the host has a free slot. A new run that has not begun
/// in time holds no slot any more, and an answer that has not come after five minutes is lost.
pub(super) fn actions_never_overlap(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(known.flight.is_none(), || format!("{:?} is on its way", known.flight))?;
    let free = ledger.in_flight() < ledger.host.policy.max_in_flight;
    ensure(free || action.attempt == 0, || {
        format!("{} are on their way on this host", ledger.in_flight())
    })
}

/// 7: a service waits for a slot only while restarts whose new run has not begun fill them, or its own action is on its
/// way. A start that takes long holds no other.
pub(super) fn no_start_holds_anothers(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let ReportKind::ActionHeld {
        hold: Hold::InFlight, ..
    } = report.kind
    else {
        return Ok(());
    };
    let known = &ledger.services[&report.service];
    let full = ledger.in_flight() >= ledger.host.policy.max_in_flight;
    ensure(full || known.flight.is_some(), || {
        format!("it waits, and {} of the slots are taken", ledger.in_flight())
    })
}

/// 9: no own attempt after an operator was called, until the service was well for `reset_after` or an operator asked for a
/// restart; except one each `half_open`, if that is wanted.
pub(super) fn nothing_is_done_after_giving_up(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!known.keep.gave_up || known.half_open(now), || {
        format!(
            "a human was called, or it was tried last, at {:?}",
            known.keep.gave_up_at
        )
    })
}

/// 11: at most `burst` own attempts within `window` (half of them, rounded up, when its supervisor gave up), whatever
/// becomes of the agent, unless it was well for `reset_after` between them or an operator asked for a restart. What
/// was called off before anything was done is not counted, and the rare one after an operator was called is not refused.
///
/// Well means one run, seen to run, without `fall` failed probes: what its supervisor restarts is not well. The ledger
/// counts such minutes from when the run was seen, the agent perhaps from a later proof. Where it is therefore not certain
/// that an operator's call is history, one attempt each `half_open` is the rare one still, but no more than that.
pub(super) fn budgets_are_kept(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let burst = known.service.policy.burst;
    let burst = if known.supervisor() == Supervisor::GaveUp {
        burst.div_ceil(2)
    } else {
        burst
    };
    let rare = known.keep.resigned && known.half_open(now);
    ensure(known.spent(now) < burst as usize || rare, || {
        format!("{} attempts were made, {burst} are allowed", known.spent(now))
    })
}

/// An operator's start is a clean slate: at most twice within `window`, and no oftener. So whoever starts it, at most three
/// times `burst` own attempts are made in any window, unless it was well for `reset_after` between them or the agent was
/// asked for a restart. The rare one after an operator was called is not counted.
pub(super) fn whoever_starts_it_budgets_end(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let policy = &known.service.policy;
    // What was spent by another rule was right by that.
    let earlier = known
        .before
        .iter()
        .filter(|(until, _)| now.since(*until) < policy.window);
    let burst = earlier.fold(policy.burst, |burst, (_, policy)| burst.max(policy.burst));
    let made = known
        .keep
        .lately
        .iter()
        .filter(|(at, _)| now.since(*at) < policy.window);
    let (made, rare) = (made.count(), known.keep.resigned && known.half_open(now));
    ensure(made < 3 * burst as usize || rare, || {
        format!("{made} attempts were made, three times {burst} are allowed")
    })
}

/// An operator's start is a clean slate: what the agent had given up is not given up any more, unless it was started so for
/// the third time within the window, or enough was tried since.
pub(super) fn an_operators_start_is_a_clean_slate(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.configured().filter(|known| known.state == State::GaveUp) {
        let policy = &known.service.policy;
        let Some(last) = known.keep.repairs.last() else {
            continue;
        };
        let repairs = known
            .keep
            .repairs
            .iter()
            .filter(|at| last.since(**at) < policy.window)
            .count();
        let since = known.keep.ever.iter().filter(|(at, _)| at >= last).count();
        // One that was under way then counts as well.
        let tried = since + 1 >= policy.burst.div_ceil(2) as usize;
        let reloaded = known.before.iter().any(|(until, _)| *until >= *last);
        ensure(repairs > 2 || tried || reloaded, || {
            format!(
                "{} was started at {last:?}, is given up at {now:?}, tried {since} times",
                known.service.name
            )
        })?;
    }
    Ok(())
}

/// The shortest gap that `backoff` and `jitter` allow after so many attempts.
fn shortest_gap(policy: &Policy, attempts: u32) -> Duration {
    let Some(doublings) = attempts.checked_sub(1) else {
        return Duration::ZERO;
    };
    let gap = (0..doublings.min(20)).fold(policy.backoff, |gap, _| gap * 2);
    gap.min(policy.backoff_max).mul_f64(1.0 - policy.jitter)
}

/// 13: between two attempts of an incident lies at least the backoff of all that were made since the last clean slate,
/// less jitter; and an incident that opens before they are forgotten is first acted on after that backoff. None comes
/// within a minute after its supervisor gave up. An operator's restart in between is a clean slate.
pub(super) fn attempts_keep_their_distance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let Some(open) = known.keep.incident.as_ref() else {
        return Err("an attempt outside any incident".into());
    };
    let rest = AFTER_SUPERVISOR.min(known.service.policy.backoff_max);
    let rested = known
        .keep
        .rests
        .as_ref()
        .is_none_or(|(at, _)| now.since(*at) + Duration::from_micros(1) >= rest);
    ensure(rested || known.supervisor() != Supervisor::GaveUp, || {
        format!("its supervisor gave up: {:?}", known.keep.rests)
    })?;
    // Counted since the last clean slate; ordinals go on over an operator's restart, backoff does not.
    let attempts = u32::try_from(known.keep.attempts.len()).unwrap_or(u32::MAX);
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
    let since = before.map_or(open.at, |before| before.at);
    // The gap was drawn when it began, by the rules of that time.
    let earlier = known
        .before
        .iter()
        .filter(|(until, _)| *until >= since)
        .map(|(_, policy)| shortest_gap(policy, attempts));
    let gap = earlier.fold(shortest_gap(&known.service.policy, attempts), Duration::min);
    ensure(now.since(since) + Duration::from_micros(1) >= gap, || {
        format!("{:?} after {since:?}, {attempts} attempts", now.since(since))
    })
}

/// 13: what was called off (another run, another party's job, no record) is not tried again within five seconds, and
/// what was refused not until something changed or its time has come, nor for ten minutes what would have hurt others.
pub(super) fn what_was_called_off_is_not_repeated_at_once(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.refused_until.is_none_or(|until| now >= until), || {
        format!("it was refused, until {:?}", known.refused_until)
    })?;
    ensure(known.too_wide_until.is_none_or(|until| now >= until), || {
        format!("it would hurt others, until {:?}", known.too_wide_until)
    })?;
    ensure(known.called_off_at.is_none_or(|at| now.since(at) >= LOOK_AGAIN), || {
        format!("called off at {:?}", known.called_off_at)
    })
}

/// 12: within any time T, at most as many own attempts on the whole host as the bucket holds and T refills, whatever
/// becomes of the agent.
pub(super) fn the_host_is_spared(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    if own_attempt(ledger, entry).is_none() {
        return Ok(());
    }
    // The first of a span is the `count`th before and including this one.
    for ((from, _), count) in ledger.host.keep.actions.iter().rev().zip(2..) {
        let allowed = ledger.host.allowance(*from, now);
        ensure(count <= allowed, || {
            format!("{count} attempts since {from:?}, {allowed} are allowed")
        })?;
    }
    Ok(())
}

/// The storm breaker: no own attempt for `storm_hold` after `storm_services` of them went down within `storm_window`,
/// each for itself.
pub(super) fn storms_stop_everything(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    if own_attempt(ledger, entry).is_none() {
        return Ok(());
    }
    ensure(!ledger.host.storms(now), || format!("{:?}", ledger.host.keep))
}

/// The storm breaker: a storm is only told of when so many services went down within the window.
pub(super) fn storms_are_not_made_up(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let begins = report.service.as_str() == HOST && matches!(report.kind, ReportKind::IncidentOpened { .. });
    ensure(!begins || ledger.host.may_storm(now), || {
        format!("{:?}", ledger.host.keep)
    })
}
