//! Reloads of systemd that follow one another: for how long they may keep units from being judged.

use std::time::Duration;

use tokio::time::Instant;

/// A reload that does not end is taken for ended.
const RELOAD_MAX: Duration = Duration::from_secs(60);

/// Reloads that follow the one before within this time are one storm.
const APART: Duration = Duration::from_secs(2);

/// From the first reload of a storm, units are judged only by what was read after the last for this long at most. A reload
/// takes a quarter of a second on a host of 200 units; what PID 1 answers between two of them is no less true.
const HIDES_MAX: Duration = Duration::from_secs(3);

/// What could not be read for so long since the first reload of a storm is out of sight.
const UNOBSERVABLE_AFTER: Duration = Duration::from_secs(10);

/// The reloads of a storm, from its first on.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    first: Option<Instant>,
    /// When the last one began or ended.
    last: Option<Instant>,
    /// When the one under way is taken for ended.
    ends: Option<Instant>,
    /// What is due when units may no longer be hidden, and when what is hidden still is out of sight.
    read_at: Option<Instant>,
    unobservable_at: Option<Instant>,
}

/// What time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The reload under way is taken for ended.
    End,
    /// What was not read since the first reload has to be read, whatever is under way.
    Read,
    /// What was not read since is out of sight.
    Unobservable,
}

impl Reloads {
    /// A reload begins.
    pub(super) fn begin(&mut self, now: Instant) {
        let goes_on = self.last.is_some_and(|last| now < last + APART);
        if !goes_on || self.first.is_none() {
            self.first = Some(now);
            self.read_at = Some(now + HIDES_MAX);
            self.unobservable_at = Some(now + UNOBSERVABLE_AFTER);
        }
        self.last = Some(now);
        self.ends = Some(now + RELOAD_MAX);
    }

    /// The reload under way ended, or whatever was known of it is void.
    pub(super) fn end(&mut self, now: Instant) {
        self.last = Some(now);
        self.ends = None;
    }

    /// Whether one is under way: PID 1 answers nothing then.
    pub(super) fn under_way(&self) -> bool {
        self.ends.is_some()
    }

    /// Whether signals, and answers while a reload is under way, are not to be judged by yet.
    pub(super) fn hides(&self, now: Instant) -> bool {
        self.first.is_some_and(|first| now < first + HIDES_MAX)
    }

    /// Whether reloads follow one another for longer than they may hide anything.
    pub(super) fn is_storm(&self, now: Instant) -> bool {
        let goes_on = self.under_way() || self.last.is_some_and(|last| now < last + APART);
        goes_on && self.first.is_some() && !self.hides(now)
    }

    /// When [`Self::due`] has something.
    pub(super) fn timer(&self) -> Option<Instant> {
        [self.ends, self.read_at, self.unobservable_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// What time has brought, once each.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        let take = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if take(&mut self.read_at) {
            Some(Due::Read)
        } else if take(&mut self.unobservable_at) {
            Some(Due::Unobservable)
        } else if take(&mut self.ends) {
            Some(Due::End)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_storm_hides_units_for_three_seconds_from_its_first_reload() {
        let start = Instant::now();
        let mut reloads = Reloads::default();
        assert!(!reloads.hides(start) && reloads.timer().is_none());
        // Every half second, as long as it likes.
        let mut due = Vec::new();
        for number in 0..100 {
            let at = after(start, 500 * number);
            reloads.begin(at);
            assert_eq!(reloads.hides(at), number < 6, "{number}");
            assert_eq!(reloads.is_storm(at), number >= 6, "{number}");
            due.extend(reloads.due(at).map(|due| (number, due)));
            assert!(reloads.under_way());
            reloads.end(after(at, 250));
            assert!(!reloads.under_way());
        }
        assert_eq!(due, [(6, Due::Read), (20, Due::Unobservable)]);
        // Another storm, some time after the last.
        let later = after(start, 100_000);
        assert!(!reloads.is_storm(later));
        reloads.begin(later);
        assert!(reloads.hides(later));
    }

    #[test]
    fn a_reload_without_end_is_read_through_then_reported_and_at_last_taken_for_ended() {
        let start = Instant::now();
        let mut reloads = Reloads::default();
        reloads.begin(start);
        let mut brought = Vec::new();
        while let Some(timer) = reloads.timer() {
            brought.push((timer - start, reloads.due(timer)));
        }
        let expected = [
            (HIDES_MAX, Some(Due::Read)),
            (UNOBSERVABLE_AFTER, Some(Due::Unobservable)),
            (RELOAD_MAX, Some(Due::End)),
        ];
        assert_eq!(brought, expected);
    }
}
