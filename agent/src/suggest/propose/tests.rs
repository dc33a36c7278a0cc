//! From what runs to a file that the configuration takes.

use std::fs;

use sentinel_docker::PublishedPort;

use super::super::document::toml;
use super::*;

fn unit(name: &str, ports: &[&str]) -> (RunningUnit, Ports) {
    let unit = RunningUnit {
        name: format!("{name}.service"),
        service_type: "simple".into(),
        restart: "no".into(),
        ..RunningUnit::default()
    };
    let at = ports.iter().map(|port| port.parse().unwrap()).collect();
    (unit, Ports { at, hidden: false })
}

fn composed(service: &str, published: &[(u16, u16)], labels: &[(&str, &str)]) -> RunningContainer {
    RunningContainer {
        name: format!("shop_{service}_1"),
        compose: Some(("shop".into(), service.into())),
        published: published
            .iter()
            .map(|(inside, outside)| PublishedPort {
                inside: *inside,
                outside: *outside,
                at: [0, 0, 0, 0].into(),
            })
            .collect(),
        labels: labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..RunningContainer::default()
    }
}

fn names(proposals: &Proposals) -> Vec<&str> {
    proposals
        .services
        .iter()
        .map(|proposal| proposal.name.as_str())
        .collect()
}

#[test]
fn short_lived_and_own_machinery_is_left_out() {
    let left_out = [
        ("systemd-journald", "notify", "", false),
        ("getty@tty1", "idle", "", false),
        ("user@1000", "notify", "", false),
        ("docker", "notify", "", false),
        ("sentinel", "notify", "", false),
        ("backup", "oneshot", "", false),
        ("apt-daily", "simple", "apt-daily.timer", false),
        ("run-r12", "simple", "", true),
    ];
    let mut units = vec![unit("nginx", &[]), unit("dbus-monitor", &[])];
    for (name, service_type, trigger, transient) in left_out {
        let (mut unit, ports) = unit(name, &[]);
        unit.service_type = service_type.into();
        unit.triggered_by = vec![trigger.into()];
        unit.transient = transient;
        units.push((unit, ports));
    }
    let found = Inventory {
        units,
        ..Inventory::default()
    };
    let proposals = propose(found, &Configured::default());
    assert_eq!(names(&proposals), ["nginx", "dbus-monitor"]);
}

#[test]
fn what_is_configured_is_left_out_and_names_stay_free() {
    let known = Configured {
        names: ["web", "front"].map(str::to_owned).into(),
        targets: [
            ("unit nginx.service", "front"),
            ("compose shop/db/1", "db"),
            ("container shop_mq_1", "mq"),
        ]
        .map(|(target, name)| (target.to_owned(), name.to_owned()))
        .into(),
        ..Configured::default()
    };
    let found = Inventory {
        units: vec![unit("nginx", &[]), unit("Web", &[]), unit("postgresql@15-main", &[])],
        containers: vec![
            composed("db", &[], &[]),
            composed("mq", &[], &[]),
            composed("web", &[], &[]),
        ],
        ..Inventory::default()
    };
    let proposals = propose(found, &known);
    assert_eq!(names(&proposals), ["web-2", "postgresql-15-main", "shop-web"]);
    let left: Vec<&str> = proposals.configured.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(left, ["front", "db", "mq"]);
}

#[test]
fn labels_are_taken_and_wrong_ones_reported() {
    let enabled = ("sentinel.enable", "true");
    let mut web = composed(
        "web",
        &[(80, 8080)],
        &[enabled, ("sentinel.http", ":80/health"), ("sentinel.after", "db")],
    );
    web.depends_on = vec!["db".into(), "gone".into()];
    let mut api = composed("api", &[(80, 8081)], &[enabled, ("sentinel.intervall", "5s")]);
    api.depends_on = vec!["db".into()];
    let found = Inventory {
        containers: vec![web, api, composed("db", &[], &[enabled, ("sentinel.after", "bd")])],
        ..Inventory::default()
    };
    let proposals = propose(found, &Configured::default());
    let text = toml(&proposals);
    let [web, api, db] = proposals.services.as_slice() else {
        panic!("{proposals:?}");
    };
    assert_eq!(web.keys["http.url"], "\"http://127.0.0.1:8080/health\"");
    assert!(text.contains("\nafter = [\"db\"]\n"), "{text}");
    assert_eq!(
        (api.keys.len(), api.after.as_slice()),
        (0, ["db".to_owned()].as_slice())
    );
    let reported = |proposal: &Proposal, words: &str| proposal.notes.iter().any(|note| note.contains(words));
    assert!(reported(api, "did you mean `sentinel.interval`?"), "{api:?}");
    assert!(reported(db, "there is no service `bd`; did you mean `db`?"), "{db:?}");
}

#[test]
fn what_was_heard_decides_the_probe() {
    let (unit, ports) = unit("web", &["0.0.0.0:9000", "127.0.0.1:8080", "[::]:8443"]);
    let found = Inventory {
        units: vec![(unit, ports)],
        ..Inventory::default()
    };
    let proposals = propose(found, &Configured::default());
    let port = |text: &str| text.parse::<SocketAddr>().unwrap();
    let unheard = toml(&proposals);
    assert!(
        unheard.contains("\ntcp = \"127.0.0.1:8080\"\n# tcp = \"127.0.0.1:8443\"\n# tcp = \"127.0.0.1:9000\"\n"),
        "{unheard}"
    );
    let mut heard = proposals;
    heard.services[0].heard(&[
        (port("127.0.0.1:8080"), Answer::Refused),
        (port("127.0.0.1:8443"), Answer::Tcp),
        (port("127.0.0.1:9000"), Answer::Http("/health")),
    ]);
    let text = toml(&heard);
    assert!(
        text.contains("\nhttp = \"http://127.0.0.1:9000/health\"\n# tcp = \"127.0.0.1:8443\"\nmode"),
        "{text}"
    );
    assert!(
        text.contains("# Nothing accepts connections at 127.0.0.1:8080."),
        "{text}"
    );
}

#[test]
fn whatever_is_proposed_is_a_right_configuration() {
    let evil = "a\nmode = \"heal\"\n\u{1b}[2J\u{85}\u{2028}\u{7f}";
    let enabled = ("sentinel.enable", "true");
    let mut odd = composed(
        "we.b",
        &[(1, 2), (3, 4)],
        &[
            enabled,
            ("sentinel.mode", "heal"),
            ("sentinel.labels.team", "a\\b\"c"),
            (evil, evil),
        ],
    );
    odd.restart_policy = evil.into();
    let mut foreign = composed(
        "x",
        &[],
        &[
            enabled,
            ("sentinel.after", "\"we.b\""),
            ("sentinel.http.json./a", "{b = 1}"),
        ],
    );
    foreign.compose = Some((evil.into(), evil.into()));
    let (mut unit, mut ports) = unit("a\\x2db@c:d", &["[::1]:80", "192.0.2.1:1", "[fe80::1]:5"]);
    unit.restart = "always".into();
    unit.needs = vec!["b.service".into()];
    ports.hidden = true;
    let found = Inventory {
        units: vec![
            (unit, ports),
            unit_named(&"u".repeat(200)),
            unit_named(&"u".repeat(201)),
        ],
        containers: vec![odd, foreign],
        notes: vec![evil.to_owned()],
    };
    let proposals = propose(found, &Configured::default());
    let text = toml(&proposals);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sentinel.toml");
    fs::write(&file, &text).unwrap();
    let loaded = sentinel_config::load(&file, []).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(loaded.settings.services.len(), 5, "{text}");
    let healed =
        |settings: &sentinel_config::ServiceSettings| settings.service.policy.mode == sentinel_engine::Mode::Heal;
    assert!(!loaded.settings.services.iter().any(healed), "{text}");
}

fn unit_named(name: &str) -> (RunningUnit, Ports) {
    unit(name, &[])
}
