//! Whatever happens to incidents, silences, receivers and the agent itself: what receivers are sent of them holds together.

#![allow(clippy::unwrap_used, reason = "a failure is the test's message")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use sentinel_engine::alerting::{
    AlertContext, Alerting, Escalation, Match, NotificationLog, Outgoing, Reason, Route, Rules, Silence, Subject,
};
use sentinel_engine::{
    ActionId, Cause, Command, Engine, Failing, Hold, HostPolicy, IncidentId, Labels, Notification, NotificationKind,
    Outage, Report, ReportKind, Resolution, Severity, Time,
};

const SERVICES: [&str; 3] = ["a", "b", "c"];
const RECEIVERS: [&str; 4] = ["chat", "data", "pager", "boss"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Seconds pass.
    Pass(u64),
    /// A service is down, or worse.
    Down(usize),
    GiveUp(usize),
    /// It is over.
    Up(usize),
    /// It is over before any receiver was notified.
    Healed(usize),
    /// A service, or all, is silenced for some seconds.
    Silence(Option<usize>, u64),
    /// The oldest silence is ended.
    Expire,
    /// An operator takes care.
    Ack(usize),
    /// Nothing should be said of anything, or it may be again.
    Inhibit(bool),
    /// Only these receivers are configured from now on.
    Reload(Vec<bool>),
    /// The agent is killed and started.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let service = 0..SERVICES.len();
    let step = prop_oneof![
        4 => (1_u64..4000).prop_map(Step::Pass),
        4 => service.clone().prop_map(Step::Down),
        2 => service.clone().prop_map(Step::GiveUp),
        3 => service.clone().prop_map(Step::Up),
        1 => service.clone().prop_map(Step::Healed),
        1 => (proptest::option::of(service.clone()), 1_u64..8000).prop_map(|(of, long)| Step::Silence(of, long)),
        1 => Just(Step::Expire),
        1 => service.prop_map(Step::Ack),
        1 => any::<bool>().prop_map(Step::Inhibit),
        1 => proptest::collection::vec(any::<bool>(), RECEIVERS.len()).prop_map(Step::Reload),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Rules that use everything, for those receivers that are there.
fn rules(there: &[bool]) -> Rules {
    let receivers: BTreeSet<String> = RECEIVERS
        .iter()
        .zip(there)
        .filter(|(_, there)| **there)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let known = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        names.filter(|name| receivers.contains(name)).collect::<Vec<_>>()
    };
    let matches = |service: &str, severities: &[Severity]| Match {
        services: vec![service.to_owned()],
        severities: severities.to_vec(),
        ..Match::default()
    };
    let route = |matches, names: &[&str], go_on| Route {
        matches,
        receivers: known(names),
        go_on,
    };
    Rules {
        routes: vec![
            route(matches("*", &[Severity::Critical]), &["pager"], true),
            route(matches("a", &[]), &["data"], false),
            route(matches("c", &[]), &[], false),
        ],
        default: known(&["chat"]),
        group_wait: Duration::from_secs(10),
        repeat_interval: Some(Duration::from_secs(600)),
        escalations: vec![Escalation {
            matches: Match::default(),
            after: Duration::from_secs(900),
            receivers: known(&["boss", "chat"]),
        }],
        receivers,
    }
}

#[derive(Default)]
struct World {
    inhibited: bool,
}

impl World {
    /// Calls alerting with what it asks about services.
    fn asked<T>(&self, call: impl FnOnce(&AlertContext<'_>) -> T) -> T {
        call(&AlertContext {
            labels: &|_| Labels::default(),
            inhibition: &|_| self.inhibited.then_some(Reason::Maintenance),
        })
    }
}

/// An incident as its receivers see it.
#[derive(Default)]
struct Seen {
    /// The last message's ordinal.
    sequence: u32,
    /// Who was notified that it is down and is still configured.
    reported: BTreeSet<String>,
    over: bool,
    acknowledged: bool,
}

struct Play {
    now: Time,
    rules: Rules,
    alerting: Alerting,
    world: World,
    next: u64,
    /// The open incident of each service, and messages the engine sent of it.
    open: BTreeMap<usize, (u64, u32)>,
    seen: BTreeMap<u64, Seen>,
    notification_logs: BTreeMap<IncidentId, NotificationLog>,
    silences: BTreeMap<u64, Silence>,
    /// Conversations and silences so far; a number is not used again.
    last_silence: u64,
}

impl Play {
    fn new() -> Self {
        let rules = rules(&[true; 4]);
        Self {
            now: Time::ZERO,
            alerting: Alerting::new(Time::ZERO, rules.clone(), Vec::new(), Vec::new(), 1),
            rules,
            world: World::default(),
            next: 1,
            open: BTreeMap::new(),
            seen: BTreeMap::new(),
            notification_logs: BTreeMap::new(),
            silences: BTreeMap::new(),
            last_silence: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass(seconds) => {
                let end = self.now + Duration::from_secs(*seconds);
                while let Some(wake) = self.alerting.next_wake().filter(|wake| *wake <= end) {
                    let before = self.now;
                    self.now = self.now.max(wake);
                    self.settle();
                    let next = self.alerting.next_wake();
                    assert!(next.is_none_or(|next| next > before.max(wake)), "time goes on");
                }
                self.now = end;
            }
            // The engine fires once.
            Step::Down(service) if self.open.contains_key(service) => {}
            Step::Down(service) => self.down(*service, NotificationKind::Fired),
            Step::GiveUp(service) => self.down(
                *service,
                NotificationKind::GaveUp {
                    restarts: 5,
                    window: Duration::from_secs(1800),
                },
            ),
            Step::Up(service) => {
                if let Some((incident, messages)) = self.open.remove(service) {
                    self.close(*service, incident);
                    let (resolution, duration) = (Resolution::Healed, Duration::ZERO);
                    let outage = Outage::default();
                    let kind = NotificationKind::Resolved {
                        resolution,
                        duration,
                        outage,
                    };
                    self.message(*service, incident, messages + 1, kind);
                    self.listen();
                    let seen = self.seen.entry(incident).or_default();
                    assert!(seen.over || seen.reported.is_empty(), "whoever was told hears the end");
                    seen.over = true;
                }
            }
            Step::Healed(service) if !self.open.contains_key(service) => {
                let incident = self.next;
                self.next += 1;
                let (resolution, duration) = (Resolution::Healed, Duration::ZERO);
                let outage = Outage::default();
                let kind = NotificationKind::Healed {
                    resolution,
                    duration,
                    outage,
                };
                self.message(*service, incident, 1, kind);
            }
            Step::Healed(_) => {}
            Step::Silence(service, seconds) => {
                let pattern = service.map_or("*", |service| SERVICES[service]);
                let matches = Match {
                    services: vec![pattern.to_owned()],
                    ..Match::default()
                };
                let duration = Duration::from_secs(*seconds);
                let (by, comment) = ("alice".to_owned(), "why".to_owned());
                let added = self
                    .alerting
                    .add_silence(self.now, matches, duration, by, comment)
                    .unwrap();
                assert!(added.id > self.last_silence, "a number is used once");
                self.last_silence = added.id;
            }
            Step::Expire => {
                if let Some(id) = self.silences.keys().next().copied() {
                    self.alerting.expire_silence(self.now, id, "bob".to_owned()).unwrap();
                }
            }
            Step::Ack(service) => self.acknowledge(*service),
            Step::Inhibit(on) => self.world.inhibited = *on,
            Step::Reload(there) => {
                self.rules = rules(there);
                self.alerting.set_rules(self.now, self.rules.clone());
                for seen in self.seen.values_mut() {
                    seen.reported.retain(|name| self.rules.receivers.contains(name));
                }
            }
            Step::Restart => {
                let open: BTreeSet<u64> = self.open.values().map(|(incident, _)| *incident).collect();
                self.alerting = Alerting::new(
                    self.now,
                    self.rules.clone(),
                    self.notification_logs.values().cloned().collect(),
                    self.silences.values().cloned().collect(),
                    self.last_silence + 1,
                );
                self.alerting.end_strays(|id| open.contains(&id.0));
            }
        }
        self.settle();
    }

    fn down(&mut self, service: usize, kind: NotificationKind) {
        let (incident, messages) = *self.open.entry(service).or_insert_with(|| {
            self.next += 1;
            (self.next - 1, 0)
        });
        self.open.insert(service, (incident, messages + 1));
        self.message(service, incident, messages + 1, kind);
    }

    fn close(&mut self, service: usize, incident: u64) {
        let (resolution, duration) = (Resolution::Healed, Duration::ZERO);
        self.alerting.handle_report(&Report {
            at: self.now,
            service: SERVICES[service].into(),
            incident: Some(IncidentId(incident)),
            kind: ReportKind::IncidentClosed {
                resolution,
                duration,
                outage: Outage::default(),
            },
        });
    }

    fn notification(&self, service: usize, incident: u64, sequence: u32, kind: NotificationKind) -> Notification {
        Notification {
            incident: IncidentId(incident),
            sequence,
            service: SERVICES[service].into(),
            labels: Labels::default(),
            kind,
            severity: match kind {
                NotificationKind::Fired => Severity::Warning,
                NotificationKind::GaveUp { .. } => Severity::Critical,
                _ => Severity::Info,
            },
            at: self.now,
            opened_at: self.now,
            cause: Cause::Watchdog,
            attempts: 0,
            doing: String::new(),
            failing: None,
        }
    }

    fn message(&mut self, service: usize, incident: u64, sequence: u32, kind: NotificationKind) {
        let message = self.notification(service, incident, sequence, kind);
        self.world
            .asked(|cx| self.alerting.handle_notification(self.now, message, cx));
    }

    fn acknowledge(&mut self, service: usize) {
        let Some((incident, messages)) = self.open.get(&service).copied() else {
            return;
        };
        let opening = self.notification(service, incident, messages + 1, NotificationKind::Fired);
        let (by, text) = ("alice".to_owned(), String::new());
        self.world
            .asked(|cx| self.alerting.acknowledge(self.now, &opening, by, text, cx))
            .unwrap();
        self.listen();
        self.seen.entry(incident).or_default().acknowledged = true;
    }

    fn settle(&mut self) {
        self.world.asked(|cx| self.alerting.handle_timeout(self.now, cx));
        self.listen();
        let open: BTreeSet<IncidentId> = self.open.values().map(|(incident, _)| IncidentId(*incident)).collect();
        let kept: BTreeSet<IncidentId> = self.notification_logs.keys().copied().collect();
        assert!(kept.is_subset(&open), "what is over is forgotten: {kept:?} {open:?}");
    }

    fn listen(&mut self) {
        while let Some(command) = self.alerting.poll_command() {
            match command {
                Command::Notify(outgoing) => self.receive(*outgoing),
                Command::SaveNotificationLog(log) => {
                    self.notification_logs.insert(log.incident, *log);
                }
                Command::ForgetNotificationLog(id) => drop(self.notification_logs.remove(&id)),
                Command::SaveSilence(silence) => drop(self.silences.insert(silence.id, *silence)),
                Command::EndSilence { silence, .. } => drop(self.silences.remove(&silence.id)),
                _ => {}
            }
        }
    }

    fn receive(&mut self, outgoing: Outgoing) {
        let message = outgoing.notification;
        let seen = self.seen.entry(message.incident.0).or_default();
        let names: BTreeSet<String> = outgoing.receivers.keys().cloned().collect();
        let ends = matches!(message.kind, NotificationKind::Resolved { .. });
        assert!(
            names.is_subset(&self.rules.receivers),
            "only who is configured: {message:?}"
        );
        assert!(!seen.over, "nothing after the end: {message:?}");
        assert!(
            message.sequence > seen.sequence
                || (message.sequence == seen.sequence && names.is_disjoint(&seen.reported)),
            "ordinals go up: {message:?}"
        );
        assert!(!names.is_empty(), "somebody: {message:?}");
        seen.sequence = message.sequence;
        seen.over = ends;
        let silenced = self.silences.values().any(|silence| {
            let pattern = &silence.matches.services[0];
            silence.until > self.now && (pattern == "*" || *pattern == *message.service.as_str())
        });
        assert!(!silenced || ends, "silenced: {message:?}");
        match message.kind {
            NotificationKind::Resolved { .. } => {
                assert_eq!(
                    names, seen.reported,
                    "the end goes to exactly those who were told: {message:?}"
                );
            }
            NotificationKind::Update { .. } => {
                assert_eq!(names, seen.reported, "news go to those who were told: {message:?}");
                assert!(!seen.acknowledged, "and not when somebody takes care: {message:?}");
            }
            NotificationKind::Escalated { .. } => {
                assert!(names.is_disjoint(&seen.reported) && !seen.acknowledged && !seen.reported.is_empty());
                seen.reported.extend(names);
            }
            NotificationKind::Healed { .. } => assert!(seen.reported.is_empty()),
            _ => seen.reported.extend(names),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_operators_are_sent_holds_together(steps in steps()) {
        let mut play = Play::new();
        for step in &steps {
            play.step(step);
        }
        for service in 0..SERVICES.len() {
            play.step(&Step::Up(service));
        }
        prop_assert!(play.notification_logs.is_empty());
    }
}

#[test]
fn what_had_no_receiver_is_sent_when_there_is_one_and_it_can_be() {
    let reported = |play: &Play| play.seen.get(&1).map(|seen| seen.reported.clone()).unwrap_or_default();
    let mut play = Play::new();
    for step in [
        Step::Reload(vec![false; 4]),
        Step::Down(1),
        Step::Inhibit(true),
        Step::Reload(vec![true; 4]),
        Step::Pass(60),
        Step::Restart,
        Step::Pass(60),
    ] {
        play.step(&step);
        assert!(reported(&play).is_empty(), "{step:?}");
    }
    play.step(&Step::Inhibit(false));
    play.step(&Step::Pass(5));
    assert_eq!(reported(&play), BTreeSet::from(["chat".to_owned()]));
    // Notified once, whatever is configured next.
    play.step(&Step::Reload(vec![true; 4]));
    play.step(&Step::Up(1));
    assert_eq!(play.seen[&1].sequence, 2);
}

/// Whatever the engine says of an outage goes out with its message, when that is reported at once, after a silence, to
/// those who are notified later, and by an agent that was restarted meanwhile.
#[test]
fn what_the_engine_says_of_an_outage_arrives_whole() {
    let failing = Failing {
        now: "404".to_owned(),
        since: Time::ZERO,
        before: Some("200".to_owned()),
    };
    let mut play = Play::new();
    play.open.insert(1, (1, 1));
    let fired = Notification {
        failing: Some(failing),
        doing: "not restarted: status-4xx is not in restart_on".to_owned(),
        attempts: 2,
        ..play.notification(1, 1, 1, NotificationKind::Fired)
    };
    let reported = |play: &mut Play| {
        let mut sent = Vec::new();
        while let Some(command) = play.alerting.poll_command() {
            match command {
                Command::Notify(outgoing) => sent.push(outgoing.notification),
                Command::SaveNotificationLog(log) => {
                    drop(play.notification_logs.insert(log.incident, *log));
                }
                _ => {}
            }
        }
        sent
    };
    play.world
        .asked(|cx| play.alerting.handle_notification(play.now, fired.clone(), cx));
    assert_eq!(reported(&mut play), std::slice::from_ref(&fired));

    // What is kept is what was said.
    for kept in play.notification_logs.values_mut() {
        let json = serde_json::to_string(kept).unwrap();
        *kept = serde_json::from_str(&json).unwrap();
    }
    play.step(&Step::Restart);
    play.now = play.now + Duration::from_secs(600);
    play.world.asked(|cx| play.alerting.handle_timeout(play.now, cx));
    let repeated = reported(&mut play);
    assert_eq!(repeated.len(), 1);
    let again = Notification {
        sequence: 2,
        kind: repeated[0].kind,
        at: play.now,
        ..fired
    };
    assert_eq!(repeated, [again]);

    // What is done instead now is no matter of what probes say.
    play.alerting.handle_report(&Report {
        at: play.now,
        service: SERVICES[1].into(),
        incident: Some(IncidentId(1)),
        kind: ReportKind::ActionHeld {
            hold: Hold::Throttled,
            remaining: None,
        },
    });
    play.now = play.now + Duration::from_secs(600);
    play.world.asked(|cx| play.alerting.handle_timeout(play.now, cx));
    let repeated = reported(&mut play);
    assert!(
        !repeated.is_empty() && repeated.iter().all(|message| message.failing.is_none()),
        "{repeated:?}"
    );
}

/// What an agent before kept of an incident that is not open any more is forgotten, and nothing is said of it again.
#[test]
fn what_is_kept_of_an_incident_that_is_over_is_forgotten() {
    let mut play = Play::new();
    play.open.insert(1, (1, 1));
    play.message(1, 1, 1, NotificationKind::Fired);
    play.settle();
    let kept: Vec<_> = play.notification_logs.values().cloned().collect();
    assert_eq!(kept.len(), 1);
    let mut engine = Engine::new(HostPolicy::default(), IncidentId(2), ActionId(1));
    engine.resume_alerting(play.now, rules(&[true; 4]), kept, Vec::new(), 1);
    let later = play.now + Duration::from_secs(24 * 3600);
    engine.handle_timeout(later);
    let commands: Vec<_> = std::iter::from_fn(|| engine.poll_command()).collect();
    assert_eq!(commands, [Command::ForgetNotificationLog(IncidentId(1))]);
    assert_eq!(engine.poll_timeout(), None);
}

/// Lets time pass until `seconds`; answers what is sent meanwhile: when, what, and to whom.
fn sent_until(play: &mut Play, seconds: u64) -> Vec<(u64, &'static str, String)> {
    let end = Time::from_epoch(Duration::from_secs(seconds));
    let mut sent = Vec::new();
    loop {
        while let Some(command) = play.alerting.poll_command() {
            if let Command::Notify(outgoing) = command {
                let names: Vec<&str> = outgoing.receivers.keys().map(String::as_str).collect();
                let at = play.now.since_epoch().as_secs();
                sent.push((at, outgoing.notification.kind.as_str(), names.join(",")));
            }
        }
        let Some(wake) = play.alerting.next_wake().filter(|wake| *wake <= end) else {
            break;
        };
        play.now = play.now.max(wake);
        play.world.asked(|cx| play.alerting.handle_timeout(play.now, cx));
    }
    play.now = end;
    sent
}

#[test]
fn whoever_an_escalation_calls_does_not_put_off_when_the_others_are_reminded() {
    let mut play = Play::new();
    play.message(1, 1, 1, NotificationKind::Fired);
    assert_eq!(
        sent_until(&mut play, 1300),
        [
            (0, "fired", "chat".to_owned()),
            (600, "update", "chat".to_owned()),
            (900, "escalated", "boss".to_owned()),
            (1200, "update", "boss,chat".to_owned()),
        ]
    );
}

#[test]
fn what_is_over_is_not_reported_after_a_silence_though_it_flaps() {
    let mut play = Play::new();
    let matches = Match {
        services: vec!["b".to_owned()],
        ..Match::default()
    };
    let (by, comment) = ("alice".to_owned(), String::new());
    let span = Duration::from_secs(300);
    play.alerting.add_silence(play.now, matches, span, by, comment).unwrap();
    let within = Duration::from_secs(600);
    play.message(1, 1, 1, NotificationKind::Flapping { incidents: 6, within });
    let (resolution, duration, outage) = (Resolution::Recovered, Duration::ZERO, Outage::default());
    let resolved = NotificationKind::Resolved {
        resolution,
        duration,
        outage,
    };
    play.message(1, 1, 2, resolved);
    assert_eq!(sent_until(&mut play, 3600), []);
}

#[test]
fn the_first_route_that_fits_decides_unless_it_goes_on() {
    let labels = BTreeMap::new();
    let subject = |severity| Subject {
        service: "a",
        severity,
        kind: "fired",
        labels: &labels,
    };
    let mut rules = rules(&[true; 4]);
    // A second route for the same service is not asked.
    rules.routes.insert(2, rules.routes[1].clone());
    rules.routes[2].receivers = vec!["boss".to_owned()];
    let chosen = |severity| {
        rules
            .choose(subject(severity))
            .receivers
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(chosen(Severity::Warning), ["data"]);
    assert_eq!(chosen(Severity::Critical), ["data", "pager"]);
}
