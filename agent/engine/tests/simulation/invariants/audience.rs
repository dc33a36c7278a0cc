//! What alerting makes of what the engine says: whom it reaches, who hears the end, and who is left in peace.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::alerting::Outgoing;
use sentinel_engine::{Command, News, NotificationKind, Time};

use super::super::ledger::Ledger;
use super::super::tape::Entry;
use super::{Judgement, ensure};

fn outgoing(entry: &Entry) -> Option<&Outgoing> {
    match entry {
        Entry::Decided(Command::Notify(outgoing)) => Some(outgoing),
        _ => None,
    }
}

/// 31: a first message reaches whom the routes choose and whoever heard before, and no one else; an end, a repeat and what
/// else belongs to it reach exactly those who heard; an escalation those who had not.
pub(super) fn messages_reach_whom_the_rules_choose(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let audience = &ledger.audience;
    if let Entry::Settled { .. } = entry {
        for (id, known) in &audience.keep.notification_logs {
            let missing = known.owed.as_ref().filter(|(_, owed)| !owed.is_empty());
            ensure(missing.is_none(), || format!("incident {id} did not reach {missing:?}"))?;
        }
        return Ok(());
    }
    let Some(outgoing) = outgoing(entry) else { return Ok(()) };
    let message = &outgoing.notification;
    let names: BTreeSet<String> = outgoing.receivers.keys().cloned().collect();
    ensure(!names.is_empty() && names.is_subset(&audience.rules.receivers), || {
        format!("to {names:?}, configured are {:?}", audience.rules.receivers)
    })?;
    let known = audience.keep.notification_logs.get(&message.incident);
    let heard: Option<BTreeSet<String>> = known.map(|known| known.receivers.keys().cloned().collect());
    let chosen = audience.chosen(&message.service, message.severity);
    let otherwise = |should: &BTreeSet<String>| format!("{:?} to {names:?}, not {should:?}", message.kind);
    match message.kind {
        NotificationKind::Fired | NotificationKind::GaveUp { .. } | NotificationKind::Flapping { .. } => {
            let allowed: BTreeSet<String> = chosen.union(&heard.unwrap_or_default()).cloned().collect();
            ensure(names.is_subset(&allowed), || otherwise(&allowed))
        }
        NotificationKind::Healed { .. }
        | NotificationKind::Update {
            news: News::Restarted { .. },
            ..
        } => ensure(names == chosen, || otherwise(&chosen)),
        NotificationKind::Escalated { .. } => {
            let heard = heard.unwrap_or_default();
            ensure(names.is_disjoint(&heard), || format!("{names:?} had heard of it"))
        }
        NotificationKind::Resolved { .. }
        | NotificationKind::FlappingEnded { .. }
        | NotificationKind::Update { .. } => {
            // Of what is not known any more, whoever might have heard hears the end.
            heard.map_or(Ok(()), |heard| ensure(names == heard, || otherwise(&heard)))
        }
    }
}

/// 32: whoever heard of the beginning hears of the end, silenced or not, in the turn in which it ends.
pub(super) fn whoever_heard_the_beginning_hears_the_end(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for (id, known) in &ledger.audience.keep.notification_logs {
        let owed = known.closed && !known.ended && !known.flapping && !known.receivers.is_empty();
        ensure(!owed, || {
            format!("incident {id} is over, and {:?} do not know", known.receivers.keys())
        })?;
    }
    Ok(())
}

/// 33: a silence keeps back everything about its services but the end of what was heard of.
pub(super) fn silences_are_kept(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(outgoing) = outgoing(entry) else { return Ok(()) };
    let message = &outgoing.notification;
    let ends = matches!(
        message.kind,
        NotificationKind::Resolved { .. } | NotificationKind::FlappingEnded { .. }
    );
    ensure(ends || !ledger.audience.is_silenced(&message.service, now), || {
        format!("{:?} of what is silenced", message.kind)
    })
}

/// 34: an incident that was acknowledged or is over is neither repeated nor escalated, nor is one in maintenance.
pub(super) fn reminders_are_due(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(outgoing) = outgoing(entry) else { return Ok(()) };
    let message = &outgoing.notification;
    let reminds = matches!(
        message.kind,
        NotificationKind::Escalated { .. }
            | NotificationKind::Update {
                news: News::StillDown,
                ..
            }
    );
    let known = ledger.audience.keep.notification_logs.get(&message.incident);
    let done = known.is_some_and(|known| known.acknowledged || known.closed);
    let expected = ledger.going_down || ledger.services[&message.service].in_maintenance(now);
    ensure(!reminds || !(done || expected), || {
        format!(
            "{:?}, acknowledged or over: {done}, in maintenance: {expected}",
            message.kind
        )
    })
}

/// 35: a receiver hears of an incident once that it is down, as often that the agent gave up as it did, and once by an escalation; it is
/// reminded `repeat_interval` after it last heard.
pub(super) fn messages_are_bounded(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(outgoing) = outgoing(entry) else { return Ok(()) };
    let message = &outgoing.notification;
    let Some(known) = ledger.audience.keep.notification_logs.get(&message.incident) else {
        return Ok(());
    };
    for name in outgoing.receivers.keys() {
        let heard = known.receivers.get(name).cloned().unwrap_or_default();
        let again = match message.kind {
            NotificationKind::Fired => heard.fired > 0,
            NotificationKind::GaveUp { .. } => heard.gave_up >= known.gave_up,
            NotificationKind::Escalated { .. } => heard.escalated > 0,
            _ => false,
        };
        ensure(!again, || format!("{:?} to {name} once more", message.kind))?;
    }
    let reminds = matches!(
        message.kind,
        NotificationKind::Update {
            news: News::StillDown,
            ..
        }
    );
    let due = known.last.zip(ledger.audience.rules.repeat_interval);
    // The store knows no nanoseconds.
    let due = due.map(|(last, interval)| (last + interval).back(Duration::from_millis(1)));
    ensure(!reminds || due.is_some_and(|due| due <= now), || {
        format!("reminded at {now:?}, due at {due:?}")
    })
}
