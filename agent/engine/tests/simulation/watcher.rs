//! The watcher and the prober: what the agent gets to see, late, twice, or not at all.

use std::time::Duration;

use sentinel_engine::{
    Event, FailureKind, Observation, ProbeFailure, ProbeOutcome, ProbeRound, ServiceName, TargetState, Verdict,
};
use sentinel_simulation::Start;

use super::host::{ScheduledEvent, Sim};

/// How long a probe waits for an answer.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

impl Sim {
    /// Observation begins, of everything and of the host itself first.
    pub fn watcher_starts(&mut self) {
        if self.going_down {
            self.deliver(Event::HostShutdownChanged { going_down: true });
        }
        if self.bus {
            self.look_at_all();
        } else {
            self.report_unobservable();
        }
    }

    pub fn look_at_all(&mut self) {
        for name in self.names() {
            self.look(&name);
        }
    }

    pub fn look(&mut self, name: &ServiceName) {
        let after = self.rng.millis(0, 5);
        self.later(after, ScheduledEvent::Look(self.life, name.clone()));
    }

    pub fn watcher_looks(&mut self, life: u64, name: &ServiceName) {
        let watches = self
            .services
            .iter()
            .any(|service| service.name == *name && service.has_target);
        if life != self.life || !self.bus || !watches {
            return;
        }
        let event = Event::TargetObserved {
            service: name.clone(),
            observation: self.targets[name].observation(self.now),
        };
        if self.rng.permille(20) {
            self.deliver(event.clone());
        }
        self.deliver(event);
    }

    pub fn report_unobservable(&mut self) {
        let watched: Vec<_> = self.services.iter().filter(|service| service.has_target).collect();
        let events: Vec<_> = watched
            .iter()
            .map(|service| Event::TargetObserved {
                service: service.name.clone(),
                observation: Observation::new(
                    TargetState::Unknown("the bus is gone".into()),
                    Some(self.targets[&service.name].unit.run_id()),
                ),
            })
            .collect();
        for event in events {
            self.deliver(event);
        }
    }

    /// The watcher tells, late perhaps, but one thing after the other.
    pub fn deliver(&mut self, event: Event) {
        let delay = self.rng.millis(0, self.weather.delay);
        self.delivered_until = self.delivered_until.max(self.now + delay);
        let after = self.delivered_until.since(self.now);
        self.later(after, ScheduledEvent::Deliver(self.life, event));
    }

    /// A service answers when its target does, and everything it depends on.
    pub fn serves(&self, name: &ServiceName) -> bool {
        let service = self.services.iter().find(|service| service.name == *name);
        self.targets.get(name).is_some_and(|target| target.answers(self.now))
            && service.is_some_and(|service| service.after.iter().all(|dependency| self.serves(dependency)))
    }

    pub fn probe(&mut self, service: ServiceName, round: ProbeRound) {
        // What is being renamed at this moment is not answered for.
        let Some(runs) = self.targets.get(&service).map(|target| target.unit.runs()) else {
            return;
        };
        let (verdict, status_code, latency) = if self.rng.permille(3) && self.stormy() {
            let reason = "too many open files".to_owned();
            (Verdict::Skipped(reason), None, Duration::from_millis(1))
        } else if self.targets[&service].wrong_question {
            // Just the kinds for which a restart is made where they can be believed.
            let kind = self.rng.pick(&[FailureKind::Status(503), FailureKind::Refused]);
            (
                Verdict::Failed(ProbeFailure::new(kind, "wrong question")),
                None,
                self.rng.millis(1, 50),
            )
        } else if self.serves(&service) {
            (Verdict::Passed, Some(200), self.rng.millis(1, 50))
        } else {
            // What is slow to start accepts no connection yet.
            let slow = matches!(self.targets[&service].start, Start::Slowly(_));
            // What stands in front of it may answer in its place.
            let (kind, latency) = if runs && self.rng.permille(200) {
                (FailureKind::Status(404), Duration::from_millis(5))
            } else if runs && !slow {
                (FailureKind::Timeout, PROBE_LIMIT)
            } else {
                (FailureKind::Refused, Duration::from_millis(1))
            };
            (Verdict::Failed(ProbeFailure::new(kind, "no answer")), None, latency)
        };
        let outcome = ProbeOutcome {
            verdict,
            status_code,
            latency,
            answers: Vec::new(),
        };
        let event = Event::ProbeCompleted {
            service,
            round,
            outcome,
        };
        self.later(latency, ScheduledEvent::Deliver(self.life, event));
    }
}
