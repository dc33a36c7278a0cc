//! One service as the agent must know it, from what was reported to it and what it did.

use std::time::Duration;

use sentinel_engine::{
    ActionId, Activity, Cause, DRAIN_MAX, FellWith, Intent, Limits, Mode, News, Notification, NotificationKind,
    Observation, OnCleanExit, Policy, ProbeRound, RunId, Service, Settle, State, Supervisor, TargetState, Time,
};

use super::kept::{Copied, Kept, Left, Open};

/// How long a target with a supervisor is left to it under `settle = "auto"`.
const SETTLE_AUTO: Duration = Duration::from_secs(5);

/// A signal that asks for the end of a run.
#[derive(Clone, Debug)]
pub struct Drain {
    pub at: Time,
    /// A probe has failed since.
    pub failed: bool,
    /// And one has passed after that.
    pub over: bool,
}

/// What is known of one service.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Known {
    pub service: Service,
    /// Whether the configuration names it now.
    pub configured: bool,
    /// Whether it was configured in this life of the agent.
    pub met: bool,
    /// By what it was judged before, and until when.
    pub before: Vec<(Time, Policy)>,
    /// A maintenance window is open.
    pub window: bool,
    /// Failed probes do not count before this.
    pub calm_until: Time,
    /// The last results that counted, true for a failure; the newest at the end.
    pub recent: Vec<bool>,
    /// What would hurt others is not asked for before this.
    pub too_wide_until: Option<Time>,
    /// What the engine said it had left when last asked.
    pub shown: Option<Left>,
    /// A reload has changed it since.
    pub reloaded: bool,
    pub observation: Option<Observation>,
    /// Its run was asked to end.
    pub drain: Option<Drain>,
    /// The run last seen.
    pub run: Option<RunId>,
    pub run_began: Time,
    /// There was a run before this one, and who began this one is not known yet.
    pub unattributed: bool,
    /// Since when it has been busy with the same.
    pub busy_since: Option<(Activity, Time)>,
    /// Since when this run has been seen down.
    pub down_at: Option<Time>,
    /// Whether there was an incident when it was seen to go down, or was configured otherwise.
    pub fell_in_incident: bool,
    pub asked: Option<ProbeRound>,
    pub passes: u32,
    pub fails: u32,
    /// Failures since the last pass that may lead to a restart.
    pub counted: u32,
    /// Which of the last results were such.
    pub counted_recent: Vec<bool>,
    /// Whether this run has passed `rise` probes.
    pub was_up: bool,
    /// Whether this run has failed `fall` probes in a row, and not passed `rise` since.
    pub fell: bool,
    /// Whether its failures were forgiven, as something was busy with it, and it has not passed `rise` probes since.
    pub forgiven: bool,
    /// The last moment at which something was not well.
    pub bad_at: Time,
    /// Nothing is called off before this.
    pub called_off_at: Option<Time>,
    /// What was refused is not asked for again before this, unless something changes.
    pub refused_until: Option<Time>,
    /// How often in a row nothing answered.
    pub unanswered: u32,
    /// The action on its way.
    pub flight: Option<(ActionId, Time)>,
    /// Until when it holds one of the host's slots at most: its new run has not begun.
    pub slot: Option<Time>,
    /// How long its supervisor lets it take, as last seen.
    pub limits: Limits,
    /// The run that the last restart was to replace.
    pub replaced: Option<RunId>,
    /// What the agent says it is doing.
    pub state: State,
    /// The incident that was just closed, until the message that says so.
    pub closed: Option<Open>,
    /// Since when it could and should be acted on.
    pub due_since: Option<Time>,
    /// Since when operators could and should be notified.
    pub unnotified_since: Option<Time>,
    /// Since when it has neither run nor been said to be down, and was not stopped.
    pub silent_since: Option<Time>,
    /// Since when it has been fine with an incident still open.
    pub fine_since: Option<Time>,
    pub keep: Copied<Kept>,
    /// `keep` as it is on disk.
    pub kept: Copied<Kept>,
}

impl Known {
    pub fn new(service: Service) -> Self {
        Self {
            service,
            configured: true,
            met: false,
            before: Vec::new(),
            window: false,
            calm_until: Time::ZERO,
            recent: Vec::new(),
            too_wide_until: None,
            shown: None,
            reloaded: false,
            observation: None,
            drain: None,
            run: None,
            run_began: Time::ZERO,
            unattributed: false,
            busy_since: None,
            down_at: None,
            fell_in_incident: false,
            asked: None,
            passes: 0,
            fails: 0,
            counted: 0,
            counted_recent: Vec::new(),
            was_up: false,
            fell: false,
            forgiven: false,
            bad_at: Time::ZERO,
            called_off_at: None,
            refused_until: None,
            unanswered: 0,
            flight: None,
            slot: None,
            limits: Limits::default(),
            replaced: None,
            state: State::Unknown,
            closed: None,
            due_since: None,
            unnotified_since: None,
            silent_since: None,
            fine_since: None,
            keep: Copied::default(),
            kept: Copied::default(),
        }
    }

    pub fn seen(&self) -> Option<&TargetState> {
        self.observation.as_ref().map(|observation| &observation.state)
    }

    /// Whether its run was asked to end so short a time ago that this explains what becomes of it, as far as is certain.
    pub fn drains(&self, now: Time) -> bool {
        let drain = self.drain.as_ref();
        drain.is_some_and(|drain| !drain.over && now.since(drain.at) < DRAIN_MAX)
    }

    /// The same where it may be over: whether that is so is for the engine to know better, which forgets what its probes
    /// said when it is killed, and counts none while a run is young.
    pub fn may_drain(&self, now: Time) -> bool {
        let drain = self.drain.as_ref();
        drain.is_some_and(|drain| now.since(drain.at) < DRAIN_MAX)
    }

    pub fn unobservable(&self) -> bool {
        self.service.has_target && matches!(self.seen(), None | Some(TargetState::Unknown(_)))
    }

    pub fn running(&self) -> bool {
        matches!(self.seen(), Some(TargetState::Running)) || self.answers_though_frozen()
    }

    fn answers_though_frozen(&self) -> bool {
        self.seen() == Some(&TargetState::Busy(Activity::Frozen)) && self.passes > 0
    }

    pub fn busy(&self) -> Option<Activity> {
        match self.seen() {
            Some(TargetState::Busy(activity)) if !self.answers_though_frozen() => Some(*activity),
            _ => None,
        }
    }

    pub fn down(&self) -> Option<Intent> {
        match self.seen() {
            Some(TargetState::Down { intent, .. }) => Some(*intent),
            _ => None,
        }
    }

    /// What it fell with, or could not be started without.
    pub fn fell_with(&self) -> Option<&FellWith> {
        let of_this = self.down() == Some(Intent::DependencyStop);
        self.observation
            .as_ref()?
            .details
            .fell_with
            .as_deref()
            .filter(|_| of_this)
    }

    /// Whether it may have fallen with something that failed: nothing that is configured has a say in it now.
    pub fn may_have_fallen(&self) -> bool {
        self.service.after.is_empty() && self.fell_with().is_some_and(|other| other.failed)
    }

    /// Whether it certainly has: nor had anything a say in it when it was seen down. A run that was stopped with what it came
    /// after then stays stopped, whatever the configuration names later.
    pub fn fell(&self) -> bool {
        let decided = self.keep.taken_along.is_some() && self.keep.taken_along == self.run;
        self.may_have_fallen() && !decided
    }

    /// Whether that was a start which an operator asked for. Another agent does not know whether the last one was asked
    /// to leave it.
    pub fn was_refused(&self) -> bool {
        let refused = |state: &TargetState| {
            matches!(
                state,
                TargetState::Down {
                    cause: Cause::Dependency,
                    ..
                }
            )
        };
        self.seen().is_some_and(refused)
    }

    /// Whether it shows a reload that has long ended, and its probes show that it hangs.
    pub fn hangs_in_reload(&self, now: Time) -> bool {
        let has_job = self
            .observation
            .as_ref()
            .is_some_and(|observation| observation.details.has_job);
        let past = self
            .busy_since
            .is_some_and(|(_, since)| now.since(since) >= Limits::USUAL);
        self.busy() == Some(Activity::Reloading) && !has_job && past && self.was_up && self.unhealthy()
    }

    /// Whether it is left alone: by a pause, a deploy or a window.
    pub fn in_maintenance(&self, now: Time) -> bool {
        self.window || self.is_paused(now) || self.keep.deploys.iter().any(|(_, until)| *until > now)
    }

    pub fn is_paused(&self, now: Time) -> bool {
        let pause = self.keep.pause;
        pause.is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }

    pub fn supervisor(&self) -> Supervisor {
        self.observation
            .as_ref()
            .map_or(Supervisor::Passive, |observation| observation.supervisor)
    }

    /// How long a dead target is left to its supervisor.
    pub fn settle(&self) -> Duration {
        match (self.service.policy.settle, self.supervisor()) {
            (Settle::Fixed(settle), _) => settle,
            (Settle::Auto, Supervisor::Active) => SETTLE_AUTO,
            (Settle::Auto, _) => Duration::ZERO,
        }
    }

    /// Whether failed probes do not count yet: its run is young, or the host was suspended a moment ago.
    pub fn in_grace(&self, now: Time) -> bool {
        let starts =
            self.service.has_target && self.running() && now < self.run_began + self.service.policy.start_grace;
        !self.was_up && (starts || now < self.calm_until)
    }

    /// Whether one more attempt is due although an operator was called.
    pub fn half_open(&self, now: Time) -> bool {
        // Stored moments are whole microseconds.
        let waited = now.since(self.keep.gave_up_at) + Duration::from_micros(1);
        !self.service.policy.half_open.is_zero() && waited >= self.keep.half_open
    }

    /// The incident that a message is about: the end is reported after it.
    pub fn incident_of(&self, kind: NotificationKind) -> Option<&Open> {
        match kind {
            NotificationKind::Fired
            | NotificationKind::GaveUp { .. }
            | NotificationKind::Flapping { .. }
            | NotificationKind::FlappingEnded { .. }
            | NotificationKind::Update { news: News::Grown, .. } => self.keep.incident.as_ref(),
            // Messages follow all reports of their turn, in which the incident may have ended.
            NotificationKind::Update {
                news: News::Restarted { .. },
                ..
            } => self.keep.incident.as_ref().or(self.closed.as_ref()),
            NotificationKind::Healed { .. } | NotificationKind::Resolved { .. } => self.closed.as_ref(),
            // What alerting says by itself.
            NotificationKind::Update { .. } | NotificationKind::Escalated { .. } => None,
        }
    }

    /// Whether a message is the end of flapping, told in the conversation of an incident that is long over.
    pub fn is_late_end(&self, message: &Notification) -> bool {
        let about = self.keep.incident.as_ref().map(|open| open.id);
        matches!(message.kind, NotificationKind::FlappingEnded { .. }) && about != Some(message.incident)
    }

    /// Whether probes have found it down, and the last one did as well.
    pub fn unhealthy(&self) -> bool {
        self.fell && self.fails > 0
    }

    /// Whether failures that a restart may help against were enough, since the last pass or of late.
    pub fn failed_enough(&self) -> bool {
        let policy = &self.service.policy;
        let lately = self.counted_recent.iter().rev().take(policy.fall_of as usize);
        let lately = lately.filter(|counted| **counted).count();
        self.counted >= policy.fall || (policy.fall_of > 0 && lately >= policy.fall as usize)
    }

    /// Attempts within the window before `now`.
    pub fn spent(&self, now: Time) -> usize {
        let window = self.service.policy.window;
        self.keep
            .attempts
            .iter()
            .filter(|spent| spent.counts(now, window))
            .count()
    }

    /// What it may have left after a reload: what it had, and as much as the rule became kinder or time has forgiven.
    pub fn may_have_left(&self, before: Left, now: Time) -> u32 {
        let policy = &self.service.policy;
        let forgiven = self.keep.ever.iter().filter(|(at, _)| {
            before.at.since(*at) < before.window && now.since(*at) + Duration::from_micros(1) >= policy.window
        });
        let forgiven = u32::try_from(forgiven.count()).unwrap_or(u32::MAX);
        before.attempts + policy.burst.saturating_sub(before.burst) + forgiven
    }

    /// Whether it is certainly well, as far as was reported.
    pub fn well(&self) -> bool {
        let runs = !self.service.has_target || self.running();
        runs && (!self.service.has_probes || (self.was_up && !self.fell))
    }

    /// Down for certain and nothing but time stands in the way; dependencies and the host are asked elsewhere.
    pub fn should_be_acted_on(&self, now: Time) -> bool {
        let policy = &self.service.policy;
        let down = match self.down() {
            Some(Intent::Crash) => true,
            Some(Intent::CleanExit) => policy.on_clean_exit == OnCleanExit::Restart,
            Some(Intent::DependencyStop) => {
                let known = !self.was_refused() || self.keep.incident.is_some();
                self.fell() && known && self.fell_with().is_some_and(|other| other.is_back)
            }
            Some(_) => false,
            None => self.running() && self.unhealthy() && self.keep.passed_surely && self.failed_enough(),
        };
        let asked = self.may_drain(now);
        let stopped = self.down().is_some() && self.keep.stopped.is_some() && self.keep.stopped == self.run;
        self.service.has_target
            && down
            && !stopped
            && !asked
            && policy.mode == Mode::Heal
            && !self.in_maintenance(now)
            && !(self.keep.resigned && policy.half_open.is_zero())
            && self.refused_until.is_none_or(|until| now >= until)
            && self.too_wide_until.is_none_or(|until| now >= until)
    }
}
