//! When nothing may be done: what each of these forbids is forbidden however long the service has been down.

use sentinel_engine::{Intent, Mode, OnCleanExit, Time};

use super::super::ledger::Ledger;
use super::super::tape::Entry;
use super::{Judgement, any_action, ensure, own_attempt};

/// 1: no own attempt from the moment the agent is informed that the host goes down until that is called off, nor on a
/// target that is down because its daemon goes down.
pub(super) fn nothing_is_done_while_the_host_goes_down(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(!ledger.going_down && known.down() != Some(Intent::Shutdown), || {
        "the host goes down".into()
    })
}

/// 2: no action, not even one that was asked for, on a target that is not seen, or has not been seen since the agent
/// started; and none on what has no target.
pub(super) fn nothing_is_done_without_an_observation(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    ensure(known.service.has_target && !known.unobservable(), || {
        format!("seen: {:?}", known.seen())
    })
}

/// 3: no own attempt while paused, while a deploy is under way or a window is open, nor in observe mode. A pause or a
/// deploy that was recorded survives the agent.
pub(super) fn nothing_is_done_in_maintenance(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(
        !known.in_maintenance(now) && known.service.policy.mode == Mode::Heal,
        || {
            format!(
                "pause {:?}, deploys {:?}, window {}",
                known.keep.pause, known.keep.deploys, known.window
            )
        },
    )
}

/// 4: no own attempt on a run that was stopped on purpose (by an operator, or for what conflicts with it), however it
/// looks by now, until it, or another run, is seen running; nor on one that may have been stopped,
/// or ended as it was meant to. Across crashes of the agent as well, when it had time to record the stop.
///
/// What failed unseen may be restarted when it was seen down in the open incident before: it is that failure.
pub(super) fn no_operator_stop_is_undone(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
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
        Intent::AskedToStop => known.drain.as_ref().is_some_and(|drain| drain.over),
        Intent::OneshotFailed => known.service.policy.retry_oneshot,
        Intent::OperatorStop
        | Intent::ConflictStop
        | Intent::Shutdown
        | Intent::NotApplicable
        | Intent::ConditionNotMet => false,
    };
    ensure(allowed, || format!("it is down by {intent:?}"))
}

/// 5: no own attempt while another party is busy with the target: starting, stopping, reloading, a job, frozen, or
/// about to be restarted by its supervisor. The one exception is what shows a reload that has long ended, and hangs.
pub(super) fn nothing_busy_is_disturbed(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.busy().is_none() || known.hangs_in_reload(now), || {
        format!("busy: {:?}", known.busy())
    })
}

/// 5: a run that went down is left to its supervisor for the whole of `settle`, counted from when this very run was
/// first seen down.
pub(super) fn supervisors_go_first(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let Some(down_at) = known.down_at else { return Ok(()) };
    ensure(now.since(down_at) >= known.settle(), || {
        format!("seen down {:?} ago, settle {:?}", now.since(down_at), known.settle())
    })
}

/// 10: no own attempt while something it depends on is down, being started or stopped, or in an incident that is not
/// over; or has not been seen since the agent started. What cannot be observed blocks nothing: its absence is not known.
pub(super) fn dependencies_go_first(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let down = ledger.dependency_down(known);
    ensure(down.is_none(), || {
        let down = down.map(|dependency| (&dependency.service.name, dependency.seen(), &dependency.keep.incident));
        format!("it depends on {down:?}")
    })
}

/// 30: what fell with another, or could not be started without it, is not started before that one is back; nor ever, where
/// nothing is configured that it comes after, when it is not known that the other one failed, unless it is in an incident.
/// That it is started once the other is back is for [`super::progress::what_can_be_healed_is_acted_on`].
pub(super) fn what_fell_with_another_waits_for_it(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let other = known.fell_with();
    ensure(other.is_none_or(|other| other.is_back), || {
        format!("it fell with {other:?}")
    })?;
    let bound = known.down() == Some(Intent::DependencyStop) && known.service.after.is_empty();
    ensure(!bound || known.may_have_fallen() || known.fell_in_incident, || {
        format!("it was stopped with {other:?}")
    })
}

/// 14: an own attempt needs a target that is down, or `fall` failed probes in a row of the run that is to be
/// restarted, asked since it was first seen, and none of them in its start grace or within half a minute after the host
/// was suspended; or `fall` among its last `fall_of`. What has failed so often stays down until `rise` probes in a row pass; a single failure among them is enough then.
pub(super) fn only_what_is_down_is_restarted(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    let unhealthy = known.unhealthy() && !known.in_grace(now);
    ensure(known.down().is_some() || unhealthy, || {
        format!("{} probes failed, grace: {}", known.fails, known.in_grace(now))
    })
}

/// 4: no own attempt on a run that was asked to end less than ten minutes ago, whatever is seen of it, unless it has failed
/// and been well again since. A death is what its watcher calls it, which knows when the run was asked: what is told late
/// of that, after a suspend say, is not known here.
pub(super) fn no_drain_is_cut_short(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.down() == Some(Intent::Crash) || !known.drains(now), || {
        format!("{:?}", known.drain)
    })
}

/// 15: no own attempt within `boot_grace` of the host's boot, however often the agent starts in it.
pub(super) fn nothing_is_done_while_the_host_boots(ledger: &Ledger, now: Time, entry: &Entry) -> Judgement {
    if own_attempt(ledger, entry).is_none() {
        return Ok(());
    }
    let up = now.since(ledger.host.booted_at);
    ensure(up >= ledger.host.policy.boot_grace, || format!("booted {up:?} ago"))
}

/// 28: no action on anything that the configuration does not name now. An empty list of services is no reason to act on
/// any, nor on all.
pub(super) fn nothing_is_done_to_what_is_not_configured(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = any_action(ledger, entry) else {
        return Ok(());
    };
    let count = ledger.configured().count();
    ensure(known.configured, || {
        format!("{count} services are configured, and it is none of them")
    })
}

/// 29: nothing that runs is restarted for a probe that has never passed on it.
pub(super) fn nothing_that_never_passed_is_restarted_for_it(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.down().is_some() || known.keep.passed, || {
        "it runs, and its probe has never passed".into()
    })
}

/// 29: nothing that runs is restarted before `fall` failures since its last pass, or among its last `fall_of` results, were
/// of a kind that a restart may help against.
pub(super) fn what_a_restart_cannot_help_restarts_nothing(ledger: &Ledger, _: Time, entry: &Entry) -> Judgement {
    let Some((_, known)) = own_attempt(ledger, entry) else {
        return Ok(());
    };
    ensure(known.down().is_some() || known.failed_enough(), || {
        format!("only {} failures count", known.counted)
    })
}
