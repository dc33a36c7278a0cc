//! `docs/alerts.md` says who is notified what; its tables are these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use sentinel_config::Settings;
use sentinel_engine::alerting::{AlertContext, Alerting, Match, Reason, Subject};
use sentinel_engine::{
    Cause, Command, IncidentId, Labels, Notification, NotificationKind, Outage, Report, ReportKind, Resolution,
    ServiceName, Severity, Time,
};

/// The page.
fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.md")).unwrap()
}

/// What its example says, which is free of errors and of warnings.
fn settings(page: &str) -> Settings {
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sentinel.toml");
    fs::write(&path, text).unwrap();
    let loaded = sentinel_config::load(&path, []).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    loaded.settings
}

/// The tables of the page, each with the heading above it, as rows of cells; headings of columns first.
fn tables(page: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    let (mut heading, mut inside) = (String::new(), false);
    for line in page.lines() {
        if let Some(text) = line.strip_prefix('#') {
            text.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        let Some(row) = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        if !inside {
            tables.push((heading.clone(), Vec::new()));
            inside = true;
        }
        if !row.starts_with("---") {
            let cells = row.split('|').map(|cell| cell.trim().to_owned()).collect();
            tables.last_mut().unwrap().1.push(cells);
        }
    }
    tables
}

fn severity(word: &str) -> Severity {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    all.into_iter().find(|severity| severity.as_str() == word).unwrap()
}

/// `a, b` as a set; `none` as the empty one.
fn names(text: &str) -> BTreeSet<String> {
    let names = text.split(", ").filter(|name| *name != "none");
    names.map(str::to_owned).collect()
}

/// The reasons in words, each once.
fn reasons<'a>(reasons: impl Iterator<Item = &'a Reason>) -> BTreeSet<String> {
    reasons.map(ToString::to_string).collect()
}

#[test]
fn routes_choose_as_the_page_says() {
    let page = page();
    let settings = settings(&page);
    let tables = tables(&page);
    let (_, rows) = tables.iter().find(|(heading, _)| heading == "Routes").unwrap();
    assert!(rows.len() > 8);
    for row in &rows[1..] {
        let [service, kind, level, reported, why] = &row[..] else {
            panic!("{row:?}")
        };
        let found = settings
            .services
            .iter()
            .find(|found| found.service.name.as_str() == service);
        let labels = found.map(|found| found.service.labels.clone()).unwrap_or_default();
        let choice = settings.alerts.rules.choose(Subject {
            service,
            severity: severity(level),
            kind,
            labels: &labels,
        });
        assert_eq!(
            choice.receivers.keys().cloned().collect::<BTreeSet<_>>(),
            names(reported),
            "{row:?}"
        );
        let found = reasons(choice.receivers.values().chain(&choice.no_receivers));
        assert_eq!(found, names(why), "{row:?}");
    }
}

/// What is known of services in a story.
struct Known {
    labels: BTreeMap<ServiceName, Labels>,
    inhibited: Option<Reason>,
}

impl Known {
    /// Calls alerting with what it asks about services.
    fn asked<T>(&self, call: impl FnOnce(&AlertContext<'_>) -> T) -> T {
        call(&AlertContext {
            labels: &|service: &ServiceName| self.labels.get(service).cloned().unwrap_or_default(),
            inhibition: &|_| self.inhibited.clone(),
        })
    }
}

/// A story that is being reported.
struct Story<'a> {
    settings: &'a Settings,
    alerting: Alerting,
    around: Known,
    /// Messages of each open incident so far, as the engine counts them.
    messages: BTreeMap<String, u32>,
    /// What was said since last asked: to whom, what, and why.
    said: Vec<(BTreeSet<String>, String, BTreeSet<String>)>,
    /// What survives the agent.
    kept: Kept,
}

/// What the store would hold.
#[derive(Default)]
struct Kept {
    notification_logs: BTreeMap<IncidentId, sentinel_engine::alerting::NotificationLog>,
    silences: BTreeMap<u64, sentinel_engine::alerting::Silence>,
}

/// The incident of a story's service.
fn incident(service: &str) -> IncidentId {
    IncidentId(service.bytes().map(u64::from).sum())
}

fn at(text: &str) -> Time {
    Time::from_epoch(humantime::parse_duration(text).unwrap())
}

impl<'a> Story<'a> {
    fn new(settings: &'a Settings) -> Self {
        let labels = settings.services.iter();
        let labels = labels.map(|service| (service.service.name.clone(), service.service.labels.clone()));
        Self {
            settings,
            alerting: Alerting::new(Time::ZERO, settings.alerts.rules.clone(), vec![], vec![], 1),
            around: Known {
                labels: labels.collect(),
                inhibited: None,
            },
            messages: BTreeMap::new(),
            said: Vec::new(),
            kept: Kept::default(),
        }
    }

    /// Ends the agent and starts another that knows what was kept.
    fn restart(&mut self, now: Time) {
        let json = |value: &sentinel_engine::alerting::NotificationLog| serde_json::to_string(value).unwrap();
        let notification_logs = self.kept.notification_logs.values().map(json);
        let notification_logs = notification_logs.map(|text| serde_json::from_str(&text).unwrap());
        let silences = self.kept.silences.values().cloned();
        self.alerting = Alerting::new(
            now,
            self.settings.alerts.rules.clone(),
            notification_logs.collect(),
            silences.collect(),
            1,
        );
    }

    /// Lets time pass to `now`, from one wake-up to the next.
    fn pass(&mut self, now: Time) {
        let mut turns = 0;
        while let Some(wake) = self.alerting.next_wake().filter(|wake| *wake <= now) {
            self.around.asked(|cx| self.alerting.handle_timeout(wake, cx));
            self.listen(wake);
            turns += 1;
            assert!(turns < 100_000, "it comes to rest");
        }
    }

    fn listen(&mut self, now: Time) {
        let mut withheld = Vec::new();
        let mut sent = BTreeMap::<(u64, u32), (BTreeSet<String>, String, BTreeSet<String>)>::new();
        while let Some(command) = self.alerting.poll_command() {
            match command {
                Command::Notify(outgoing) => {
                    let message = outgoing.notification;
                    let wait = outgoing.not_before.since(now);
                    let waits = message.kind == NotificationKind::Fired;
                    assert_eq!(wait, Duration::from_secs(if waits { 10 } else { 0 }), "{message:?}");
                    let key = (message.incident.0, message.sequence);
                    let entry = sent.entry(key).or_default();
                    message.kind.as_str().clone_into(&mut entry.1);
                    entry.0.extend(outgoing.receivers.keys().cloned());
                    entry.2.extend(reasons(outgoing.receivers.values()));
                }
                Command::Report(Report {
                    kind: ReportKind::NotNotified { kind, reason },
                    ..
                }) => withheld.push((BTreeSet::new(), kind.to_owned(), BTreeSet::from([reason.to_string()]))),
                Command::SaveNotificationLog(log) => {
                    self.kept.notification_logs.insert(log.incident, *log);
                }
                Command::ForgetNotificationLog(id) => drop(self.kept.notification_logs.remove(&id)),
                Command::SaveSilence(silence) => drop(self.kept.silences.insert(silence.id, *silence)),
                Command::EndSilence { silence, .. } => drop(self.kept.silences.remove(&silence.id)),
                _ => {}
            }
        }
        self.said.extend(sent.into_values());
        self.said.extend(withheld);
    }

    /// One message of the engine.
    fn message(&mut self, now: Time, service: &str, kind: NotificationKind) {
        let found = self
            .settings
            .services
            .iter()
            .find(|found| found.service.name.as_str() == service);
        let own = found.map_or(Severity::Critical, |found| found.service.policy.severity);
        let messages = self.messages.entry(service.to_owned()).or_default();
        *messages += 1;
        let message = Notification {
            incident: incident(service),
            sequence: *messages,
            labels: self.around.labels.get(service).cloned().unwrap_or_default(),
            service: service.into(),
            kind,
            severity: match kind {
                NotificationKind::Fired => own,
                NotificationKind::GaveUp { .. } => Severity::Critical,
                NotificationKind::Flapping { .. } => Severity::Warning,
                _ => Severity::Info,
            },
            at: now,
            opened_at: Time::ZERO,
            cause: Cause::Watchdog,
            attempts: 1,
            doing: "backoff".to_owned(),
            failing: None,
        };
        self.around
            .asked(|cx| self.alerting.handle_notification(now, message, cx));
    }

    fn close(&mut self, now: Time, service: &str, healed: bool) {
        let (resolution, duration) = (Resolution::Recovered, now.since(Time::ZERO));
        self.alerting.handle_report(&Report {
            at: now,
            service: service.into(),
            incident: Some(incident(service)),
            kind: ReportKind::IncidentClosed {
                resolution,
                duration,
                outage: Outage::default(),
            },
        });
        let outage = Outage::default();
        let kind = if healed {
            NotificationKind::Healed {
                resolution,
                duration,
                outage,
            }
        } else {
            NotificationKind::Resolved {
                resolution,
                duration,
                outage,
            }
        };
        self.message(now, service, kind);
        self.messages.remove(service);
        self.around.asked(|cx| self.alerting.handle_timeout(now, cx));
    }

    /// Carries out what a row says.
    fn happen(&mut self, now: Time, text: &str) {
        let service = |suffix: &str| text.strip_suffix(suffix).map(str::to_owned);
        if text.is_empty() {
        } else if let Some(service) = service(" is down") {
            self.message(now, &service, NotificationKind::Fired);
        } else if let Some(service) = service(" gives up") {
            self.message(
                now,
                &service,
                NotificationKind::GaveUp {
                    restarts: 5,
                    window: Duration::from_secs(1800),
                },
            );
        } else if let Some(service) = service(" is up") {
            self.close(now, &service, false);
        } else if let Some(service) = service(" is healed") {
            self.close(now, &service, true);
        } else if let Some(service) = service(" no longer flaps") {
            let (incidents, duration) = (5, Duration::from_secs(600));
            self.message(now, &service, NotificationKind::FlappingEnded { incidents, duration });
            self.messages.remove(&service);
        } else if let Some(service) = service(" flaps") {
            let (incidents, within) = (5, Duration::from_secs(600));
            self.message(now, &service, NotificationKind::Flapping { incidents, within });
        } else if let Some(service) = service(" comes back") {
            let (resolution, duration) = (Resolution::Recovered, now.since(Time::ZERO));
            self.alerting.handle_report(&Report {
                at: now,
                service: service.as_str().into(),
                incident: Some(incident(&service)),
                kind: ReportKind::IncidentClosed {
                    resolution,
                    duration,
                    outage: Outage::default(),
                },
            });
        } else if let Some(rest) = text.strip_prefix("silence ") {
            let (pattern, duration) = rest.split_once(" for ").unwrap();
            let matches = Match {
                services: vec![pattern.to_owned()],
                ..Match::default()
            };
            let duration = humantime::parse_duration(duration).unwrap();
            let (by, comment) = ("alice".to_owned(), "why".to_owned());
            self.alerting.add_silence(now, matches, duration, by, comment).unwrap();
        } else if let Some(id) = text.strip_prefix("expire ") {
            let id = id.parse().unwrap();
            self.alerting.expire_silence(now, id, "bob".to_owned()).unwrap();
            self.around.asked(|cx| self.alerting.handle_timeout(now, cx));
        } else if let Some(service) = text.strip_prefix("ack ") {
            let known = self.alerting.notification_log(incident(service)).unwrap();
            let opening = Notification {
                incident: known.incident,
                sequence: known.messages,
                service: known.service.clone(),
                labels: Labels::default(),
                kind: NotificationKind::Fired,
                severity: known.severity,
                at: now,
                opened_at: known.opened_at,
                cause: known.cause.clone(),
                attempts: 0,
                doing: String::new(),
                failing: None,
            };
            let (by, words) = ("alice".to_owned(), "on it".to_owned());
            self.around
                .asked(|cx| self.alerting.acknowledge(now, &opening, by, words, cx))
                .unwrap();
        } else {
            let (_, why) = text.split_once(": ").unwrap_or_else(|| panic!("what is `{text}`?"));
            let all = [
                Reason::Maintenance,
                Reason::HostGoesDown,
                Reason::Unseen,
                Reason::Dependency,
                Reason::HostWide,
            ];
            self.around.inhibited = all.into_iter().find(|reason| reason.to_string() == why);
            assert!(self.around.inhibited.is_some() || why == "nothing", "what is `{text}`?");
            self.around.asked(|cx| self.alerting.handle_timeout(now, cx));
        }
        self.listen(now);
    }
}

/// Plays every story of the page; with `restarts`, each row is reported by an agent of its own.
fn play(restarts: bool) {
    let page = page();
    let settings = settings(&page);
    let mut played = 0;
    for (heading, rows) in tables(&page) {
        if rows[0][0] != "at" {
            continue;
        }
        played += 1;
        let mut story = Story::new(&settings);
        let mut rows = rows[1..].iter().peekable();
        while let Some(row) = rows.next() {
            let [moment, what, reported, kind, why] = &row[..] else {
                panic!("{row:?}")
            };
            let now = at(moment);
            // Whatever is not in the table was not said.
            story.pass(now.back(Duration::from_micros(1)));
            let early = std::mem::take(&mut story.said);
            assert!(early.is_empty(), "{heading}: before {row:?}: {early:?}");
            if restarts {
                story.restart(now.back(Duration::from_micros(1)));
            }
            story.happen(now, what);
            story.pass(now);
            let mut said = std::mem::take(&mut story.said);
            let expect = |row: &[String]| (names(&row[2]), row[3].clone(), names(&row[4]));
            let mut expected = vec![(names(reported), kind.clone(), names(why))];
            while rows.peek().is_some_and(|next| next[0] == *moment) {
                expected.push(expect(rows.next().unwrap()));
            }
            if kind.is_empty() {
                expected.clear();
            }
            said.sort();
            expected.sort();
            assert_eq!(said, expected, "{heading}: {row:?}");
        }
        assert!(
            story.kept.notification_logs.is_empty(),
            "{heading}: what is over is forgotten"
        );
    }
    assert!(played >= 11, "{played}");
}

#[test]
fn threads_go_as_the_page_says() {
    play(false);
}

#[test]
fn threads_go_on_over_restarts_of_the_agent() {
    play(true);
}
