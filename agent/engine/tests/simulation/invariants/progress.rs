//! What must happen in the end: what can be healed is healed, what is over is closed, and none of it by asking forever.

use std::time::Duration;

use sentinel_engine::{Command, HOST, Limits, ReportKind, State, Time};

use super::super::known::Known;
use super::super::ledger::{ANSWER_MAX, Ledger, STOP_SPARE, UNANSWERED_MAX};
use super::super::tape::Entry;
use super::{AFTER_SUPERVISOR, Judgement, SLACK, ensure};

/// The longest time between rare attempts in the simulation.
const HALF_OPEN_MAX: Duration = Duration::from_secs(3600);

/// The longest time that a process which accepts no connection has to prove itself.
const SLOW_START_MAX: Duration = Duration::from_secs(600);

/// Wake-ups within ten seconds that no operator asks about.
const WAKES: usize = 120;

/// 21: a service that is called healthy, or stopped, has no open incident; and one that runs and passes its probes is
/// rid of its incident when the time to verify is over, counted from the answer to its last restart. The host's own
/// incident is over with the last of those that it is about.
pub(super) fn healthy_services_have_no_incident(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    let over_since = ledger.services.get(HOST).and_then(|host| host.fine_since);
    ensure(over_since.is_none_or(|since| now.since(since) <= SLACK), || {
        format!("the host has an incident, and no service has had one since {over_since:?}")
    })?;
    for known in ledger.configured() {
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
pub(super) fn only_a_new_run_that_lasts_is_proof(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Decided(Command::Report(report)) = entry else {
        return Ok(());
    };
    let ReportKind::ActionVerified { .. } = report.kind else {
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

/// 22: a service that is down for certain, and may be acted on, and has budget left, or is due for one more attempt after
/// an operator was called, is acted on within the longest
/// backoff, the time that an attempt of its own and those of the others may take, and a little.
pub(super) fn what_can_be_healed_is_acted_on(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.configured() {
        let policy = &known.service.policy;
        let longest_gap = policy.backoff_max.mul_f64(1.0 + policy.jitter).max(AFTER_SUPERVISOR);
        // What lives and accepts no connection may only be slow to start, and has up to ten minutes.
        let own = ANSWER_MAX + policy.verify.max(policy.start_grace).max(SLOW_START_MAX);
        // A run that does not begin holds the host's slot until nothing waits for it any more; a start that takes long
        // holds none.
        let begins = Limits::USUAL + STOP_SPARE;
        let others = begins * u32::try_from(ledger.services.len()).unwrap_or(0);
        let rare = if known.keep.resigned {
            HALF_OPEN_MAX
        } else {
            Duration::ZERO
        };
        let bound = known.settle() + longest_gap + own + others + rare + SLACK;
        ensure(known.due_since.is_none_or(|since| now.since(since) <= bound), || {
            let since = known.due_since;
            format!("{} is due since {since:?}, bound {bound:?}", known.service.name)
        })?;
    }
    Ok(())
}

/// 13: a refusal that passes is asked again: what should be acted on, and was refused because nothing answered, is
/// asked for again within five minutes, and the time that those before it may take.
pub(super) fn what_passes_is_asked_again(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Entry::Settled { .. } = entry else { return Ok(()) };
    for known in ledger.configured().filter(|known| known.unanswered > 0) {
        let policy = &known.service.policy;
        let gap = policy.backoff_max.mul_f64(1.0 + policy.jitter).max(AFTER_SUPERVISOR);
        let others = (Limits::USUAL + STOP_SPARE) * u32::try_from(ledger.services.len()).unwrap_or(0);
        let rare = if known.keep.resigned {
            HALF_OPEN_MAX
        } else {
            Duration::ZERO
        };
        // `due_since` begins when its time has come, five minutes after the last answer at most.
        let bound = known.settle() + gap + others + rare + SLACK;
        ensure(known.due_since.is_none_or(|since| now.since(since) <= bound), || {
            format!("{} was not asked again since {:?}", known.service.name, known.due_since)
        })?;
        let latest = known
            .refused_until
            .is_none_or(|until| until.since(now) <= UNANSWERED_MAX);
        ensure(latest, || {
            format!(
                "{} is not asked again before {:?}",
                known.service.name, known.refused_until
            )
        })?;
    }
    Ok(())
}

/// The engine asks to be woken a bounded number of times: per service as often as its probes need, and a little more.
pub(super) fn the_engine_does_not_spin(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Entry::Woken = entry else { return Ok(()) };
    if ledger.woken.len() <= WAKES {
        return Ok(());
    }
    // Within ten seconds: rounds five times as often as configured, and what each of them and each event may change.
    let rounds = |known: &Known| 10.0 / (known.service.policy.interval.as_secs_f64() / 5.0);
    let bound: f64 = ledger.configured().map(|known| 4.0 * rounds(known) + 60.0).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let woken = (ledger.woken.len() - WAKES) as f64;
    ensure(woken <= bound, || {
        format!("woken {} times within ten seconds", ledger.woken.len())
    })
}
