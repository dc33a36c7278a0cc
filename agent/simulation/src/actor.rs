//! One simulated service: its process, what that answers, and the supervisor that it may have.

use std::time::Duration;

use sentinel_engine::{
    Activity, Answer, Cause, FailureKind, HealthCheck, Intent, Labels, Observation, Policy, ProbeFailure, ProbeOutcome,
    ProbePhase, Service, ServiceName, StartedBy, Supervisor, TargetState, Time, Verdict,
};
use sentinel_text::exact_span;

use crate::scenario::{ServiceModel, Start, Supervision};
use crate::target::{Target, ended};

/// How long a simulated probe takes when there is an answer.
pub(crate) const PROBE: Duration = Duration::from_millis(5);

/// How long a probe waits for an answer, unless the interval is shorter.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// What systemd reports when a program cannot be executed (systemd.exec(5)).
const CANNOT_EXECUTE: &str = "its program is missing or cannot be executed (203/EXEC)";

/// What a running process answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Well,
    /// Nothing: its port is not open yet.
    NotYet,
    /// Nothing: it hangs.
    Silent,
    /// With this status.
    Wrongly(u16),
}

/// A service of the simulated host.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The service as the agent knows it.
    pub service: Service,
    /// What it needs in order to answer.
    pub needs: Vec<ServiceName>,
    /// How it starts.
    pub start: Start,
    /// What restarts it besides the agent.
    pub supervision: Option<Supervision>,
    /// What runs it.
    pub target: Target,
    /// What its probe says, whatever it does.
    pub says: Option<FailureKind>,
    /// What its probe asks, where that is reported.
    pub asks: Option<&'static str>,
    /// A second probe, and what it says.
    pub second: Option<Result<(), FailureKind>>,
    /// The check that its supervisor makes of it, if it has one.
    pub check: Option<HealthCheck>,
    behaviour: Behaviour,
    /// Restarts that its supervisor has left in this row.
    left: u32,
    /// Whether an operator stopped it on purpose: then being down is no downtime.
    pub(crate) is_unwanted: bool,
    /// Restarts by the agent that were carried out.
    pub(crate) restarts: usize,
    /// How long it did not answer.
    pub(crate) downtime: Duration,
}

/// What follows from a start, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It begins to answer.
    Answers,
    /// It dies.
    Dies,
}

/// What somebody who asks gets: `Ok`, or why not and the HTTP status.
pub(crate) type Asked = Result<(), (ProbeFailure, Option<u16>)>;

impl Actor {
    /// One that has run well since the epoch, with probes and something to restart. What it is asked is reported, how long
    /// it has been running is not, and what is decided at random is not random.
    pub fn new(name: &str) -> Self {
        let policy = Policy {
            jitter: 0.0,
            half_open: Duration::ZERO,
            ..Policy::default()
        };
        let service = Service {
            name: name.into(),
            has_target: true,
            has_probes: true,
            after: Vec::new(),
            labels: Labels::default(),
            policy,
        };
        let model = ServiceModel {
            after: Vec::new(),
            start: Start::Well,
            supervision: None,
            has_probes: true,
            has_target: true,
        };
        let mut actor = Self::of(service, &model);
        actor.target.shows_age = false;
        actor.asks = Some("first");
        actor
    }

    /// A service that has run well since the epoch.
    pub(crate) fn of(service: Service, model: &ServiceModel) -> Self {
        Self {
            target: Target::new(service.name.as_str(), Time::ZERO),
            service,
            needs: model.after.clone(),
            start: model.start,
            supervision: model.supervision,
            says: None,
            asks: None,
            second: None,
            check: None,
            behaviour: Behaviour::Well,
            left: model.supervision.map_or(0, |supervision| supervision.restarts),
            is_unwanted: false,
            restarts: 0,
            downtime: Duration::ZERO,
        }
    }

    /// With another policy.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.service.policy);
        self
    }

    /// Its probe fails like this, whatever it does.
    #[must_use]
    pub fn saying(mut self, kind: FailureKind) -> Self {
        self.says = Some(kind);
        self
    }

    /// It comes after these, as the agent knows it.
    #[must_use]
    pub fn after(mut self, names: &[&str]) -> Self {
        self.service.after = names.iter().map(|name| (*name).into()).collect();
        self
    }

    /// Nothing probes it.
    #[must_use]
    pub fn without_probes(mut self) -> Self {
        self.service.has_probes = false;
        self
    }

    /// Nothing can be restarted.
    #[must_use]
    pub fn probed_only(mut self) -> Self {
        self.service.has_target = false;
        self
    }

    /// Its starts go like this.
    #[must_use]
    pub fn starting(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Its own supervisor restarts it this many seconds after a run ended, this many times however long it ran.
    #[must_use]
    pub fn supervised(mut self, delay: u64, restarts: u32) -> Self {
        self.supervision = Some(Supervision {
            restarts,
            delay: Duration::from_secs(delay),
            interval: Duration::MAX,
        });
        self.left = restarts;
        self
    }

    /// What a watcher sees of it.
    pub(crate) fn observation(&self, now: Time) -> Observation {
        Observation {
            check: self.check.clone(),
            ..self.target.observation(now)
        }
    }

    /// How long a probe of it waits for an answer.
    pub(crate) fn probe_limit(&self) -> Duration {
        PROBE_LIMIT.min(self.service.policy.interval)
    }

    /// What a probe finds by itself, whatever it depends on.
    pub(crate) fn answer(&self, limit: Duration) -> Asked {
        if let Some(kind) = self.says {
            return Err(says(kind));
        }
        let is_there = !matches!(
            self.target.state,
            TargetState::Down { .. } | TargetState::Unusable(_) | TargetState::Busy(Activity::AutoRestart)
        );
        match self.behaviour {
            Behaviour::Well if is_there => Ok(()),
            Behaviour::Wrongly(status) if is_there => Err(wrongly(status)),
            Behaviour::Silent if is_there => {
                let detail = format!("no answer within {}", exact_span(limit));
                Err((ProbeFailure::new(FailureKind::Timeout, detail), None))
            }
            _ => Err((ProbeFailure::new(FailureKind::Refused, "connection refused"), None)),
        }
    }

    /// How long a probe takes that gets this: it waits for what does not answer.
    pub(crate) fn latency(&self, answer: &Asked, limit: Duration) -> Duration {
        match answer {
            Err((failure, _)) if failure.phase == ProbePhase::Timeout && self.says.is_none() => limit,
            _ => PROBE.min(limit),
        }
    }

    /// What its prober reports a round in which its first probe got this.
    pub(crate) fn outcome(&self, first: Asked, latency: Duration) -> ProbeOutcome {
        let (first, status_code) = match first {
            Ok(()) => (Verdict::Passed, Some(200)),
            Err((failure, status)) => (Verdict::Failed(failure), status),
        };
        let second = self.second.map(|second| match second {
            Ok(()) => Verdict::Passed,
            Err(kind) => Verdict::Failed(says(kind).0),
        });
        let answer = |question: &str, verdict: &Verdict| Answer {
            question: question.into(),
            verdict: verdict.clone(),
        };
        let answers = self.asks.map(|asks| answer(asks, &first)).into_iter();
        let answers = answers.chain(second.as_ref().map(|second| answer("second", second)));
        let answers = answers.collect();
        // As the prober has it: the first failure decides.
        let verdict = match (first, second) {
            (Verdict::Passed, Some(second)) => second,
            (first, _) => first,
        };
        ProbeOutcome {
            verdict,
            status_code,
            latency,
            answers,
        }
    }

    /// From now on, while it runs, it answers like this.
    pub fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// Starts another run. Answers what follows, and when; nothing follows a start that fails.
    pub(crate) fn begin(&mut self, by: StartedBy, now: Time) -> Option<(Duration, Consequence)> {
        self.target.begin(by, now);
        self.target.state = TargetState::Running;
        self.is_unwanted = false;
        let (behaviour, consequence) = match self.start {
            Start::Well => (Behaviour::Well, None),
            Start::Slowly(span) => (Behaviour::NotYet, Some((span, Consequence::Answers))),
            Start::DiesAfter(span) => (Behaviour::Well, Some((span, Consequence::Dies))),
            Start::Deaf => (Behaviour::Silent, None),
            Start::Ready(_) | Start::Refused => (Behaviour::NotYet, None),
        };
        self.behaviour = behaviour;
        consequence
    }

    /// Why the run that has just been started is over already, if it is.
    pub(crate) fn refusal(&self) -> Option<Cause> {
        (self.start == Start::Refused).then(|| Cause::NotStarted {
            reason: CANNOT_EXECUTE.to_owned(),
        })
    }

    /// Somebody other than its supervisor starts it: the supervisor counts from the beginning.
    pub(crate) fn begin_row(&mut self) {
        self.left = self.supervision.map_or(0, |supervision| supervision.restarts);
    }

    /// The run ends by itself. Answers when its supervisor starts it again, if it will.
    pub(crate) fn end(&mut self, cause: Cause, now: Time) -> Option<Duration> {
        let clean = cause == (Cause::Exited { code: 0 });
        self.target.state = ended(cause);
        // Like `Restart=on-failure`.
        let supervision = self.supervision.filter(|_| !clean)?;
        if now.since(self.target.began) >= supervision.interval {
            self.begin_row();
        }
        if self.left == 0 {
            self.target.supervisor = Supervisor::GaveUp;
            return None;
        }
        self.left -= 1;
        self.target.state = TargetState::Busy(Activity::AutoRestart);
        Some(supervision.delay)
    }

    /// Whether its supervisor gave up on it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.target.supervisor == Supervisor::GaveUp && !self.target.runs()
    }

    /// An operator stops it.
    pub(crate) fn stop(&mut self) {
        self.target.state = TargetState::Down {
            intent: Intent::OperatorStop,
            cause: Cause::Exited { code: 0 },
        };
        self.target.supervisor = Supervisor::Passive;
        self.is_unwanted = true;
    }

    /// The host goes down with it.
    pub(crate) fn shut_down(&mut self) {
        self.target.state = TargetState::Down {
            intent: Intent::Shutdown,
            cause: Cause::Exited { code: 0 },
        };
        self.is_unwanted = true;
    }
}

/// A failure with this HTTP status.
pub(crate) fn wrongly(status: u16) -> (ProbeFailure, Option<u16>) {
    let failure = ProbeFailure::new(FailureKind::Status(status), format!("status {status}"));
    (failure, Some(status))
}

/// A failure of this kind, and the HTTP status that comes with it.
fn says(kind: FailureKind) -> (ProbeFailure, Option<u16>) {
    let status = match kind {
        FailureKind::Status(status) => Some(status),
        _ => None,
    };
    (ProbeFailure::new(kind, kind.word()), status)
}
