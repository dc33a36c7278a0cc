//! Takes in observations of the target, and tells its runs apart.

use std::time::Duration;

use super::{Context, Machine};
use crate::cause::Cause;
use crate::ids::RunId;
use crate::observation::{Activity, FellWith, Intent, Limits, Observation, StartedBy, Supervisor, TargetState};
use crate::outage::Starter;
use crate::policy::Settle;
use crate::state::Hold;
use crate::time::Time;
use crate::timers::Timer;

/// How long a target with a supervisor of its own is left to it. systemd reports `failed` half a millisecond before
/// it restarts a unit by itself; five seconds also cover a busy host and Docker's first delays.
const SETTLE_SUPERVISED: Duration = Duration::from_secs(5);

/// After a suspend everything needs a moment: networks, clocks, clients that reconnect.
const AFTER_RESUME: Duration = Duration::from_secs(30);

/// How long the first observation of a target is waited for before its probes alone decide. systemd and Docker show all of theirs
/// within seconds, or say that they cannot be reached.
const FIRST_OBSERVATION: Duration = Duration::from_secs(30);

/// The target as its watcher shows it, and the run that it is in.
#[derive(Debug)]
pub(super) struct Target {
    /// As last observed; `None` before the first observation.
    pub(super) observation: Option<Observation>,
    /// When the present run began, as far as known.
    pub(super) run_since: Time,
    /// Since when the target has been down.
    pub(super) down_since: Option<Time>,
    /// The run that the agent last acted on: what follows it is the agent's doing.
    pub(super) acted_on: Option<RunId>,
    /// The run before this one, until it is known who began this one.
    pub(super) run_before: Option<RunBefore>,
}

/// The run before the one that is there: which, or that it had no name.
#[derive(Clone, Debug)]
pub(super) struct RunBefore(pub(super) Option<RunId>);

impl Target {
    pub(super) fn new(now: Time) -> Self {
        Self {
            observation: None,
            run_since: now,
            down_since: None,
            acted_on: None,
            run_before: None,
        }
    }

    /// Another target takes its place, of which nothing has been observed.
    pub(super) fn replace(&mut self, now: Time) {
        self.observation = None;
        self.down_since = None;
        self.run_since = now;
    }

    /// What it is doing, as far as it was observed.
    pub(super) fn state(&self) -> Option<&TargetState> {
        self.observation.as_ref().map(|observation| &observation.state)
    }

    /// Which run it is in, or was in last.
    pub(super) fn run(&self) -> Option<&RunId> {
        self.observation.as_ref()?.run.as_ref()
    }

    /// Whether something else will restart it.
    pub(super) fn supervisor(&self) -> Supervisor {
        self.observation
            .as_ref()
            .map_or(Supervisor::Passive, |observation| observation.supervisor)
    }

    /// How long its supervisor lets it take, as far as was observed.
    pub(super) fn limits(&self) -> Limits {
        self.observation
            .as_ref()
            .map_or_else(Limits::default, |observation| observation.limits)
    }

    /// Whether its supervisor has a job for it, whose end is still to come.
    pub(super) fn has_job(&self) -> bool {
        let observation = self.observation.as_ref();
        observation.is_some_and(|observation| observation.details.has_job)
    }

    /// With what it went down, as far as its watcher can tell.
    pub(super) fn fell_with(&self) -> Option<&FellWith> {
        self.observation.as_ref()?.details.fell_with.as_deref()
    }

    /// What has to run again before it is started.
    pub(super) fn waits_for(&self) -> Option<&FellWith> {
        self.fell_with().filter(|other| !other.is_back)
    }

    /// What the supervisor's own check of a running target says, if it fails.
    pub(super) fn unhealthy(&self) -> Option<&str> {
        match &self.observation.as_ref()?.state {
            TargetState::Unhealthy(output) => Some(output),
            _ => None,
        }
    }

    /// Why its supervisor's own check of a running target cannot be run, if so, and whether what runs it is away.
    pub(super) fn unchecked(&self) -> Option<(&str, bool)> {
        match &self.observation.as_ref()?.state {
            TargetState::Unchecked { reason, runtime_away } => Some((reason, *runtime_away)),
            _ => None,
        }
    }

    /// Why the target cannot run as it is.
    pub(super) fn unusable(&self) -> Option<&str> {
        match &self.observation.as_ref()?.state {
            TargetState::Unusable(reason) => Some(reason),
            _ => None,
        }
    }

    /// In words; `None` before the first observation.
    fn describe(&self) -> Option<String> {
        Some(match self.state()? {
            TargetState::Unknown(why) => format!("not seen: {why}"),
            TargetState::Unusable(why) => format!("cannot run: {why}"),
            TargetState::Running => "running".into(),
            TargetState::Unhealthy(output) if output.is_empty() => "unhealthy".into(),
            TargetState::Unhealthy(output) => format!("unhealthy: {output}"),
            TargetState::Unchecked { reason, .. } => format!("running, and its health check cannot be run: {reason}"),
            TargetState::Busy(activity) => activity.as_str().into(),
            TargetState::Down {
                intent: Intent::Crash,
                cause,
            } => format!("down: {cause}"),
            TargetState::Down { intent, cause } => format!("down ({}): {cause}", intent.as_str()),
        })
    }
}

impl Machine {
    /// The target was observed, or cannot be any more.
    pub(crate) fn observe(&mut self, observation: Observation, cx: &mut Context<'_>) {
        let unobservable = matches!(observation.state, TargetState::Unknown(_));
        let previous = self.target.observation.as_ref();
        let changed = previous.is_none_or(|previous| {
            previous.state != observation.state
                || (!unobservable && previous.run != observation.run)
                || (!unobservable && previous.details.triggers != observation.details.triggers)
        });
        // An operator wants what was stopped before to run.
        let wanted = previous.is_some_and(|previous| {
            previous.state != observation.state && !matches!(previous.state, TargetState::Unknown(_))
        }) && matches!(
            observation.state,
            TargetState::Down {
                intent: Intent::DependencyStop,
                cause: Cause::Dependency
            }
        );
        // What a condition called off shows so a moment later, and is no news.
        let called_off = matches!(self.refusals.hold, Some(Hold::Condition { .. }))
            && matches!(
                observation.state,
                TargetState::Down {
                    intent: Intent::ConditionNotMet,
                    ..
                }
            );
        if changed && !called_off {
            self.refusals.hold = None;
        }
        // That it cannot be observed says nothing of the run; only the observation of another one does.
        let new_run = !unobservable && (previous.is_none() || self.target.run() != observation.run.as_ref());
        if new_run {
            // What was busy when it was first seen may have run for much longer than it has been that.
            let age = observation
                .age
                .filter(|_| !matches!(observation.state, TargetState::Busy(_)));
            self.target.run_since = cx.now.back(age.unwrap_or_default());
            // Unless it is seen to come up first: then from that on.
            self.outage.serves_since = Some(self.target.run_since);
        }
        let age = observation.age;
        let (ran, was_busy) = (self.runs(), self.busy().is_some());
        let lived = ran && self.target.run_since + self.service.policy.min_uptime <= cx.now;
        if new_run {
            self.target.run_before = previous.map(|previous| RunBefore(previous.run.clone()));
        }
        let down = matches!(observation.state, TargetState::Down { .. });
        // Another run that went down is left to its supervisor again.
        let before = self.target.down_since.filter(|_| !new_run);
        self.target.down_since = down.then(|| before.unwrap_or(cx.now));
        // While it cannot be observed, the settings stay what they were too.
        let (run, limits) = match self.target.observation.take() {
            Some(known) if unobservable => (known.run, known.limits),
            None if unobservable => (None, observation.limits),
            _ => (observation.run.clone(), observation.limits),
        };
        self.target.observation = Some(Observation {
            run,
            limits,
            ..observation
        });
        self.note_check();
        if !unobservable {
            let runs = self.runs();
            self.ends.note_end(ran, runs, cx.now);
        }
        self.note_asked(cx.now);
        self.note_end_left_to_supervisor(cx);
        self.note_who_started(cx);
        if new_run || down {
            self.restart_health();
            self.interrupt_health();
        } else if was_busy || self.busy().is_some() {
            self.rounds.pending = None;
            self.probes.forgive();
        }
        if self.busy() == Some(Activity::Frozen) || self.answers_though_frozen() {
            // What passed before says nothing of now.
            self.probes.health.interrupt();
        }
        self.note_busy(lived, age, cx.now);
        if self.runs() || wanted {
            if self.memory.stopped.take().is_some() {
                self.unsaved = true;
            }
            self.forget_stopped_with();
        }
        if self.runs() && new_run {
            self.timers.set(Timer::Probe, cx.now);
        }
    }

    /// Notes on whose account the target runs again, once for each run that is seen to begin. Where the watcher cannot
    /// tell, nobody but an operator is left when it was neither the agent, nor the supervisor, nor what the target is bound
    /// to, which is restarted together with it. That is good enough for words, and not for a clean slate.
    fn note_who_started(&mut self, cx: &mut Context<'_>) {
        let Some(observation) = &self.target.observation else {
            return;
        };
        let (down, supervisor) = match observation.state {
            TargetState::Busy(Activity::AutoRestart) => (true, true),
            TargetState::Down { .. } => (true, observation.supervisor == Supervisor::Active),
            _ => (false, false),
        };
        if supervisor && !self.in_maintenance() {
            // In maintenance crashes are expected.
            self.supervision
                .crash_loop
                .record(self.target.run(), self.supervision.left_to_supervisor, cx.now);
        }
        let runs = self.runs();
        let started_by = observation.started_by;
        // What is on its way up or down is looked at when it has arrived.
        let before = self.target.run_before.take_if(|_| runs || down);
        let known = before.is_some();
        let own = self.memory.attempt.is_some()
            || self.actions.in_flight.is_some()
            || before.is_some_and(|RunBefore(before)| before.is_some() && before == self.target.acted_on);
        let bound = matches!(self.standing.hold, Some(Hold::Dependency { .. }));
        let starter = self.starter(started_by, own, bound);
        let by_other = known && starter == Starter::Other && (runs || started_by == StartedBy::Other);
        if known && runs {
            self.note_starter(starter);
        }
        if down {
            self.supervision.left_to_supervisor = supervisor;
        } else if runs {
            self.supervision.left_to_supervisor = false;
        }
        if let Some(incident) = self.memory.incident.as_mut().filter(|_| down || known) {
            incident.started = by_other && runs;
            self.unsaved = true;
        }
        if by_other && started_by == StartedBy::Other {
            self.note_repair(cx);
        }
    }

    /// What probes said belongs to a run that is over.
    pub(super) fn restart_health(&mut self) {
        self.probes.restart();
        self.rounds.pending = None;
    }

    /// Good minutes are counted again.
    pub(super) fn interrupt_health(&mut self) {
        if self.memory.healthy_since.take().is_some() {
            self.unsaved = true;
        }
    }

    pub(super) fn runs(&self) -> bool {
        matches!(
            self.target.state(),
            Some(TargetState::Running | TargetState::Unhealthy(_) | TargetState::Unchecked { .. })
        ) || self.answers_though_frozen()
    }

    /// `frozen` that outlasts its run says nothing against one that answers.
    fn answers_though_frozen(&self) -> bool {
        let frozen = |observation: &Observation| observation.state == TargetState::Busy(Activity::Frozen);
        self.probes.health.passes() && self.target.observation.as_ref().is_some_and(frozen)
    }

    /// Whether there is a target that cannot be seen.
    pub(super) fn is_unobservable(&self) -> bool {
        self.service.has_target && matches!(self.target.state(), None | Some(TargetState::Unknown(_)))
    }

    pub(super) fn busy(&self) -> Option<Activity> {
        match self.target.observation.as_ref()?.state {
            TargetState::Busy(_) if self.answers_though_frozen() => None,
            TargetState::Busy(activity) => Some(activity),
            _ => None,
        }
    }

    /// How the target went down. What failed unseen, but was seen down in the open incident already, is that same
    /// failure.
    pub(super) fn target_down(&self) -> Option<(Intent, &Cause)> {
        let TargetState::Down { intent, cause } = &self.target.observation.as_ref()?.state else {
            return None;
        };
        if *intent == Intent::Unclear
            && let Some(incident) = &self.memory.incident
            && incident.run.is_some()
            && incident.run.as_ref() == self.target.run()
        {
            return Some((Intent::Crash, &incident.cause));
        }
        Some((self.intent_of_end(*intent), cause))
    }

    /// How long the dead target is left to whatever supervises it.
    pub(super) fn settle(&self) -> Duration {
        match (self.service.policy.settle, self.target.supervisor()) {
            (Settle::Fixed(settle), _) => settle,
            (Settle::Auto, Supervisor::Active) => SETTLE_SUPERVISED,
            // Nothing else will act. Watchers report a target down only when its jobs are over, so there is nothing
            // to wait for.
            (Settle::Auto, Supervisor::Passive | Supervisor::GaveUp | Supervisor::Forbids) => Duration::ZERO,
        }
    }

    /// The host was suspended: what probes said before, and what was asked meanwhile, says nothing now.
    pub(crate) fn resumed(&mut self, cx: &mut Context<'_>) {
        self.restart_health();
        // The agent did not watch meanwhile.
        self.restart_health_count(cx);
        self.probes.calm_until = Some(cx.now + AFTER_RESUME);
    }

    /// Until when failed probes do not count, if they do not: the run is young and was never up, it has not been seen
    /// yet, or the host was suspended.
    pub(super) fn grace(&self, now: Time) -> Option<Time> {
        let started = self.service.has_target && self.runs() && !self.probes.health.was_up();
        let start_grace = started.then(|| self.target.run_since + self.service.policy.start_grace);
        let calm = self.probes.calm_until.filter(|_| !self.probes.health.was_up());
        // Until it has been seen it is unknown how young it is.
        let unseen = self.service.has_target && self.target.observation.is_none();
        let first_observation = unseen.then(|| self.target.run_since + FIRST_OBSERVATION);
        start_grace
            .into_iter()
            .chain(calm)
            .chain(first_observation)
            .max()
            .filter(|until| *until > now)
    }

    /// Whether the agent has just started and nothing has been seen of the service since: what was may be over.
    pub(super) fn is_unseen(&self) -> bool {
        if self.service.has_target {
            self.target.observation.is_none()
        } else {
            self.probes.last.is_none()
        }
    }

    /// The target in words, with what does not wait to start it.
    pub(super) fn describe_target(&self) -> String {
        let unseen = if self.service.has_target {
            "not seen yet"
        } else {
            "probed only"
        };
        let mut text = self.target.describe().unwrap_or_else(|| unseen.into());
        self.describe_triggers(&mut text);
        text
    }
}
