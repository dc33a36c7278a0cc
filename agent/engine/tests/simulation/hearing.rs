//! What changes of what is known of a service, when the agent is notified of something or says something itself.

use std::time::Duration;

use sentinel_engine::{
    ActionId, ActionResult, Activity, Cause, Changed, Intent, Notification, NotificationKind, Observation, OnCleanExit,
    OperatorRequest, Pause, ProbeRound, Report, ReportKind, Service, StartedBy, Supervisor, TargetState, Time, Verdict,
};

use super::kept::{Copied, Kept, Left, Open, Spent};
use super::known::{Drain, Known};
use super::ledger::is_called_off;
use super::ledger::{ANSWERED_AGAIN, UNANSWERED_AGAIN, UNANSWERED_MAX};

/// How long failed probes do not count after the host was suspended.
const CALM: Duration = Duration::from_secs(30);
/// Two observations of one signal lie so close together.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// What would hurt others is asked for again after this.
const LOOK_AROUND_AGAIN: Duration = Duration::from_secs(600);
/// Deploys of one service that are remembered.
const DEPLOYS_MAX: usize = 16;

impl Known {
    /// Ends what has had its time.
    pub fn expire_maintenance(&mut self, now: Time) {
        if self.keep.pause.is_some() && !self.is_paused(now) {
            self.keep.pause = None;
        }
        if self.keep.deploys.iter().any(|(_, until)| *until <= now) {
            self.keep.deploys.retain(|(_, until)| *until > now);
        }
    }

    /// An operator is called.
    pub fn gives_up(&mut self, now: Time) {
        (self.keep.gave_up, self.keep.resigned) = (true, true);
        self.waits_for_half_open(now);
    }

    /// From now on it is a while until one more attempt.
    pub fn waits_for_half_open(&mut self, now: Time) {
        self.keep.gave_up_at = now;
        self.keep.half_open = self.service.policy.half_open;
    }

    /// The host was suspended: the agent did not watch meanwhile, and nothing could be done.
    pub fn resumed(&mut self, now: Time) {
        self.nothing_is_due();
        self.forget_probes();
        self.calm_until = now + CALM;
        self.bad_at = now;
    }

    /// It is configured otherwise. What was spent stays spent.
    pub fn changed(&mut self, now: Time, service: Service, changed: Changed) {
        let reset = self.service.policy.reset_after != service.policy.reset_after;
        // What had left the old window is forgotten by a longer one as well.
        let window = self.service.policy.window;
        self.keep.attempts.retain(|spent| spent.counts(now, window));
        let half_open = service.policy.half_open;
        if !half_open.is_zero() {
            self.keep.half_open = self.keep.half_open.min(half_open);
        }
        let before = std::mem::replace(&mut self.service, service);
        self.before.push((now, before.policy));
        self.configured = true;
        self.reloaded = true;
        self.refused_until = None;
        self.nothing_is_due();
        // What it came after until now may be why.
        self.fell_in_incident |= self.keep.incident.is_some();
        if changed.target {
            self.keep.passed_surely = false;
            (self.observation, self.run, self.down_at) = (None, None, None);
            self.run_began = now;
        }
        if let Some(intent) = self.down() {
            self.note_stop(intent);
        }
        if changed.target || changed.probes || reset {
            self.bad_at = now;
        }
        if changed.target || changed.probes {
            self.forget_probes();
        }
    }

    /// It is no longer configured; an action on its way goes on.
    pub fn removed(&mut self) {
        self.configured = false;
        self.reloaded = true;
        self.window = false;
        self.nothing_is_due();
    }

    /// What is left of it when nobody has watched it since: what is kept, and nothing that was seen.
    pub fn unwatched(&self, now: Time, keep: Copied<Kept>) -> Self {
        Self {
            configured: self.configured,
            bad_at: now,
            run_began: now,
            kept: self.kept.clone(),
            shown: self.shown,
            before: self.before.clone(),
            reloaded: self.reloaded,
            flight: self.flight,
            keep,
            ..Self::new(self.service.clone())
        }
    }

    pub fn observed(&mut self, now: Time, observation: &Observation) {
        let unobservable = matches!(observation.state, TargetState::Unknown(_));
        if self.busy().is_some() {
            self.forgive_probes();
        }
        if let TargetState::Busy(activity) = observation.state {
            self.busy_since = self
                .busy_since
                .filter(|(known, _)| *known == activity)
                .or(Some((activity, now)));
            if activity == Activity::Frozen {
                self.passes = 0;
            }
        } else if !unobservable {
            self.busy_since = None;
        }
        let new_run = !unobservable && (self.observation.is_none() || self.run != observation.run);
        if self.seen() != Some(&observation.state) || new_run {
            self.refused_until = None;
        }
        if !unobservable {
            self.limits = observation.limits;
        }
        let witnessed = self
            .seen()
            .is_some_and(|seen| *seen != observation.state && !matches!(seen, TargetState::Unknown(_)));
        let refused = TargetState::Down {
            intent: Intent::DependencyStop,
            cause: Cause::Dependency,
        };
        if witnessed && observation.state == refused {
            // An operator asked for its start, whoever had stopped it, or asked it to end, before.
            (self.keep.stopped, self.keep.taken_along) = (None, None);
            self.drain = None;
        }
        if new_run {
            self.unattributed = self.observation.is_some();
            self.run.clone_from(&observation.run);
            self.run_began = now.back(observation.age.unwrap_or_default());
            self.down_at = None;
            self.forget_probes();
            self.bad_at = now;
            self.called_off_at = None;
        }
        match &observation.state {
            TargetState::Down { intent, .. } => {
                if self.down_at.is_none() {
                    self.fell_in_incident = self.keep.incident.is_some();
                }
                self.down_at.get_or_insert(now);
                self.forget_probes();
                self.bad_at = now;
                if *intent == Intent::Crash {
                    self.keep.failed_at = now;
                }
                self.note_stop(*intent);
            }
            state => {
                self.down_at = None;
                match state {
                    TargetState::Running if self.keep.stopped.is_some() || self.keep.taken_along.is_some() => {
                        (self.keep.stopped, self.keep.taken_along) = (None, None);
                    }
                    TargetState::Busy(_) => self.forgive_probes(),
                    _ => {}
                }
            }
        }
        let arrived = matches!(
            observation.state,
            TargetState::Running
                | TargetState::Unhealthy(_)
                | TargetState::Down { .. }
                | TargetState::Busy(Activity::AutoRestart)
        );
        let begun = arrived && std::mem::take(&mut self.unattributed);
        if begun && observation.started_by == StartedBy::Other {
            self.keep.repairs.push(now);
            self.taken_over(now);
        }
        if !unobservable {
            let known = self.drain.take().filter(|_| !new_run);
            self.drain = match observation.asked_to_stop {
                Some(asked) => {
                    let at = now.back(asked.ago);
                    let same = known.filter(|known| at.since(known.at) < SAME_SIGNAL);
                    Some(same.unwrap_or(Drain {
                        at,
                        failed: false,
                        over: false,
                    }))
                }
                None => known.filter(|_| self.down().is_some() || !matches!(observation.state, TargetState::Running)),
            };
        }
        self.observation = Some(observation.clone());
        self.note_run_down();
        let known = self.keep.rests.as_ref().map(|(_, run)| run);
        if self.down().is_some() && self.supervisor() == Supervisor::GaveUp && known != Some(&self.run) {
            self.keep.rests = Some((now, self.run.clone()));
        }
    }

    /// What is stopped on purpose stays so, and what ended by itself where that is wanted: another configuration later
    /// makes no difference to this run.
    fn note_stop(&mut self, intent: Intent) {
        let left_alone = match intent {
            Intent::OperatorStop | Intent::ConflictStop | Intent::NotApplicable | Intent::ConditionNotMet => true,
            Intent::CleanExit => self.service.policy.on_clean_exit == OnCleanExit::Ignore,
            Intent::Crash
            | Intent::AskedToStop
            | Intent::DependencyStop
            | Intent::Unclear
            | Intent::OneshotFailed
            | Intent::Shutdown => false,
        };
        if left_alone && self.keep.stopped != self.run {
            self.keep.stopped.clone_from(&self.run);
        }
        let along = intent == Intent::DependencyStop && !self.service.after.is_empty();
        if along && self.keep.taken_along != self.run {
            self.keep.taken_along.clone_from(&self.run);
        }
    }

    pub fn note_run_down(&mut self) {
        let differs = self.keep.incident.as_ref().is_some_and(|open| open.run != self.run);
        if differs
            && self.down().is_some_and(|intent| intent != Intent::Unclear)
            && let Some(open) = &mut self.keep.incident
        {
            open.run.clone_from(&self.run);
        }
    }

    /// What failed while something else was busy with it says nothing after that.
    fn forgive_probes(&mut self) {
        self.asked = None;
        self.recent.clear();
        self.counted_recent.clear();
        self.forgiven |= self.fell;
        (self.fails, self.fell, self.counted) = (0, false, 0);
    }

    /// What had to happen within a time has it again.
    fn nothing_is_due(&mut self) {
        (
            self.due_since,
            self.unnotified_since,
            self.fine_since,
            self.silent_since,
        ) = (None, None, None, None);
    }

    pub fn forget_probes(&mut self) {
        (self.fell, self.forgiven) = (false, false);
        self.recent.clear();
        self.counted_recent.clear();
        self.counted = 0;
        (self.passes, self.fails, self.was_up, self.asked) = (0, 0, false, None);
    }

    pub fn probed(&mut self, now: Time, round: ProbeRound, verdict: &Verdict) {
        if self.asked != Some(round) {
            return;
        }
        self.asked = None;
        if let Some(drain) = &mut self.drain {
            match verdict {
                Verdict::Passed => drain.over |= drain.failed,
                Verdict::Failed(_) => drain.failed = true,
                Verdict::Skipped(_) => {}
            }
        }
        match verdict {
            Verdict::Passed => {
                let in_doubt = self.keep.in_doubt && self.keep.incident.is_some();
                let rise = if in_doubt { 1 } else { self.service.policy.rise };
                self.keep.passed = true;
                self.keep.passed_surely = true;
                self.counted = 0;
                self.counted_recent.push(false);
                self.fails = 0;
                self.passes += 1;
                self.recent.push(false);
                if self.passes >= rise {
                    if self.fell || !self.was_up {
                        self.recent.clear();
                    }
                    (self.was_up, self.fell, self.forgiven) = (true, false, false);
                }
            }
            Verdict::Failed(failure) => {
                self.passes = 0;
                self.keep.failed_at = now;
                if !self.in_grace(now) {
                    let counts = self.keep.passed && self.service.policy.restart_on.covers(failure.kind);
                    self.counted += u32::from(counts);
                    self.counted_recent.push(counts);
                    self.fails += 1;
                    self.recent.push(true);
                    self.fell |= self.fails >= self.service.policy.fall || self.fell_now_and_then();
                }
            }
            Verdict::Skipped(_) => {}
        }
    }

    /// Whether `fall` of the last `fall_of` results are failures.
    fn fell_now_and_then(&mut self) -> bool {
        let policy = &self.service.policy;
        let surplus = self.recent.len().saturating_sub(64);
        self.recent.drain(..surplus);
        let last = self.recent.iter().rev().take(policy.fall_of as usize);
        policy.fall_of > 0 && last.filter(|failed| **failed).count() >= policy.fall as usize
    }

    pub fn begun(&mut self, action: ActionId) {
        if self.flight.is_some_and(|(flying, _)| flying == action) {
            self.slot = None;
        }
    }

    pub fn answered(&mut self, now: Time, action: ActionId, result: &ActionResult) {
        if self.flight.is_some_and(|(flying, _)| flying == action) {
            (self.flight, self.slot) = (None, None);
            // What was refused left everything as it was, and what probes said of it with it.
            if !matches!(
                result,
                ActionResult::Refused(_) | ActionResult::Unanswered(_) | ActionResult::TooWide(_)
            ) {
                self.forget_probes();
            }
        }
        let not_done = is_called_off(result);
        let open = self.keep.incident.as_ref().map(|open| open.id);
        let of_this = |spent: &Spent| spent.action == action && spent.incident == open;
        if not_done && self.keep.attempts.iter().any(of_this) {
            self.called_off_at = Some(now);
        }
        let given_back = |at: Time, left: &Left| at <= left.at && left.at.since(at) < left.window;
        if not_done
            && let Some(left) = &mut self.shown
            && self
                .keep
                .ever
                .iter()
                .any(|(at, made)| *made == action && given_back(*at, left))
        {
            // Nothing was done, so it was never spent.
            left.attempts += 1;
        }
        if not_done {
            self.keep.attempts.retain(|spent| spent.action != action);
            self.keep.ever.retain(|(_, made)| *made != action);
            self.keep.lately.retain(|(_, made)| *made != action);
        }
        let unanswered = std::mem::take(&mut self.unanswered);
        match result {
            ActionResult::Refused(_) => self.refused_until = Some(now + ANSWERED_AGAIN),
            ActionResult::Unanswered(_) => {
                let gap = UNANSWERED_AGAIN * 2_u32.pow(unanswered.min(5));
                self.refused_until = Some(now + gap.min(UNANSWERED_MAX));
                self.unanswered = unanswered + 1;
            }
            _ => {}
        }
        if matches!(result, ActionResult::TooWide(_)) {
            self.too_wide_until = Some(now + LOOK_AROUND_AGAIN);
        }
    }

    /// An operator takes over: what was tried before is forgotten. How often that may be so without the agent being
    /// asked is another question.
    fn taken_over(&mut self, now: Time) {
        self.keep.attempts.clear();
        // Whether that was one start too many is not asked here: it may still be given up.
        self.keep.gave_up = false;
        // An operator who took over is called again when that did not help either.
        if let Some(open) = &mut self.keep.incident {
            open.gave_up = false;
        }
        self.keep.operator_took_over = Some(now);
        self.too_wide_until = None;
        self.called_off_at = None;
    }

    pub fn requested(&mut self, now: Time, request: &OperatorRequest) {
        match request {
            OperatorRequest::Restart => {
                self.taken_over(now);
                self.keep.resigned = false;
                self.keep.lately.clear();
                self.refused_until = None;
            }
            OperatorRequest::Pause { duration } => {
                let until = duration.map(|duration| now + duration);
                self.keep.pause = Some(Pause { until });
            }
            OperatorRequest::Resume => self.keep.pause = None,
            OperatorRequest::BeginDeploy { id, duration } => {
                self.keep.deploys.retain(|(begun, _)| begun != id);
                self.keep.deploys.push((*id, now + *duration));
                let surplus = self.keep.deploys.len().saturating_sub(DEPLOYS_MAX);
                self.keep.deploys.drain(..surplus);
            }
            OperatorRequest::EndDeploy { id } => self.keep.deploys.retain(|(begun, _)| begun != id),
        }
    }

    pub fn reported(&mut self, report: &Report) {
        if let ReportKind::IncidentOpened { cause } | ReportKind::CauseChanged { cause } = &report.kind {
            self.keep.crash_loop = matches!(cause, Cause::CrashLoop { .. });
            self.keep.in_doubt = matches!(cause, Cause::NeverPassed { .. });
        }
        match &report.kind {
            ReportKind::IncidentOpened { .. } => {
                self.keep.opened.push(report.at);
                self.keep.incident = report.incident.map(|id| Open {
                    id,
                    at: report.at,
                    fired: false,
                    gave_up: false,
                    messages: 0,
                    run: None,
                });
                self.note_run_down();
                self.called_off_at = None;
                self.too_wide_until = None;
            }
            ReportKind::IncidentClosed { .. } => self.closed = self.keep.incident.take(),
            ReportKind::StateChanged { to, .. } => self.state = *to,
            _ => {}
        }
    }

    pub fn notified(&mut self, message: &Notification) {
        match message.kind {
            NotificationKind::Flapping { .. } => self.keep.flapping = Some(message.incident),
            NotificationKind::FlappingEnded { .. } => {
                self.keep.flapping = None;
                self.keep.opened.clear();
            }
            _ => {}
        }
        if self.is_late_end(message) {
            return;
        }
        let Some(incident) = &mut self.keep.incident else {
            match &mut self.closed {
                Some(closed) if matches!(message.kind, NotificationKind::Update { .. }) => {
                    closed.messages = message.sequence;
                }
                closed => *closed = None,
            }
            return;
        };
        incident.messages = message.sequence;
        match message.kind {
            NotificationKind::Fired => incident.fired = true,
            NotificationKind::GaveUp { .. } => {
                incident.fired = true;
                incident.gave_up = true;
            }
            NotificationKind::Healed { .. }
            | NotificationKind::Resolved { .. }
            | NotificationKind::Flapping { .. }
            | NotificationKind::FlappingEnded { .. }
            | NotificationKind::Update { .. }
            | NotificationKind::Escalated { .. } => {}
        }
    }
}
