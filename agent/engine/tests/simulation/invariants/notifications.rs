//! What receivers are sent: once, in order, and not too late.

use std::time::Duration;

use sentinel_engine::{Command, HOST, News, NotificationKind, ReportKind, Resolution, Time};

use super::super::ledger::{ANSWER_MAX, Ledger};
use super::super::tape::Entry;
use super::{Judgement, SLACK, ensure, message};

/// The longest that one alert speaks for dependents.
const SUPPRESSION_MAX: Duration = Duration::from_secs(600);
/// A stop without a limit of its own, and what comes after it.
const STOP_MAX: Duration = Duration::from_secs(95);
/// What is busy with one thing after the other has so long for all of them.
const AWAY_MAX: Duration = Duration::from_secs(600);
/// So many incidents within so long are too many to be reported each.
const FLAPPING: usize = 6;
const FLAPPING_WITHIN: Duration = Duration::from_secs(15 * 60);

/// 3 and 1: no receiver is notified of an outage in maintenance, or while the host goes down.
pub(super) fn nothing_fires_in_maintenance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(message) = message(ledger, entry) else {
        return Ok(());
    };
    let alarm = matches!(message.kind, NotificationKind::Fired | NotificationKind::GaveUp { .. });
    let expected = ledger.going_down || ledger.services[&message.service].in_maintenance(now);
    ensure(!alarm || !expected, || format!("{:?}", message.kind))
}

/// 17: an incident is fired at most once and given up at most once, and its messages are counted without a gap.
pub(super) fn each_is_notified_once(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some(message) = message(ledger, entry) else {
        return Ok(());
    };
    let known = &ledger.services[&message.service];
    if known.is_late_end(message) {
        return Ok(());
    }
    let Some(open) = known.incident_of(message.kind) else {
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
        NotificationKind::GaveUp { .. } => open.gave_up,
        NotificationKind::Healed { .. }
        | NotificationKind::Resolved { .. }
        | NotificationKind::Flapping { .. }
        | NotificationKind::FlappingEnded { .. }
        | NotificationKind::Update { .. }
        | NotificationKind::Escalated { .. } => false,
    };
    ensure(!again, || format!("{:?} once more", message.kind))
}

/// 18: `resolved` goes to those who were notified of the outage, `healed` reports an outage of which no receiver was
/// notified.
pub(super) fn the_end_follows_its_beginning(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some(message) = message(ledger, entry) else {
        return Ok(());
    };
    let open = ledger.services[&message.service].incident_of(message.kind);
    let fired = open.is_some_and(|open| open.fired);
    match message.kind {
        NotificationKind::Resolved { .. } => ensure(fired, || "resolved, and nobody had been told".into()),
        NotificationKind::Healed { .. } => ensure(!fired, || "healed, and people had been told".into()),
        NotificationKind::Fired
        | NotificationKind::GaveUp { .. }
        | NotificationKind::Flapping { .. }
        | NotificationKind::FlappingEnded { .. }
        | NotificationKind::Update {
            news: News::Restarted { .. },
            ..
        } => Ok(()),
        NotificationKind::Update { news: News::Grown, .. } => {
            let is_host = message.service.as_str() == HOST;
            ensure(fired && is_host, || "it has grown, and nobody had been told".into())
        }
        NotificationKind::Update { .. } | NotificationKind::Escalated { .. } => Err("said by alerting alone".into()),
    }
}

/// 19: an operator is only called in an open incident, and only after at least one attempt that is still in the window.
/// Forgetting attempts is allowed later than the ledger would, so those are asked for that were ever made.
pub(super) fn giving_up_is_part_of_an_incident(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(message) = message(ledger, entry) else {
        return Ok(());
    };
    let known = &ledger.services[&message.service];
    let window = known.service.policy.window;
    let tried = known.keep.ever.iter().any(|(at, _)| now.since(*at) < window);
    ensure(
        !matches!(message.kind, NotificationKind::GaveUp { .. }) || (known.keep.incident.is_some() && tried),
        || format!("tried: {tried}, incident {:?}", known.keep.incident),
    )
}

/// 20: a service has at most one open incident: another is only opened after the end of the one before was reported,
/// and what was not open is not closed.
pub(super) fn incidents_open_and_close_in_turn(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let open = ledger.services[&report.service].keep.incident.as_ref();
    match report.kind {
        ReportKind::IncidentOpened { .. } => ensure(open.is_none(), || format!("{open:?} is open")),
        ReportKind::IncidentClosed { .. } => ensure(open.is_some_and(|open| Some(open.id) == report.incident), || {
            format!("{:?} is closed, {open:?} is open", report.incident)
        }),
        _ => Ok(()),
    }
}

/// 20: an outage ends with an answer that no failure followed, and its proof comes later. What is well was proved, and what
/// was not seen to fail was not down.
pub(super) fn an_outage_ends_after_its_last_failure(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let ReportKind::IncidentClosed { resolution, outage, .. } = report.kind else {
        return Ok(());
    };
    let well = !matches!(resolution, Resolution::Stopped | Resolution::Unmanaged);
    ensure(outage.proved.is_some() == (well && outage.down.is_some()), || {
        format!("{resolution:?}, {outage:?}")
    })?;
    let (Some(down), Some(proved)) = (outage.down, outage.proved) else {
        return Ok(());
    };
    ensure(down <= proved, || format!("proved before it was up: {outage:?}"))?;
    let failed_at = ledger.services[&report.service].keep.failed_at;
    ensure(proved <= down + now.since(failed_at), || {
        format!("it failed at {failed_at:?}, after it was up: {outage:?}")
    })
}

/// 23: operators hear of an incident that lasts, even when it is put down to a dependency. Not in maintenance, and not
/// while the host goes down.
pub(super) fn no_outage_is_kept_back(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.configured() {
        let policy = &known.service.policy;
        let bound = SUPPRESSION_MAX + policy.notify_after * 2 + policy.verify + SLACK;
        let since = known.unnotified_since;
        ensure(since.is_none_or(|since| now.since(since) <= bound), || {
            format!("{} is down, and nobody knows since {since:?}", known.service.name)
        })?;
    }
    Ok(())
}

/// Nothing down stays silent beyond its bound: what does not run, whatever is busy with it, has an incident in the end.
/// From then on it is [`no_outage_is_kept_back`] that asks.
pub(super) fn nothing_down_stays_silent_beyond_its_bound(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.configured() {
        let policy = &known.service.policy;
        let busy = STOP_MAX.max(policy.start_grace);
        let bound = busy + policy.notify_after.max(AWAY_MAX) + ANSWER_MAX + policy.verify + SLACK;
        let since = known.silent_since;
        ensure(since.is_none_or(|since| now.since(since) <= bound), || {
            format!(
                "{} does not run, and nothing is said since {since:?}",
                known.service.name
            )
        })?;
    }
    Ok(())
}

/// Flapping: one message in, which needs that many incidents in that time; then neither `fired` nor `healed` until the
/// one message out, in the same conversation.
pub(super) fn flapping_is_notified_once_and_its_end_once(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some(message) = message(ledger, entry) else {
        return Ok(());
    };
    let known = &ledger.services[&message.service];
    let flapping = known.keep.flapping;
    match message.kind {
        NotificationKind::Flapping { .. } => {
            let lately = known.keep.opened.iter().filter(|at| now.since(**at) < FLAPPING_WITHIN);
            let enough = lately.count() >= FLAPPING;
            ensure(flapping.is_none() && enough, || {
                format!("flapping {flapping:?}, enough: {enough}")
            })
        }
        NotificationKind::FlappingEnded { .. } => ensure(flapping == Some(message.incident), || {
            format!("flapping was told in {flapping:?}, its end in {}", message.incident)
        }),
        NotificationKind::Fired | NotificationKind::Healed { .. } => {
            ensure(flapping.is_none(), || format!("it flaps since incident {flapping:?}"))
        }
        NotificationKind::GaveUp { .. }
        | NotificationKind::Resolved { .. }
        | NotificationKind::Update { .. }
        | NotificationKind::Escalated { .. } => Ok(()),
    }
}
