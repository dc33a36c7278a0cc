//! What is remembered: actions are about the run that was judged, are on disk before they are done, and neither crashes,
//! clocks nor configurations give anything back.

use sentinel_engine::{ActionKind, Activity, Command, Time};

use super::super::ledger::Ledger;
use super::super::tape::Entry;
use super::{Judgement, any_action, ensure, own_attempt};

/// 6: an action expects the run that was last seen, and its verb fits what was last seen of it. What an operator asks
/// for while another party is busy with the target is left to the adapter to refuse.
pub(super) fn actions_are_about_the_run_that_was_judged(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((action, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(action.expected == known.run, || {
        format!("expects {:?}, last seen {:?}", action.expected, known.run)
    })?;
    let fits = match action.kind {
        ActionKind::Start | ActionKind::StartTrigger => known.down().is_some(),
        ActionKind::Restart => known.running() || known.busy() == Some(Activity::Reloading) || action.attempt == 0,
    };
    ensure(fits, || {
        format!("{} of what was seen as {:?}", action.kind.as_str(), known.seen())
    })
}

/// 8: an adapter only gets an action whose intent is recorded, and the token it cost with it; and no own attempt is even decided on while the store
/// is known not to be writable.
pub(super) fn intents_are_on_disk_before_the_act(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    ensure(ledger.store_writable || own_attempt(ledger, entry).is_none(), || {
        "the store cannot be written".into()
    })?;
    let Entry::Acted(action) = entry else { return Ok(()) };
    ensure(ledger.intents.contains(&action.id), || {
        format!("action {} is not on disk", action.id)
    })?;
    ensure(!ledger.host.unsaved.contains(&action.id), || {
        format!("the token of action {} is not on disk", action.id)
    })
}

/// 16: no action is ever given to an adapter twice, whatever becomes of the agent.
pub(super) fn action_ids_are_never_used_twice(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Acted(action) = entry else { return Ok(()) };
    ensure(!ledger.acted.contains(&action.id), || {
        format!("action {} was made before", action.id)
    })
}

/// 26: what the engine has left to spend is never more than the ledger says, right after a crash of the agent least
/// of all.
pub(super) fn agent_crashes_grant_no_budget(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
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

/// 25: decisions are dated by the moment that the driver tells, and by nothing else; it never asks to be woken in the
/// past. (That other clocks change nothing at all is shown by `the_wall_clock_changes_nothing`.)
pub(super) fn only_the_drivers_clock_counts(_: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let at = match entry {
        Entry::Decided(Command::Report(report)) => report.at,
        Entry::Decided(Command::Notify(outgoing)) => {
            let message = &outgoing.notification;
            ensure(message.opened_at <= now, || {
                format!("it opens at {:?}", message.opened_at)
            })?;
            message.at
        }
        _ => return Ok(()),
    };
    ensure(at == now, || format!("it is dated {at:?}"))
}

/// 27: a reload gives nothing back: afterwards a service has no more attempts left than before, but for those by which
/// its `burst` was raised, and those that have left the window meanwhile. That holds for one that is removed and returns, too. (Renamed, it is another service.)
pub(super) fn reloads_grant_no_budget(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Shown(services) = entry else { return Ok(()) };
    for shown in services {
        let known = &ledger.services[&shown.name];
        let Some(before) = known.shown.filter(|_| known.reloaded) else {
            continue;
        };
        ensure(shown.attempts_left <= known.may_have_left(before, now), || {
            format!("{} had {before:?} left and has {}", shown.name, shown.attempts_left)
        })?;
        ensure(!known.keep.gave_up || shown.attempts_left == 0, || {
            format!(
                "{} was given up and has {} attempts left",
                shown.name, shown.attempts_left
            )
        })?;
    }
    Ok(())
}
