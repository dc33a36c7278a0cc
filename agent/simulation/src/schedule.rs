//! A queue of events on the virtual clock.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::Time;

/// What is going to happen, in order of time. Of what happens at the same moment, what was added first comes first.
#[derive(Clone, Debug)]
pub struct Schedule<E> {
    events: BTreeMap<(Time, u64), E>,
    added: u64,
}

impl<E> Default for Schedule<E> {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            added: 0,
        }
    }
}

impl<E> Schedule<E> {
    /// Adds an event that happens at this time.
    pub fn add(&mut self, at: Time, event: E) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// When the next one happens.
    pub fn next(&self) -> Option<Time> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next one if it happens at this time or before.
    pub fn pop_due(&mut self, now: Time) -> Option<E> {
        let first = self.events.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Drops what does not pass.
    pub fn retain(&mut self, mut keep: impl FnMut(&E) -> bool) {
        self.events.retain(|_, event| keep(event));
    }

    /// All of it, to be changed.
    pub fn events_mut(&mut self) -> impl Iterator<Item = &mut E> {
        self.events.values_mut()
    }

    /// Everything happens so much later, in the same order.
    pub fn postpone(&mut self, by: Duration) {
        let events = std::mem::take(&mut self.events);
        let later = events.into_iter().map(|((at, order), event)| ((at + by, order), event));
        self.events = later.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn events_come_in_order_of_time_and_then_as_they_were_added() {
        let mut schedule = Schedule::default();
        for (second, event) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            schedule.add(at(second), event);
        }
        assert_eq!(schedule.pop_due(at(0)), None);
        schedule.postpone(Duration::from_secs(10));
        assert_eq!(schedule.next(), Some(at(11)));
        schedule.retain(|event| *event != "c");
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop_due(at(12))).collect();
        assert_eq!(order, ["a", "b", "d"]);
    }
}
