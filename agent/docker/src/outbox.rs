//! Observations on their way to the driver.

use std::collections::VecDeque;

use sentinel_engine::{Event, Observation, ServiceName};
use tokio::sync::mpsc;

/// What could not be handed over yet: at most one observation of each service, the newest.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: VecDeque<(ServiceName, Observation)>,
    events: mpsc::Sender<Event>,
}

impl Outbox {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            waiting: VecDeque::new(),
            events,
        }
    }

    /// Hands an observation over, at once if that is possible. It replaces one of the same service that still waits.
    pub(super) fn hand_over(&mut self, service: &ServiceName, observation: Observation) {
        self.waiting.retain(|(waits, _)| waits != service);
        self.waiting.push_back((service.clone(), observation));
        while let Some((service, observation)) = self.waiting.pop_front() {
            match self.events.try_reserve() {
                Ok(permit) => permit.send(Event::TargetObserved { service, observation }),
                Err(mpsc::error::TrySendError::Closed(())) => return,
                Err(mpsc::error::TrySendError::Full(())) => {
                    self.waiting.push_front((service, observation));
                    return;
                }
            }
        }
    }

    /// Waits until one that waits has been handed over. Never ends when none waits.
    pub(super) async fn flush_one(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some((service, observation)) = self.waiting.pop_front() {
                    permit.send(Event::TargetObserved { service, observation });
                }
            }
            Err(_closed) => self.waiting.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::TargetState;

    use super::*;

    fn seen(what: &str) -> Observation {
        Observation::new(TargetState::Unknown(what.into()), None)
    }

    #[tokio::test]
    async fn a_slow_driver_gets_the_newest_of_each() {
        let (sender, mut events) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        for (service, what) in [("a", "1"), ("a", "2"), ("b", "1"), ("a", "3"), ("b", "2")] {
            outbox.hand_over(&ServiceName::from(service), seen(what));
        }
        let mut reported = Vec::new();
        for _ in 0..3 {
            let Some(Event::TargetObserved { service, observation }) = events.recv().await else {
                panic!("nothing came");
            };
            reported.push((service.to_string(), observation));
            if reported.len() < 3 {
                outbox.flush_one().await;
            }
        }
        let expected = [("a", "1"), ("a", "3"), ("b", "2")].map(|(service, what)| (service.to_owned(), seen(what)));
        assert_eq!(reported, expected);
    }
}
