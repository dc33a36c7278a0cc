//! Maintenance windows: when each opens and ends on the calendar, and whom it is about.
//!
//! The engine knows no calendar; it is notified when a service enters a window and when it leaves. What it is sent
//! follows from the settings and the wall clock's reading alone, so a clock that is set only makes it look again.

mod calendar;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sentinel_config::MaintenanceSettings;
use sentinel_engine::ServiceName;

pub use calendar::{Occurrence, upcoming};

/// Occurrences looked at: more than a window that is open for a week every day has open at once.
const OCCURRENCES: usize = 9;

/// A window that is open, as one service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Why, for the operator.
    pub reason: String,
    /// When it ends.
    pub end: Timestamp,
}

/// The windows, and what was last said of each service.
#[derive(Debug, Default)]
pub struct Schedule {
    windows: Vec<MaintenanceSettings>,
    services: BTreeSet<ServiceName>,
    announced: BTreeMap<ServiceName, Open>,
    /// From and until when nothing changes by itself.
    valid: Option<(Timestamp, Timestamp)>,
}

impl Schedule {
    /// These windows for these services from now on. What was said of services that stay is remembered.
    pub fn replace(&mut self, windows: Vec<MaintenanceSettings>, services: BTreeSet<ServiceName>) {
        self.announced.retain(|name, _| services.contains(name));
        self.windows = windows;
        self.services = services;
        self.valid = None;
    }

    /// When the next window opens or ends, as far as known.
    pub fn next(&self) -> Option<Timestamp> {
        self.valid
            .map(|(_, until)| until)
            .filter(|until| *until < Timestamp::MAX)
    }

    /// What is new at `now`: services that entered a window or another one, and those that left.
    pub fn poll(&mut self, now: Timestamp) -> Vec<(ServiceName, Option<Open>)> {
        if self.valid.is_some_and(|(from, until)| (from..until).contains(&now)) {
            return Vec::new();
        }
        let mut change = Timestamp::MAX;
        let mut open: Vec<(&MaintenanceSettings, Timestamp)> = Vec::new();
        for window in &self.windows {
            let occurrences = upcoming(window, now, OCCURRENCES);
            for occurrence in &occurrences {
                let is_open = occurrence.start <= now;
                change = change.min(if is_open { occurrence.end } else { occurrence.start });
            }
            let ends = occurrences.iter().filter(|occurrence| occurrence.start <= now);
            open.extend(ends.map(|occurrence| occurrence.end).max().map(|end| (window, end)));
        }
        self.valid = Some((now, change));
        let mut news = Vec::new();
        for name in &self.services {
            let about = open.iter().filter(|(window, _)| window.covers(name.as_str()));
            let longest = about.max_by_key(|(_, end)| *end).map(|(window, end)| Open {
                reason: window.reason(),
                end: *end,
            });
            if self.announced.get(name) != longest.as_ref() {
                news.push((name.clone(), longest));
            }
        }
        for (name, open) in &news {
            match open {
                Some(open) => drop(self.announced.insert(name.clone(), open.clone())),
                None => drop(self.announced.remove(name)),
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::time;
    use jiff::tz::TimeZone;

    use super::*;
    use sentinel_config::MaintenanceEnd;

    fn window(name: &str, services: &[&str], hour: i8, hours: u64) -> MaintenanceSettings {
        MaintenanceSettings {
            name: name.to_owned(),
            services: services.iter().map(|&service| service.to_owned()).collect(),
            start: time(hour, 0, 0, 0),
            end: MaintenanceEnd::After(Duration::from_secs(hours * 3600)),
            days: Vec::new(),
            zone: TimeZone::UTC,
            reason: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    fn said(news: Vec<(ServiceName, Option<Open>)>) -> Vec<String> {
        let line = |(name, open): (ServiceName, Option<Open>)| match open {
            Some(open) => format!("{name}: {} until {}", open.reason, open.end),
            None => format!("{name}: over"),
        };
        news.into_iter().map(line).collect()
    }

    #[test]
    fn each_service_is_reported_of_what_changes_for_it() {
        let mut schedule = Schedule::default();
        let services: BTreeSet<ServiceName> = ["db-1", "shop"].into_iter().map(Into::into).collect();
        let windows = vec![window("db", &["db-*"], 2, 2), window("all", &["*"], 3, 2)];
        schedule.replace(windows.clone(), services.clone());
        assert_eq!(said(schedule.poll(at("01:00:00"))), [""; 0]);
        assert_eq!(schedule.next(), Some(at("02:00:00")));
        let db = "db-1: maintenance window `db` until 2026-03-01T04:00:00Z";
        assert_eq!(said(schedule.poll(at("02:00:00"))), [db]);
        assert_eq!(said(schedule.poll(at("02:30:00"))), [""; 0]);
        assert_eq!(
            said(schedule.poll(at("03:10:00"))),
            [
                "db-1: maintenance window `all` until 2026-03-01T05:00:00Z",
                "shop: maintenance window `all` until 2026-03-01T05:00:00Z"
            ]
        );
        // The wall clock is set back, and forward beyond everything.
        assert_eq!(said(schedule.poll(at("02:30:00"))), [db, "shop: over"]);
        assert_eq!(said(schedule.poll(at("12:00:00"))), ["db-1: over"]);
        // A reload in the middle of it.
        assert_eq!(said(schedule.poll(at("02:00:00"))), [db]);
        schedule.replace(windows.clone(), services.clone());
        assert_eq!(said(schedule.poll(at("02:01:00"))), [""; 0]);
        schedule.replace(windows.clone(), BTreeSet::new());
        schedule.replace(windows, services.clone());
        assert_eq!(said(schedule.poll(at("02:02:00"))), [db], "who returns is told again");
        schedule.replace(Vec::new(), services);
        assert_eq!(said(schedule.poll(at("02:03:00"))), ["db-1: over"]);
        assert_eq!(schedule.next(), None);
    }
}
