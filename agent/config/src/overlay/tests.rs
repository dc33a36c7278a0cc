use std::fs;
use std::path::PathBuf;

use super::*;
use crate::{ContainerTarget, DiscoveredKey, Origin, Target};

fn labelled(name: &str, keys: &[(&str, &str)]) -> DiscoveredService {
    of(OriginKind::Label, name, keys)
}

fn of(kind: OriginKind, name: &str, keys: &[(&str, &str)]) -> DiscoveredService {
    let place = format!("container {name}");
    let keys = keys.iter().map(|(key, text)| {
        let place = Place::named(format!("{place}, label sentinel.{key}"));
        DiscoveredKey::new(*key, *text, place)
    });
    DiscoveredService {
        name: name.to_owned(),
        keys: keys.collect(),
        origin: Origin { kind, place },
        aliases: Vec::new(),
    }
}

fn web() -> DiscoveredService {
    labelled("web", &[("container", "web"), ("interval", "5s"), ("fall", "2")])
}

fn with(text: &str, found: &[DiscoveredService]) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("sentinel.toml");
    fs::write(&file, text).unwrap();
    let checked = crate::read(&file, [], crate::Secrets::All).unwrap_or_else(|errors| panic!("{errors}"));
    checked.over(found)
}

fn names(loaded: &Loaded) -> Vec<&str> {
    let services = loaded.settings.services.iter();
    services.map(|service| service.service.name.as_str()).collect()
}

fn rejected(loaded: &Loaded) -> Vec<String> {
    loaded.rejected.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_found_is_watched_and_says_where_it_comes_from() {
    let loaded = with("[services.db]\ntcp = \"127.0.0.1:5432\"\n", &[web()]);
    assert_eq!(names(&loaded), ["db", "web"]);
    assert_eq!(rejected(&loaded), Vec::<String>::new());
    let [db, web] = &loaded.settings.services[..] else {
        panic!("two services")
    };
    assert_eq!(web.origin.to_string(), "label (container web)");
    assert_eq!(db.origin, Origin::default());
    assert_eq!(web.service.policy.fall, 2);
    let target = Target::Container(ContainerTarget::Named("web".into()));
    assert_eq!(web.target, Some(target));
}

#[test]
fn files_win_key_by_key_and_switch_off() {
    let loaded = with("[defaults]\nrise = 7\n[services.web]\nfall = 9\n", &[web()]);
    let policy = &loaded.settings.services[0].service.policy;
    assert_eq!((policy.fall, policy.rise, policy.interval.as_secs()), (9, 7, 5));
    // The same target in the file is the same service, under whichever of its names.
    let mut composed = labelled("web", &[("compose", "shop/web"), ("fall", "2")]);
    composed.aliases.push("container shop-web-1".into());
    let loaded = with("[services.web]\ncontainer = \"shop-web-1\"\nrise = 3\n", &[composed]);
    assert_eq!((names(&loaded), rejected(&loaded)), (vec!["web"], vec![]));
    let service = &loaded.settings.services[0];
    assert_eq!((service.service.policy.fall, service.service.policy.rise), (2, 3));
    let target = Target::Container(ContainerTarget::Named("shop-web-1".into()));
    assert_eq!(service.target, Some(target));

    let loaded = with("[services.web]\nenabled = false\n", &[web()]);
    assert!(names(&loaded).is_empty() && rejected(&loaded).is_empty());
}

#[test]
fn a_bare_service_of_a_file_waits_to_be_found() {
    let file = "[services.web]\nfall = 9\n[services.shop]\ntcp = \"127.0.0.1:1\"\nafter = [\"web\"]\n";
    let loaded = with(file, &[]);
    assert_eq!(names(&loaded), ["shop"]);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("nothing to watch, unless")),
        "{warnings:?}"
    );
    let loaded = with(file, &[web()]);
    assert_eq!(names(&loaded), ["shop", "web"]);
    assert_eq!(loaded.settings.services[0].service.after, ["web".into()]);
}

#[test]
fn each_is_rejected_alone_with_its_place_and_the_nearest_right_word() {
    let file = "[services.db]\nunit = \"postgresql\"\n[services.other]\ncontainer = \"taken\"\n";
    for (found, said) in [
        (
            labelled("bad", &[("container", "bad"), ("intervall", "5s")]),
            "container bad, label sentinel.intervall: unknown key; did you mean `interval`?",
        ),
        (
            labelled("bad", &[("container", "bad"), ("fall", "many")]),
            "container bad, label sentinel.fall: expected a whole number",
        ),
        (
            labelled("bad", &[("container", "bad"), ("after", "dbb")]),
            "container bad, label sentinel.after: there is no [services.dbb]; did you mean `db`?",
        ),
        (
            labelled("bad", &[("fall", "2")]),
            "container bad: there is nothing to watch",
        ),
        (
            labelled("Bad Name", &[("container", "bad")]),
            "container Bad Name: `Bad Name` is not a name",
        ),
        (
            labelled("bad", &[("container", "taken")]),
            "container bad: what it is about already belongs to [services.other]",
        ),
        (
            labelled("db", &[("container", "db")]),
            "container db: the name is taken: [services.db] is about something else",
        ),
        (
            labelled("web", &[("container", "web2")]),
            "container web: the name is taken: [services.web] is about something else",
        ),
        (
            labelled("bad", &[("container", "web")]),
            "container bad: what it is about already belongs to [services.web]",
        ),
        (
            labelled("bad", &[("container", "bad"), ("after", "bad")]),
            "container bad, label sentinel.after: a service cannot come after itself",
        ),
    ] {
        let loaded = with(file, &[web(), found]);
        assert_eq!(names(&loaded), ["db", "other", "web"], "{said}");
        let rejected = rejected(&loaded);
        assert!(
            rejected.len() == 1 && rejected[0].starts_with(said),
            "{rejected:?}, not {said}"
        );
    }
}

#[test]
fn who_comes_after_what_is_rejected_is_rejected_too() {
    let found = [
        labelled("a", &[("container", "c-a"), ("after", "b")]),
        labelled("b", &[("container", "c-b"), ("after", "c")]),
        labelled("c", &[("container", "c-c"), ("interval", "soon")]),
        labelled("d", &[("container", "c-d"), ("after", "e")]),
        labelled("e", &[("container", "c-e"), ("after", "d")]),
        web(),
    ];
    let loaded = with("", &found);
    // Of a circle one is taken out, and the other then comes after nothing that there is.
    assert_eq!(names(&loaded), ["web"]);
    let mut services: Vec<&str> = loaded
        .rejected
        .iter()
        .map(|rejected| rejected.service.as_str())
        .collect();
    services.sort_unstable();
    assert_eq!(services, ["a", "b", "c", "d", "e"], "{:?}", rejected(&loaded));
}

#[test]
fn a_circle_through_a_file_costs_what_was_found() {
    let file = "[services.web]\n[services.a]\ntcp = \"127.0.0.1:1\"\nafter = [\"web\"]\n";
    let found = labelled("web", &[("container", "web"), ("after", "a")]);
    let loaded = with(file, &[found, labelled("x", &[("container", "c-x")])]);
    assert_eq!(names(&loaded), ["a", "x"], "{:?}", rejected(&loaded));
    assert!(
        rejected(&loaded)[0].contains("goes in a circle"),
        "{:?}",
        rejected(&loaded)
    );
}

#[test]
fn what_the_defaults_leave_no_room_for_costs_only_whom_it_is_about() {
    let hasty = labelled(
        "hasty",
        &[("container", "hasty"), ("interval", "2s"), ("tcp", "127.0.0.1:1")],
    );
    let loaded = with("[defaults]\ntimeout = \"5s\"\n", &[web(), hasty]);
    assert_eq!(names(&loaded), ["web"]);
    assert_eq!(
        rejected(&loaded),
        ["container hasty: `timeout`, 5s, must not be longer than `interval`, 2s"]
    );
}

#[test]
fn of_two_with_one_target_what_was_found_gives_way_whatever_their_names() {
    let file = "[services.db]\nunit = \"app.service\"\n";
    for (name, place) in [("a", "container a"), ("z", "container z, label sentinel.container")] {
        let loaded = with(file, &[web(), labelled(name, &[("container", "app.service")])]);
        assert_eq!(names(&loaded), ["db", "web"]);
        let owner = if name == "a" { "a" } else { "db" };
        let said = format!("{place}: `app.service` already belongs to [services.{owner}]");
        assert_eq!(rejected(&loaded), [said]);
    }
}

#[test]
fn what_merely_runs_gives_way_in_silence() {
    let host = |name: &str, unit: &str| of(OriginKind::Host, name, &[("unit", unit), ("mode", "observe")]);
    let file = "[services.db]\nunit = \"postgresql\"\n[services.old]\nenabled = false\nunit = \"old.service\"\n";
    let label = labelled("shop", &[("unit", "shop.service")]);
    let found = [
        host("postgresql", "postgresql.service"),
        host("old-one", "old.service"),
        host("shop", "shop.service"),
        label,
        host("new", "new.service"),
    ];
    let loaded = with(file, &found);
    assert_eq!(names(&loaded), ["db", "new", "shop"]);
    assert_eq!(rejected(&loaded), Vec::<String>::new());
    assert_eq!(loaded.settings.services[2].origin.kind, OriginKind::Label);
    // Nobody has to be informed that there is no probe for what no operator asked to watch.
    let warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(warned, ["services.shop", "services.db", "services.old"]);
}

#[test]
fn too_many_are_left_out_and_counted() {
    let found: Vec<DiscoveredService> = (0..MAX_DISCOVERED + 3)
        .map(|index| {
            let name = format!("s{index}");
            labelled(&name, &[("container", &name)])
        })
        .collect();
    let loaded = with("", &found);
    assert_eq!(names(&loaded).len(), MAX_DISCOVERED);
    assert_eq!(
        rejected(&loaded),
        ["this host: 3 services were found beyond the 1000 there is room for"]
    );
}
