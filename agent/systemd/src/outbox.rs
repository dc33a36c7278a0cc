//! Events on their way to the driver.

use std::collections::VecDeque;

use sentinel_engine::Event;
use tokio::sync::mpsc;

/// What could not be handed over yet: of each service, and of what is about all of them, the newest.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: VecDeque<Event>,
    events: mpsc::Sender<Event>,
}

impl Outbox {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            waiting: VecDeque::new(),
            events,
        }
    }

    /// Hands an event over, at once if that is possible. An observation replaces one of the same service that still waits.
    pub(super) fn hand_over(&mut self, event: Event) {
        let event = if self.waiting.is_empty() {
            match self.events.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(event)) => event,
            }
        } else {
            event
        };
        self.waiting.retain(|waiting| !replaces(&event, waiting));
        self.waiting.push_back(event);
    }

    /// Waits until one event that waits has been handed over. Never ends when none waits or nobody takes them.
    pub(super) async fn flush_one(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            Err(_closed) => self.waiting.clear(),
        }
    }
}

fn replaces(event: &Event, waiting: &Event) -> bool {
    match (event, waiting) {
        (Event::TargetObserved { service: new, .. }, Event::TargetObserved { service: old, .. }) => new == old,
        (Event::HostShutdownChanged { .. }, Event::HostShutdownChanged { .. })
        | (Event::PermissionsChanged, Event::PermissionsChanged) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use sentinel_engine::{Observation, ServiceName, TargetState};

    use super::*;

    fn reported(events: &mut mpsc::Receiver<Event>) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|event| match event {
                Event::TargetObserved { service, observation } => format!("{service} {:?}", observation.state),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_of_each_service() {
        let (sender, mut events) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        let observe = |outbox: &mut Outbox, service: &str, state: TargetState| {
            outbox.hand_over(Event::TargetObserved {
                service: ServiceName::from(service),
                observation: Observation::new(state, None),
            });
        };
        observe(&mut outbox, "a", TargetState::Running);
        for number in 0..100 {
            observe(&mut outbox, "a", TargetState::Unknown(number.to_string()));
            observe(&mut outbox, "b", TargetState::Unknown(number.to_string()));
            let going_down = number % 2 == 0;
            outbox.hand_over(Event::HostShutdownChanged { going_down });
        }
        assert_eq!(outbox.waiting.len(), 3);
        let mut all = reported(&mut events);
        while !outbox.waiting.is_empty() {
            outbox.flush_one().await;
            all.extend(reported(&mut events));
        }
        assert_eq!(
            all,
            [
                "a Running",
                "a Unknown(\"99\")",
                "b Unknown(\"99\")",
                "HostShutdownChanged { going_down: false }"
            ]
        );
    }
}
