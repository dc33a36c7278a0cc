//! One service as the agent must know it, from what it was told and what it did.

use std::time::Duration;

use sentinel_engine::{
    ActionId, ActionResult, Activity, Happening, IncidentId, Instance, Intent, Mode, Notification, NotificationKind,
    Observation, OnCleanExit, OperatorRequest, Pause, ProbeRound, Report, Service, Settle, State, Supervisor,
    TargetState, Time, Verdict,
};

/// How long a target with a supervisor is left to it under `settle = "auto"`.
const SETTLE_AUTO: Duration = Duration::from_secs(5);

/// What must survive the agent.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The run that somebody stopped on purpose.
    pub stopped: Option<Instance>,
    /// An operator paused it.
    pub pause: Option<Pause>,
    /// A human was called.
    pub gave_up: bool,
    /// A human was called, and it is not certain that this must be forgotten by now.
    pub resigned: bool,
    /// Attempts since the last clean slate.
    pub attempts: Vec<Spent>,
    /// All attempts, whatever was forgotten since.
    pub ever: Vec<(Time, ActionId)>,
    /// Since when an operator took over last.
    pub operator_took_over: Option<Time>,
    /// The open incident.
    pub incident: Option<Open>,
}

/// An attempt that was decided on. Once its intent is recorded it is spent, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct Spent {
    pub at: Time,
    pub action: ActionId,
    pub incident: Option<IncidentId>,
    pub ordinal: u32,
}

/// An incident that was reported open.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: IncidentId,
    pub at: Time,
    /// Whether people were told.
    pub fired: bool,
    pub gave_up: bool,
    pub messages: u32,
    /// Whether its supervisor had given up when it opened.
    pub after_supervisor: bool,
    /// The run that was last seen down in it, and certainly not because it was stopped.
    pub run: Option<Instance>,
}

/// What is known of one service.
#[derive(Clone, Debug)]
pub struct Known {
    pub service: Service,
    pub sight: Option<Observation>,
    /// The run last seen.
    pub run: Option<Instance>,
    pub run_began: Time,
    /// Since when this run has been seen down.
    pub down_at: Option<Time>,
    pub asked: Option<ProbeRound>,
    pub passes: u32,
    pub fails: u32,
    /// Whether this run has passed `rise` probes.
    pub was_up: bool,
    /// Whether this run has failed `fall` probes in a row, and not passed `rise` since.
    pub fell: bool,
    /// The last moment at which something was not well.
    pub bad_at: Time,
    /// Nothing is called off before this.
    pub called_off_at: Option<Time>,
    pub refused: bool,
    /// The action on its way.
    pub flight: Option<(ActionId, Time)>,
    /// The run that the last restart was to replace.
    pub replaced: Option<Instance>,
    /// What the agent says it is doing.
    pub state: State,
    /// The incident that was just closed, until the message that says so.
    pub closed: Option<Open>,
    /// Since when it could and should be acted on.
    pub due_since: Option<Time>,
    /// Since when people could and should be told.
    pub untold_since: Option<Time>,
    /// Since when it has been fine with an incident still open.
    pub fine_since: Option<Time>,
    pub keep: Kept,
    /// `keep` as it is on disk.
    pub kept: Kept,
}

impl Known {
    pub fn new(service: Service) -> Self {
        Self {
            service,
            sight: None,
            run: None,
            run_began: Time::ZERO,
            down_at: None,
            asked: None,
            passes: 0,
            fails: 0,
            was_up: false,
            fell: false,
            bad_at: Time::ZERO,
            called_off_at: None,
            refused: false,
            flight: None,
            replaced: None,
            state: State::Unknown,
            closed: None,
            due_since: None,
            untold_since: None,
            fine_since: None,
            keep: Kept::default(),
            kept: Kept::default(),
        }
    }

    pub fn seen(&self) -> Option<&TargetState> {
        self.sight.as_ref().map(|sight| &sight.state)
    }

    pub fn blind(&self) -> bool {
        self.service.has_target && matches!(self.seen(), None | Some(TargetState::Unknown(_)))
    }

    pub fn running(&self) -> bool {
        matches!(self.seen(), Some(TargetState::Running))
    }

    pub fn busy(&self) -> Option<Activity> {
        match self.seen() {
            Some(TargetState::Busy(activity)) => Some(*activity),
            _ => None,
        }
    }

    pub fn down(&self) -> Option<Intent> {
        match self.seen() {
            Some(TargetState::Down { intent, .. }) => Some(*intent),
            _ => None,
        }
    }

    pub fn paused(&self, now: Time) -> bool {
        self.keep
            .pause
            .is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }

    pub fn supervisor(&self) -> Supervisor {
        self.sight
            .as_ref()
            .map_or(Supervisor::Passive, |sight| sight.supervisor)
    }

    /// How long a dead target is left to its supervisor.
    pub fn settle(&self) -> Duration {
        match (self.service.policy.settle, self.supervisor()) {
            (Settle::Fixed(settle), _) => settle,
            (Settle::Auto, Supervisor::Active) => SETTLE_AUTO,
            (Settle::Auto, _) => Duration::ZERO,
        }
    }

    /// Whether failed probes do not count yet.
    pub fn in_grace(&self, now: Time) -> bool {
        self.service.has_target
            && self.running()
            && !self.was_up
            && now < self.run_began + self.service.policy.start_grace
    }

    /// The incident that a message is about: the end is told after it.
    pub fn told_of(&self, kind: NotificationKind) -> Option<&Open> {
        match kind {
            NotificationKind::Fired | NotificationKind::GaveUp => self.keep.incident.as_ref(),
            NotificationKind::Healed { .. } | NotificationKind::Resolved { .. } => self.closed.as_ref(),
        }
    }

    /// Whether probes have found it down, and the last one did as well.
    pub fn unhealthy(&self) -> bool {
        self.fell && self.fails > 0
    }

    /// Attempts within the window before `now`.
    pub fn spent(&self, now: Time) -> usize {
        let window = self.service.policy.window;
        self.keep
            .attempts
            .iter()
            .filter(|spent| now.since(spent.at) < window)
            .count()
    }

    /// Whether it is certainly well, as far as was told.
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
            Some(_) => false,
            None => self.running() && self.unhealthy(),
        };
        let stopped = self.down().is_some() && self.keep.stopped.is_some() && self.keep.stopped == self.run;
        self.service.has_target
            && down
            && !stopped
            && policy.mode == Mode::Heal
            && !self.paused(now)
            && !self.keep.resigned
            && !self.refused
    }

    pub fn observed(&mut self, now: Time, observation: &Observation) {
        let blind = matches!(observation.state, TargetState::Unknown(_));
        let new_run = !blind && (self.sight.is_none() || self.run != observation.instance);
        if self.sight.as_ref().is_none_or(|sight| sight.state != observation.state) || new_run {
            self.refused = false;
        }
        if new_run {
            self.run.clone_from(&observation.instance);
            self.run_began = now.back(observation.age.unwrap_or_default());
            self.down_at = None;
            self.forget_probes();
            self.bad_at = now;
            self.called_off_at = None;
        }
        match &observation.state {
            TargetState::Down { intent, .. } => {
                self.down_at.get_or_insert(now);
                self.forget_probes();
                self.bad_at = now;
                let deliberate = matches!(
                    intent,
                    Intent::OperatorStop | Intent::ConflictStop | Intent::NotApplicable
                );
                if deliberate {
                    self.keep.stopped.clone_from(&self.run);
                }
            }
            state => {
                self.down_at = None;
                match state {
                    TargetState::Running => self.keep.stopped = None,
                    TargetState::Busy(_) => {
                        self.asked = None;
                        (self.fails, self.fell) = (0, false);
                    }
                    _ => {}
                }
            }
        }
        self.sight = Some(observation.clone());
        self.note_run_down();
    }

    pub fn note_run_down(&mut self) {
        if self.down().is_some_and(|intent| intent != Intent::Unclear)
            && let Some(open) = &mut self.keep.incident
        {
            open.run.clone_from(&self.run);
        }
    }

    pub fn forget_probes(&mut self) {
        self.fell = false;
        (self.passes, self.fails, self.was_up, self.asked) = (0, 0, false, None);
    }

    pub fn probed(&mut self, now: Time, round: ProbeRound, verdict: &Verdict) {
        if self.asked != Some(round) {
            return;
        }
        self.asked = None;
        match verdict {
            Verdict::Passed => {
                self.fails = 0;
                self.passes += 1;
                if self.passes >= self.service.policy.rise {
                    (self.was_up, self.fell) = (true, false);
                }
            }
            Verdict::Failed(_) => {
                self.passes = 0;
                if !self.in_grace(now) {
                    self.fails += 1;
                    self.fell |= self.fails >= self.service.policy.fall;
                }
            }
            Verdict::Skipped(_) => {}
        }
    }

    pub fn answered(&mut self, now: Time, action: ActionId, result: &ActionResult) {
        if self.flight.is_some_and(|(flying, _)| flying == action) {
            self.flight = None;
            // What was refused left everything as it was, and what probes said of it with it.
            if !matches!(result, ActionResult::Refused(_)) {
                self.forget_probes();
            }
        }
        let not_done = matches!(
            result,
            ActionResult::Outdated(_)
                | ActionResult::Conflict(_)
                | ActionResult::NotRecorded(_)
                | ActionResult::Refused(_)
        );
        let before = self.keep.attempts.len();
        if not_done {
            self.keep.attempts.retain(|spent| spent.action != action);
            self.keep.ever.retain(|(_, made)| *made != action);
        }
        if self.keep.attempts.len() < before {
            self.called_off_at = Some(now);
        }
        self.refused |= matches!(result, ActionResult::Refused(_));
    }

    pub fn requested(&mut self, now: Time, request: &OperatorRequest) {
        match request {
            OperatorRequest::Restart => {
                self.keep.attempts.clear();
                self.keep.gave_up = false;
                self.keep.resigned = false;
                // A human who took over is called again when that did not help either.
                if let Some(open) = &mut self.keep.incident {
                    open.gave_up = false;
                }
                self.keep.operator_took_over = Some(now);
                self.refused = false;
                self.called_off_at = None;
            }
            OperatorRequest::Pause { duration } => {
                let until = duration.map(|duration| now + duration);
                self.keep.pause = Some(Pause { until });
            }
            OperatorRequest::Resume => self.keep.pause = None,
            // No operator of the simulation deploys.
            OperatorRequest::BeginDeploy { .. } | OperatorRequest::EndDeploy { .. } => {}
        }
    }

    pub fn reported(&mut self, report: &Report) {
        match &report.what {
            Happening::IncidentOpened { .. } => {
                self.keep.incident = report.incident.map(|id| Open {
                    id,
                    at: report.at,
                    fired: false,
                    gave_up: false,
                    messages: 0,
                    after_supervisor: self.supervisor() == Supervisor::GaveUp,
                    run: None,
                });
                self.note_run_down();
                self.called_off_at = None;
            }
            Happening::IncidentClosed { .. } => self.closed = self.keep.incident.take(),
            Happening::StateChanged { to, .. } => self.state = *to,
            _ => {}
        }
    }

    pub fn notified(&mut self, message: &Notification) {
        let Some(incident) = &mut self.keep.incident else {
            self.closed = None;
            return;
        };
        incident.messages = message.sequence;
        match message.kind {
            NotificationKind::Fired => incident.fired = true,
            NotificationKind::GaveUp => {
                incident.fired = true;
                incident.gave_up = true;
                self.keep.gave_up = true;
                self.keep.resigned = true;
            }
            NotificationKind::Healed { .. } | NotificationKind::Resolved { .. } => {}
        }
    }
}
