//! The configuration as users meet it: files in, settings or messages out.
//!
//! `tests/config/bad/NAME.toml` (with `NAME.conf.d/` and `NAME.env` where needed) must give exactly the messages in
//! `NAME.stderr`; `UPDATE_GOLDEN=1 cargo test -p sentinel --test agent config::` writes them again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use sentinel::cli::check;
use sentinel_config::{
    ConfigErrors, ContainerTarget, DiscoveredKey, DiscoveredService, HttpLogin, HttpProbe, Kind, Loaded, LogFormat,
    MailSecurity, Origin, OriginKind, ProbeSettings, ReceiverKind, Secrets, Section, ServiceSettings, SlackSettings,
    Target,
};
use sentinel_engine::{Mode, OnCleanExit, Policy, Settle, Severity};
use tempfile::TempDir;

type Variables = Vec<(String, String)>;

/// A directory for one configuration and the files it names.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(place.files()).unwrap();
        fs::copy(fixtures().join("files/ca.pem"), place.files().join("ca.pem")).unwrap();
        place.file("empty", b" \n");
        place.file("large", &vec![b'x'; 70_000]);
        place.file(
            "mangled.pem",
            b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        );
        place.file("signing-secret", b"whsec_c2VudGluZWwgdGVzdHMsIG5vdCBhIHNlY3JldA==\n");
        place.file("slack-token", b"xoxb-not-a-token\n");
        place.file("headers", b"X-Token: not-a-token\n");
        place.file("message.j2", b"{{ title }}\n{{ body }}\n");
        place.file(
            "signing-secrets",
            b"whsec_c2VudGluZWwgdGVzdHMsIG5vdCBhIHNlY3JldA==\nwhsec_c2hvcnQ=\n",
        );
        place.file("password", b"sesame\n");
        place.file("two-passwords", b"sesame\nsimsalabim\n");
        place.file(
            "two-urls",
            b"https://hooks.example.com/one\nhttps://hooks.example.com/two\n",
        );
        place.file("binary", b"\xff\xfe\x00");
        fs::create_dir(place.files().join("directory")).unwrap();
        // Whoever opens it waits for a writer.
        let fifo = Command::new("mkfifo").arg(place.files().join("fifo")).status();
        assert!(fifo.unwrap().success());
        place.file("web-token", b"0123456789abcdef0123456789abcdef\n");
        place.file("token", b"tok-123456\n");
        place.file("webhook-url", b"https://hooks.example.com/night?token=1\n");
        place
    }

    fn files(&self) -> PathBuf {
        self.directory.path().join("files")
    }

    fn file(&self, name: &str, content: &[u8]) {
        let path = self.files().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn main(&self) -> PathBuf {
        self.directory.path().join("sentinel.toml")
    }

    /// Writes the main file or, as `conf.d/NAME`, another.
    fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("@FILES@", self.files().to_str().unwrap())).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
        self
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
        sentinel_config::load(&self.main(), variables(env))
    }

    /// Replaces what differs between runs.
    fn plain(&self, text: &str) -> String {
        text.replace(self.files().to_str().unwrap(), "@FILES@")
            .replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn variables(env: &[(&str, &str)]) -> Variables {
    env.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn loaded(text: &str) -> Loaded {
    Place::new().write("sentinel.toml", text).load(&[]).unwrap()
}

fn errors(text: &str) -> String {
    let place = Place::new();
    let errors = place.write("sentinel.toml", text).load(&[]).unwrap_err();
    place.plain(&errors.to_string())
}

fn service<'a>(loaded: &'a Loaded, name: &str) -> &'a ServiceSettings {
    loaded
        .settings
        .services
        .iter()
        .find(|service| service.service.name.as_str() == name)
        .unwrap()
}

fn http(service: &ServiceSettings) -> &HttpProbe {
    let found = service.probes.iter().find_map(|probe| match probe {
        ProbeSettings::Http(http) => Some(http),
        _ => None,
    });
    found.unwrap()
}

/// The messages for one of `tests/config/bad`.
fn messages_of(path: &Path) -> String {
    let place = Place::new();
    place.write("sentinel.toml", &fs::read_to_string(path).unwrap());
    if let Ok(entries) = fs::read_dir(path.with_extension("conf.d")) {
        for entry in entries {
            let entry = entry.unwrap();
            let name = format!("conf.d/{}", entry.file_name().to_str().unwrap());
            place.write(&name, &fs::read_to_string(entry.path()).unwrap());
        }
    }
    let env = fs::read_to_string(path.with_extension("env")).unwrap_or_default();
    let env: Vec<_> = env.lines().map(|line| line.split_once('=').unwrap()).collect();
    let errors = place.load(&env).expect_err("a bad configuration was accepted");
    place.plain(&format!("{errors}\n"))
}

#[test]
fn bad_configurations_give_exactly_these_messages() {
    let mut names: Vec<_> = fs::read_dir(fixtures().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    names.sort();
    assert!(names.len() >= 30, "only {} bad configurations found", names.len());
    let mut different = Vec::new();
    for path in names {
        let actual = messages_of(&path);
        let golden = path.with_extension("stderr");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if actual != expected {
            different.push(format!(
                "{}\n--- expected\n{expected}--- actual\n{actual}",
                path.display()
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn no_message_shows_a_secret() {
    for entry in fs::read_dir(fixtures().join("bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            let text = fs::read_to_string(path).unwrap();
            for secret in [
                "hunter2",
                "must not show",
                "must-not-show",
                "do not show",
                "not base64",
                "c2hvcnQ",
            ] {
                assert!(!text.replace("is not base64", "").contains(secret), "{text}");
            }
        }
    }
}

#[test]
fn five_lines_make_a_watched_service() {
    let loaded = loaded("[services.shop]\nunit = \"shop\"\nhttp = \"http://127.0.0.1:8080/health\"\n");
    let shop = service(&loaded, "shop");
    assert_eq!(shop.target, Some(Target::Unit("shop.service".to_owned())));
    assert!(shop.service.has_target && shop.service.has_probes);
    assert_eq!(shop.service.policy, Policy::default());
    assert_eq!(http(shop).url.as_str(), "http://127.0.0.1:8080/health");
    assert_eq!(http(shop).method, "GET");
    assert_eq!(http(shop).status, [200..=299]);
    assert_eq!(http(shop).timeout, Duration::from_secs(3));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!loaded.settings.agent.name.is_empty());
    assert_eq!(loaded.settings.agent.state_dir, Path::new("/var/lib/sentinel"));
}

#[test]
fn containers_come_after_the_docker_daemon_when_it_is_watched() {
    let container = |after: &str| format!("container = \"shop\"\nafter = [{after}]\nhttp = \"http://127.0.0.1/\"\n");
    let after = |text: &str, name: &str| {
        let after = service(&loaded(text), name).service.after.clone();
        after.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let daemon = "[services.engine]\nunit = \"docker\"\ntcp = \"127.0.0.1:1\"\n";
    let text = format!("[services.shop]\n{}{daemon}", container(""));
    assert_eq!(after(&text, "shop"), ["engine"]);
    assert!(after(&text, "engine").is_empty());
    // Not without it, not twice, and not when the daemon comes after the container.
    assert!(after(&format!("[services.shop]\n{}", container("")), "shop").is_empty());
    assert_eq!(
        after(&format!("[services.shop]\n{}{daemon}", container("\"engine\"")), "shop"),
        ["engine"]
    );
    let circle = format!("[services.shop]\n{}{daemon}after = [\"shop\"]\n", container(""));
    assert!(after(&circle, "shop").is_empty());
}

#[test]
fn full_example_loads() {
    let loaded = loaded(&fs::read_to_string(fixtures().join("good/full.toml")).unwrap());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let settings = &loaded.settings;
    assert_eq!(settings.agent.name, "web-1");
    assert_eq!(settings.agent.log, LogFormat::Auto);
    assert_eq!(settings.services.len(), 7);

    let shop = service(&loaded, "shop");
    assert_eq!(shop.service.policy, Policy::default(), "the example shows the defaults");
    assert_eq!(
        shop.service.after.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["postgresql"]
    );
    assert_eq!(
        service(&loaded, "postgresql").reach.may_affect,
        ["pgbouncer.service", "pg-worker-?.service"]
    );
    assert_eq!(
        service(&loaded, "postgresql").service.policy.severity,
        Severity::Critical
    );

    let worker = ContainerTarget::Compose {
        project: "shop".into(),
        service: "worker".into(),
        number: None,
    };
    assert_eq!(service(&loaded, "worker").target, Some(Target::Container(worker)));

    let legacy = service(&loaded, "legacy");
    let Some(Target::Process(process)) = &legacy.target else {
        panic!("{:?}", legacy.target)
    };
    assert_eq!(process.start, ["/opt/legacy/bin/server", "--daemon"]);
    assert_eq!(http(legacy).status, [200..=299, 304..=304]);
    assert_eq!(http(legacy).headers["Host"], "legacy.example.com");
    assert_eq!(http(legacy).json["/status"], serde_json::json!("ok"));
    assert_eq!(http(legacy).json["/queue/depth"], serde_json::json!(0));
    assert_eq!(
        legacy
            .service
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>(),
        ["env=production", "team=payments"]
    );
    assert_eq!(service(&loaded, "staging").service.policy.mode, Mode::Observe);

    assert_eq!(settings.alerts.receivers, ["night", "team"]);
    let receiver = |name: &str| {
        settings
            .receivers
            .iter()
            .find(|receiver| receiver.name == name)
            .unwrap()
    };
    let ReceiverKind::Webhook(night) = &receiver("night").kind else {
        panic!("another kind");
    };
    assert_eq!(night.url.expose_secret(), "https://hooks.example.com/night?token=1");
    let ReceiverKind::Webhook(team) = &receiver("team").kind else {
        panic!("another kind");
    };
    let ReceiverKind::Alertmanager(cluster) = &receiver("cluster").kind else {
        panic!("another kind");
    };
    assert_eq!(cluster.urls.len(), 2);
    assert!(matches!(&cluster.login, Some(HttpLogin::Bearer(token)) if token.expose_secret() == "tok-123456"));
    let ReceiverKind::Alertmanager(lone) = &receiver("lone").kind else {
        panic!("another kind");
    };
    assert!(matches!(&lone.login, Some(HttpLogin::Basic { user, .. }) if user == "sentinel"));
    let (ReceiverKind::Email(mail), ReceiverKind::Email(relay)) = (&receiver("mail").kind, &receiver("relay").kind)
    else {
        panic!("another kind");
    };
    assert_eq!(
        (mail.server.host.as_str(), mail.server.port, mail.server.security),
        ("mail.example.com", 587, MailSecurity::StartTls)
    );
    assert_eq!(mail.login.as_ref().unwrap().password.expose_secret(), "sesame");
    assert_eq!(mail.to.len(), 2);
    assert_eq!(relay.server.security, MailSecurity::Off);
    assert_eq!(
        team.secrets[0].expose_secret(),
        "whsec_c2VudGluZWwgdGVzdHMsIG5vdCBhIHNlY3JldA=="
    );
}

/// Every path of the table of keys, with `NAME` where a name is chosen.
fn paths(section: &Section, found: &mut BTreeSet<String>) {
    for key in section.all() {
        assert!(!key.doc.is_empty(), "{} has no text", key.name);
        found.insert(format!("{}.{}", section.path, key.name));
        match &key.kind {
            Kind::Table { section, .. } | Kind::Named { section, .. } | Kind::Tables { section, .. } => {
                paths(section, found);
            }
            _ => {}
        }
    }
}

/// The paths of the keys that a table uses, written as [`paths`] writes them. `[defaults]` shows keys of services too.
fn used(section: &Section, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        found.insert(format!("{}.{name}", section.path));
        if section.path == "defaults" {
            found.insert(format!("services.NAME.{name}"));
        }
        let kind = section.all().find(|key| key.name == name).map(|key| &key.kind);
        match (kind, value) {
            (Some(Kind::Table { section, .. }), toml::Value::Table(table)) => used(section, table, found),
            (Some(Kind::Named { section, .. }), toml::Value::Table(tables)) => {
                tables
                    .values()
                    .for_each(|table| used(section, table.as_table().unwrap(), found));
            }
            (Some(Kind::Tables { section, .. }), toml::Value::Array(tables)) => {
                for table in tables {
                    used(section, table.as_table().unwrap(), found);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn full_example_shows_every_key() {
    let mut keys = BTreeSet::new();
    paths(&sentinel_config::ROOT, &mut keys);
    assert!(keys.len() > 50);
    let text = fs::read_to_string(fixtures().join("good/full.toml")).unwrap();
    let mut shown = BTreeSet::new();
    used(&sentinel_config::ROOT, &text.parse().unwrap(), &mut shown);
    // There is one heartbeat, and it cannot have both.
    assert!(text.contains("# or: url = "));
    shown.insert("heartbeat.url".to_owned());
    let missing: Vec<_> = keys.difference(&shown).collect();
    assert!(missing.is_empty(), "missing in full.toml: {missing:?}");
}

#[test]
fn conf_d_is_merged_deeply_in_order() {
    let place = Place::new();
    place
        .write(
            "sentinel.toml",
            "[defaults]\nfall = 5\n[services.\"my.api\"]\nhttp = \"http://127.0.0.1:1/\"\ninterval = \"20s\"\n",
        )
        .write(
            "conf.d/10-a.toml",
            "[services.\"my.api\"]\ninterval = \"30s\"\nlabels = { a = \"1\", b = \"1\" }\n",
        )
        .write(
            "conf.d/20-b.toml",
            "[services.\"my.api\"]\nhttp = { method = \"POST\", status = [201] }\nlabels = { b = \"2\" }\n",
        )
        .write(
            "conf.d/30-c.toml",
            "[services.\"my.api\"]\nhttp = { status = [202] }\n[services.db]\ntcp = \"127.0.0.1:2\"\n",
        )
        .write("conf.d/.hidden.toml", "broken")
        .write("conf.d/README", "broken");
    let loaded = place.load(&[]).unwrap();
    let api = service(&loaded, "my.api");
    assert_eq!(api.service.policy.interval, Duration::from_secs(30));
    assert_eq!(api.service.policy.fall, 5);
    assert_eq!(http(api).url.as_str(), "http://127.0.0.1:1/");
    assert_eq!(http(api).method, "POST");
    assert_eq!(http(api).status, [202..=202], "lists are replaced, not joined");
    assert_eq!(
        (api.service.labels["a"].as_str(), api.service.labels["b"].as_str()),
        ("1", "2")
    );
    assert_eq!(service(&loaded, "db").service.policy.fall, 5);
    let files: Vec<_> = loaded
        .files
        .iter()
        .map(|file| place.plain(&file.display().to_string()))
        .collect();
    assert_eq!(
        files,
        [
            "sentinel.toml",
            "conf.d/10-a.toml",
            "conf.d/20-b.toml",
            "conf.d/30-c.toml"
        ]
    );
}

#[test]
fn environment_overrides_files() {
    let place = Place::new();
    place.write(
        "sentinel.toml",
        "[services.shop]\nunit = \"shop\"\nhttp = \"http://127.0.0.1:1/\"\nfall = 5\n[services.db]\nunit = \"db\"\n",
    );
    let env = [
        ("SENTINEL__AGENT__NAME", "from env"),
        ("SENTINEL__AGENT__EMOJI", "true"),
        ("SENTINEL__SERVICES__SHOP__FALL", "2"),
        ("SENTINEL__SERVICES__SHOP__AFTER", "db, cache-1"),
        ("SENTINEL__SERVICES__SHOP__LABELS__TEAM", "web"),
        ("SENTINEL__SERVICES__SHOP__HTTP__URL", "http://127.0.0.1:2/"),
        ("SENTINEL__SERVICES__SHOP__HTTP__STATUS", "200-204,301"),
        (
            "SENTINEL__SERVICES__SHOP__HTTP__JSON",
            "{ \"/depth\" = 3, \"/status\" = \"ok\" }",
        ),
        ("SENTINEL__SERVICES__SHOP__HTTP__HEADERS__X-FORWARDED-PROTO", "https"),
        ("SENTINEL__SERVICES__SHOP__RECOVERY__JITTER", "0"),
        ("SENTINEL__SERVICES__SHOP__RECOVERY__ON_CLEAN_EXIT", "alert"),
        ("SENTINEL__SERVICES__SHOP__SETTLE", "2s"),
        ("SENTINEL__SERVICES__CACHE-1__COMMAND", "[\"/bin/echo\", \"a,b\"]"),
        ("SENTINEL__SERVICES__DB__INTERVAL", ""),
        ("SENTINEL_CONFIG", "belongs to the command line"),
        ("PATH", "/bin"),
    ];
    let loaded = place.load(&env).unwrap();
    let shop = service(&loaded, "shop");
    assert_eq!(loaded.settings.agent.name, "from env");
    assert!(loaded.settings.agent.emoji);
    assert_eq!(shop.service.policy.fall, 2);
    assert!(shop.service.policy.jitter.abs() < f64::EPSILON);
    assert_eq!(shop.service.policy.on_clean_exit, OnCleanExit::Alert);
    assert_eq!(shop.service.policy.settle, Settle::Fixed(Duration::from_secs(2)));
    assert_eq!(
        shop.service.after.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["db", "cache-1"]
    );
    assert_eq!(shop.service.labels["team"], "web");
    assert_eq!(http(shop).url.as_str(), "http://127.0.0.1:2/");
    assert_eq!(http(shop).status, [200..=204, 301..=301]);
    assert_eq!(http(shop).json["/depth"], serde_json::json!(3));
    assert_eq!(http(shop).headers["x-forwarded-proto"], "https");
    let ProbeSettings::Command(command) = &service(&loaded, "cache-1").probes[0] else {
        panic!()
    };
    assert_eq!(command.argv, ["/bin/echo", "a,b"]);
    assert_eq!(
        service(&loaded, "db").service.policy.interval,
        Duration::from_secs(10),
        "an empty variable is ignored"
    );
}

#[test]
fn variable_set_twice_is_refused() {
    let place = Place::new();
    place.write("sentinel.toml", "");
    let errors = place
        .load(&[("SENTINEL__AGENT__NAME", "a"), ("sentinel__agent__name", "b")])
        .unwrap_err();
    assert_eq!(
        errors.to_string(),
        "environment: sentinel__agent__name: is set twice, as case does not count"
    );
}

#[test]
fn what_a_service_says_wins_over_defaults() {
    let loaded = loaded(
        "[defaults]\nmode = \"observe\"\ninterval = \"1m\"\nrecovery = { burst = 2, window = \"1h\" }\n\
         [services.a]\nunit = \"a\"\ntcp = \"[::1]:80\"\n\
         [services.b]\nunit = \"b\"\ntcp = \"localhost:80\"\nmode = \"heal\"\nrecovery = { burst = 3 }\n",
    );
    let (a, b) = (
        &service(&loaded, "a").service.policy,
        &service(&loaded, "b").service.policy,
    );
    assert_eq!(
        (a.mode, a.burst, a.window),
        (Mode::Observe, 2, Duration::from_secs(3600))
    );
    assert_eq!((b.mode, b.burst, b.window), (Mode::Heal, 3, Duration::from_secs(3600)));
    assert_eq!(
        (a.interval, b.interval),
        (Duration::from_secs(60), Duration::from_secs(60))
    );
}

#[test]
fn default_timeout_follows_a_short_interval() {
    let loaded = loaded("[services.a]\nhttp = \"http://127.0.0.1/\"\ninterval = \"1s\"\n");
    assert_eq!(http(service(&loaded, "a")).timeout, Duration::from_secs(1));
}

#[test]
fn agent_mode_observe_overrides_services() {
    let loaded = loaded("[agent]\nmode = \"observe\"\n[services.a]\nunit = \"dbus\"\nmode = \"heal\"\n");
    assert_eq!(service(&loaded, "a").service.policy.mode, Mode::Observe);
}

#[test]
fn who_may_be_affected_is_said_or_follows_from_after() {
    let text = "[defaults]\nmay_affect = [\"w-*\"]\n\
                [services.db]\nunit = \"db\"\nmay_affect = [\"worker\", \"db@?.socket\"]\n\
                [services.app]\nunit = \"app\"\nafter = [\"db\"]\n\
                [services.seen]\nunit = \"seen\"\nafter = [\"db\"]\nmode = \"observe\"\n\
                [services.job]\ncommand = [\"/bin/true\"]\n";
    let loaded = loaded(text);
    let reach = |name| service(&loaded, name).reach.clone();
    assert_eq!(reach("db").may_affect, ["worker.service", "db@?.socket"]);
    assert_eq!(
        reach("db").dependents,
        ["app".into()],
        "what is only observed is not restarted along"
    );
    assert_eq!(reach("app").may_affect, ["w-*"]);
    assert!(reach("app").dependents.is_empty());
}

#[test]
fn docker_service_may_be_listed() {
    assert_eq!(
        loaded("[services.docker]\nunit = \"docker\"\n").settings.services.len(),
        1
    );
}

#[test]
fn disabled_service_is_checked_but_not_watched() {
    let text = "[services.a]\nunit = \"a\"\ntcp = \"127.0.0.1:1\"\nafter = [\"b\"]\n[services.b]\nunit = \"b\"\nenabled = false\n";
    let place = Place::new();
    let loaded = place.write("sentinel.toml", text).load(&[]).unwrap();
    assert_eq!(loaded.settings.services.len(), 1);
    assert!(service(&loaded, "a").service.after.is_empty());
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| place.plain(&warning.to_string()))
        .collect();
    assert_eq!(
        warnings,
        [
            "sentinel.toml:4:9: services.a.after: [services.b] is not watched, so it is not waited for",
            "sentinel.toml:5:11: services.b: no probe: running is taken for healthy; add `http`, `tcp` or `command`",
        ]
    );
    assert!(errors(&text.replace("unit = \"b\"", "unit = \"b.socket\"")).contains("b.socket"));
}

#[test]
fn empty_configuration_is_valid_with_a_warning() {
    let place = Place::new();
    let loaded = place.write("sentinel.toml", "").load(&[]).unwrap();
    assert!(loaded.settings.services.is_empty());
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| place.plain(&warning.to_string()))
        .collect();
    assert_eq!(
        warnings,
        [
            "sentinel.toml: no services: whatever runs on this host is observed, and nothing is restarted; `sentinel discover` proposes some"
        ]
    );
}

#[test]
fn files_beside_the_others_that_are_not_read_are_warned_of() {
    let place = Place::new();
    place.write("sentinel.toml", "[services.db]\ntcp = \"127.0.0.1:1\"\n");
    for name in [
        "shop.conf",
        "api.yaml",
        "Web.TOML",
        "more/web.toml",
        // Put aside, or not meant to be read.
        "old.toml.off",
        "old.toml.dpkg-dist",
        "web.toml~",
        ".shop.conf.swp",
        "README",
    ] {
        place.write(&format!("conf.d/{name}"), "broken");
    }
    let loaded = place.load(&[]).unwrap();
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| place.plain(&warning.to_string()))
        .collect();
    let not_read = ["Web.TOML", "api.yaml", "more", "shop.conf"]
        .map(|name| format!("conf.d/{name}: is not read: in this directory only files are whose names end in `.toml`"));
    assert_eq!(warnings, not_read);
}

#[test]
fn routes_of_several_files_add_up_in_order() {
    let place = Place::new();
    let route = |receiver: &str| {
        format!("[[alerts.routes]]\nmatch.kind = \"fired\"\nreceivers = [\"{receiver}\"]\ncontinue = true\n")
    };
    let receivers = "[receivers.a.webhook]\nurl = \"http://a/\"\n[receivers.b.webhook]\nurl = \"http://b/\"\n";
    let main = format!(
        "[services.x]\ntcp = \"127.0.0.1:1\"\n{receivers}{}{}",
        route("a"),
        route("b")
    );
    place
        .write("sentinel.toml", &main)
        .write("conf.d/10-b.toml", &route("b"))
        .write(
            "conf.d/20-a.toml",
            &(route("a") + "[[alerts.escalations]]\nafter = \"1m\"\nreceivers = [\"b\"]\n"),
        );
    let env = [
        ("SENTINEL__ALERTS__ROUTES", "[{ receivers = [] }]"),
        ("SENTINEL__ALERTS__REPEAT_INTERVAL", "off"),
    ];
    let loaded = place.load(&env).unwrap();
    let rules = &loaded.settings.alerts.rules;
    let receivers: Vec<_> = rules.routes.iter().map(|route| route.receivers.join(" ")).collect();
    assert_eq!(receivers, ["a", "b", "b", "a", ""]);
    assert_eq!((rules.escalations.len(), rules.repeat_interval), (1, None));
    assert_eq!(rules.group_wait, Duration::from_secs(10));
    let error = place
        .write("conf.d/20-a.toml", &route("c"))
        .load(&env)
        .unwrap_err()
        .to_string();
    assert!(
        place
            .plain(&error)
            .starts_with("conf.d/20-a.toml:3:14: alerts.routes[3].receivers[0]: there is no [receivers.c]"),
        "{error}"
    );
}

#[test]
fn routes_that_no_message_reaches_are_warned_of() {
    let loaded = loaded(
        "[services.shop]\ntcp = \"127.0.0.1:1\"\nlabels = { team = \"web\" }\n\
         [services.off]\ntcp = \"127.0.0.1:1\"\nenabled = false\n\
         [receivers.a.webhook]\nurl = \"http://127.0.0.1/\"\n[alerts]\nreceivers = []\n\
         [[alerts.routes]]\nmatch.label = { team = \"data\" }\nreceivers = [\"a\"]\n\
         [[alerts.routes]]\nmatch.kind = \"gave_up\"\nmatch.severity = \"warning\"\nreceivers = [\"a\"]\n\
         [[alerts.routes]]\nmatch.service = \"off\"\nreceivers = [\"a\"]\n\
         [[alerts.routes]]\nmatch.service = [\"sh*\", \"(host)\"]\nreceivers = [\"a\"]\n\
         [[alerts.routes]]\nmatch.label = { team = \"web\" }\nreceivers = [\"a\"]\n",
    );
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| (warning.key.as_str(), warning.message.as_str()))
        .collect();
    let unfit = "fits no message of any service";
    let shadowed = "is never asked: the routes before it take every message that it fits";
    assert_eq!(
        warnings,
        [
            ("alerts.routes[0]", unfit),
            ("alerts.routes[1]", unfit),
            ("alerts.routes[2]", unfit),
            ("alerts.routes[4]", shadowed),
        ]
    );
}

#[test]
fn headers_that_are_secret_can_stand_in_a_file() {
    let place = Place::new();
    let file = place.files().join("secret-headers");
    fs::write(&file, "X-Token: hunter2\n\n# for the proxy\nX-Scope : a:b\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.display();
    let text = format!(
        "[services.shop.http]\nurl = \"http://127.0.0.1/\"\nheaders = {{ X-Plain = \"1\" }}\nheaders_file = \"{file}\"\n\
             [receivers.hook.webhook]\nurl = \"http://127.0.0.1/\"\nheaders_file = \"{file}\"\n\
             [receivers.manager.alertmanager]\nurls = [\"http://127.0.0.1/\"]\nheaders_file = \"{file}\"\n"
    );
    let loaded = place.write("sentinel.toml", &text).load(&[]).unwrap();
    let ProbeSettings::Http(probe) = &loaded.settings.services[0].probes[0] else {
        panic!("{:?}", loaded.settings.services[0].probes)
    };
    let sent: Vec<(&str, &str)> = probe.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(sent, [("X-Plain", "1"), ("X-Scope", "a:b"), ("X-Token", "hunter2")]);
    let expected = BTreeMap::from([("X-Scope", "a:b"), ("X-Token", "hunter2")]);
    for receiver in &loaded.settings.receivers {
        let headers = match &receiver.kind {
            ReceiverKind::Webhook(webhook) => &webhook.headers,
            ReceiverKind::Alertmanager(manager) => &manager.headers,
            other => panic!("{other:?}"),
        };
        let sent: BTreeMap<&str, &str> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        assert_eq!(sent, expected, "{}", receiver.name);
    }
}

#[test]
fn a_link_with_a_percent_sign_of_its_own_is_warned_of() {
    let warnings = |link: &str| -> Vec<String> {
        let loaded = loaded(&format!(
            "[services.shop]\ntcp = \"127.0.0.1:1\"\n[alerts]\nlink = \"{link}\"\n"
        ));
        let of_link = loaded.warnings.iter().filter(|warning| warning.key == "alerts.link");
        of_link.map(|warning| warning.message.clone()).collect()
    };
    let expected = ["has a `%` that begins no escape such as `%20`; it is sent as `%25`"];
    assert_eq!(warnings("https://wiki.example/100%/{{ service }}"), expected);
    assert_eq!(warnings("https://wiki.example/100%25/{{ service }}"), [] as [&str; 0]);
}

#[test]
fn what_an_editor_adds_around_a_secret_is_no_part_of_it() {
    let place = Place::new();
    let text = "[receivers.x.slack]\ntoken_file = \"@FILES@/marked\"\nchannel = \"alerts\"\n";
    place.file("marked", "\u{feff}xoxb-not-a-token\r\n".as_bytes());
    let loaded = place.write("sentinel.toml", text).load(&[]).unwrap();
    let ReceiverKind::Slack(SlackSettings::Bot { token, .. }) = &loaded.settings.receivers[0].kind else {
        panic!("a bot");
    };
    assert_eq!(token.expose_secret(), "xoxb-not-a-token");
}

#[test]
fn secrets_are_read_where_they_are_needed() {
    let place = Place::new();
    let text = "[services.a]\nunit = \"a\"\ntcp = \"127.0.0.1:1\"\n\
                [receivers.x.webhook]\nurl_file = \"credential:hook\"\nsecret_file = \"@FILES@/nothing\"\n\
                [receivers.y.slack]\ntoken_file = \"credential:bot\"\nchannel = \"alerts\"\n\
                [heartbeat]\nurl_file = \"credential:beat\"\n";
    place.write("sentinel.toml", text);
    let all = [
        "heartbeat.url_file",
        "receivers.x.webhook.secret_file",
        "receivers.x.webhook.url_file",
        "receivers.y.slack.token_file",
    ];

    // Whoever makes rights of it needs none of them.
    let unread = sentinel_config::read(&place.main(), [], Secrets::None).unwrap().alone;
    let mut keys = unread.unread;
    keys.sort_unstable();
    assert_eq!(keys, all);
    assert!(unread.warnings.is_empty(), "{:?}", unread.warnings);

    // Whoever looks at it is not shown credentials, yet a file has to be there.
    let errors = sentinel_config::look(&place.main(), []).unwrap_err();
    assert_eq!(
        place.plain(&errors.to_string()),
        "sentinel.toml:6:15: receivers.x.webhook.secret_file: `@FILES@/nothing` does not exist"
    );
    place.file("nothing", b"a secret that is there now\n");
    let looked = sentinel_config::look(&place.main(), []).unwrap();
    assert_eq!(looked.unread.len(), 3, "{:?}", looked.unread);
    let warning = looked.warnings[0].to_string();
    assert!(
        warning.ends_with(
            "receivers.x.webhook.url_file: not looked at: the credential `hook` is only there while systemd runs the \
             agent, with `LoadCredential=hook:PATH` in its unit"
        ),
        "{warning}"
    );

    // The agent needs all of them.
    assert_eq!(place.load(&[]).unwrap_err().problems.len(), 3);
}

#[test]
fn what_files_said_when_they_were_read_is_what_they_say_later() {
    let place = Place::new();
    let text = "[services.a]\nunit = \"a\"\nhttp = { url = \"https://127.0.0.1/\", ca_file = \"@FILES@/ca.pem\" }\n\
                [receivers.x.webhook]\nurl_file = \"@FILES@/webhook-url\"\n\
                [receivers.y.slack]\ntoken_file = \"@FILES@/token\"\nchannel = \"alerts\"\n\
                [receivers.y]\ntemplate_file = \"@FILES@/words\"\n";
    place.file("words", b"{{ service }} is down\n");
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    place.file("ca.pem", certificate.cert.pem().as_bytes());
    place.write("sentinel.toml", text);
    let read = sentinel_config::read(&place.main(), [], Secrets::All).unwrap();
    let receivers = read.alone.settings.receivers.clone();
    assert_eq!(receivers.len(), 2);

    // Others by now, one of them gone.
    place.file("token", b"tok-another\n");
    place.file("words", b"{{ service }} is up\n");
    place.file("ca.pem", b"no certificate\n");
    fs::remove_file(place.files().join("webhook-url")).unwrap();
    place.write("sentinel.toml", "[services.\n");
    let key = |key: &str, text: &str| DiscoveredKey::new(key, text, sentinel_config::Place::named("container web"));
    let web = DiscoveredService {
        name: "web".to_owned(),
        origin: Origin {
            kind: OriginKind::Label,
            place: "container web".to_owned(),
        },
        keys: vec![key("container", "web"), key("tcp", "127.0.0.1:80")],
        aliases: Vec::new(),
    };
    let again = read.sources.check().unwrap();
    for checked in [read, again] {
        let laid = checked.over(std::slice::from_ref(&web));
        let names: Vec<&str> = laid
            .settings
            .services
            .iter()
            .map(|one| one.service.name.as_str())
            .collect();
        assert_eq!((names, laid.rejected), (vec!["a", "web"], Vec::new()));
        assert_eq!(laid.settings.receivers, receivers);
    }
    assert!(
        place.load(&[]).is_err(),
        "and who reads them now sees what they say now"
    );
}

#[test]
fn readable_secrets_and_endless_recovery_are_warned_of() {
    let place = Place::new();
    let text = "[services.a]\nunit = \"a\"\ntcp = \"127.0.0.1:1\"\nrecovery = { backoff = \"5m\", window = \"10m\" }\n\
                [receivers.x.webhook]\nurl = \"http://127.0.0.1/\"\nsecret = \"inline\"\n\
                [receivers.y.webhook]\nurl = \"http://127.0.0.1/\"\nsecret_file = \"@FILES@/signing-secret\"\n";
    place.write("sentinel.toml", text);
    for path in [place.main(), place.files().join("signing-secret")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(place.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let loaded = place.load(&[]).unwrap();
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| place.plain(&warning.to_string()))
        .collect();
    assert_eq!(
        warnings,
        [
            "sentinel.toml:4:1: services.a.recovery: never gives up: 5 attempts take at least 16m, longer than the window of 10m",
            "sentinel.toml:7:10: receivers.x.webhook.secret: is taken as it stands, where libraries of Standard Webhooks decode \
             base64: they would refuse what it signs; `whsec_` before base64 means the same to both",
            "sentinel.toml:7:10: receivers.x.webhook.secret: stands in a file that every user of this host may read; use `secret_file`",
            "sentinel.toml:10:15: receivers.y.webhook.secret_file: `@FILES@/signing-secret` may be read by every user of this host; `chgrp sentinel-secrets` and `chmod 0640` leave it to the agent",
        ]
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let place = Place::new();
    assert_eq!(
        place.plain(&place.load(&[]).unwrap_err().to_string()),
        "sentinel.toml: does not exist; another file is named with `--config`"
    );

    fs::write(place.main(), b"[agent]\nname = \"\xff\"\n").unwrap();
    assert_eq!(
        place.plain(&place.load(&[]).unwrap_err().to_string()),
        "sentinel.toml: is not UTF-8 text (line 2); another file is named with `--config`"
    );

    fs::write(place.main(), vec![b'#'; 5 << 20]).unwrap();
    assert_eq!(
        place.plain(&place.load(&[]).unwrap_err().to_string()),
        "sentinel.toml: is larger than 4096 KiB; another file is named with `--config`"
    );

    fs::remove_file(place.main()).unwrap();
    fs::create_dir(place.main()).unwrap();
    assert_eq!(
        place.plain(&place.load(&[]).unwrap_err().to_string()),
        "sentinel.toml: is not a regular file; another file is named with `--config`"
    );

    fs::remove_dir(place.main()).unwrap();
    place.write("sentinel.toml", "").write("conf.d", "");
    let message = place.plain(&place.load(&[]).unwrap_err().to_string());
    assert!(message.starts_with("conf.d: cannot be listed: "), "{message}");
}

/// This many services in one line of dependencies, spread over files.
fn line_of(count: usize) -> Result<Loaded, ConfigErrors> {
    let place = Place::new();
    let section = |number: usize| match number.checked_sub(1) {
        None => format!("[services.s{number}]\ntcp = \"127.0.0.1:1\"\n"),
        Some(before) => format!("[services.s{number}]\ntcp = \"127.0.0.1:1\"\nafter = [\"s{before}\"]\n"),
    };
    let sections: Vec<String> = (0..count).map(section).collect();
    for (file, sections) in sections.chunks(5000).enumerate() {
        let name = if file == 0 {
            "sentinel.toml".to_owned()
        } else {
            format!("conf.d/{file}.toml")
        };
        place.write(&name, &sections.concat());
    }
    place.load(&[])
}

#[test]
fn ten_thousand_services_load() {
    let loaded = line_of(10_000).unwrap();
    assert_eq!(loaded.settings.services.len(), 10_000);
}

#[test]
fn more_than_ten_thousand_services_are_refused() {
    let errors = line_of(10_001).map(|loaded| loaded.files).unwrap_err().to_string();
    assert!(
        errors.ends_with("sentinel.toml:1:2: services: holds 10001 entries, more than 10000"),
        "{errors}"
    );
}

#[test]
fn problems_are_counted_but_not_all_listed() {
    let lines: Vec<String> = (0..1000).map(|number| format!("key{number} = 1\n")).collect();
    let errors = Place::new()
        .write("sentinel.toml", &lines.concat())
        .load(&[])
        .unwrap_err();
    assert_eq!(
        (errors.problems.len(), errors.omitted),
        (ConfigErrors::MAX_PROBLEMS, 800)
    );
    assert!(errors.to_string().ends_with("and 800 more"));
}

#[test]
fn check_prints_what_would_be_watched() {
    let place = Place::new();
    place.write(
        "sentinel.toml",
        &fs::read_to_string(fixtures().join("good/full.toml")).unwrap(),
    );
    let mut out = Vec::new();
    assert!(check(&place.main(), variables(&[]), false, now(), &mut out).unwrap());
    let text = place.plain(&String::from_utf8(out).unwrap());
    golden("good/full.stdout", &any_day(&text));
    assert!(!text.contains("token=1"));
}

/// `text` as it is on any day, the one on which clocks are put forward included: `Sat 2026-11-28 02:00 +01:00` is
/// `Day YYYY-MM-DD HH:MM +HH:MM`.
fn any_day(text: &str) -> String {
    let word = |word: &str| {
        let digits = |at: &[usize]| {
            at.iter()
                .all(|at| word.as_bytes().get(*at).is_some_and(u8::is_ascii_digit))
        };
        if ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&word) {
            "Day".to_owned()
        } else if word.len() == 10 && word.starts_with("20") && digits(&[2, 3, 5, 6, 8, 9]) {
            "YYYY-MM-DD".to_owned()
        } else if word.len() == 5 && digits(&[0, 1, 3, 4]) {
            "HH:MM".to_owned()
        } else if word.len() == 6 && word.starts_with(['+', '-']) && digits(&[1, 2, 4, 5]) {
            "+HH:MM".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn check_describes_for_machines() {
    let place = Place::new();
    place.write("sentinel.toml", "[services.a]\nunit = \"a\"\n");
    let mut out = Vec::new();
    assert!(check(&place.main(), variables(&[]), true, now(), &mut out).unwrap());
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["services"][0]["target"]["name"], "a.service");
    assert_eq!(document["services"][0]["recovery"]["burst"], 5);
    assert_eq!(document["warnings"][0]["key"], "services.a");

    place.write("sentinel.toml", "[services.a]\nunit = \"a\"\nintervall = \"5s\"\n");
    let mut out = Vec::new();
    assert!(!check(&place.main(), variables(&[]), true, now(), &mut out).unwrap());
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["ok"], false);
    let error = &document["errors"][0];
    assert_eq!(
        (&error["line"], &error["column"]),
        (&serde_json::json!(3), &serde_json::json!(1))
    );
    assert_eq!(error["key"], "services.a.intervall");
    assert_eq!(error["suggestion"], "interval");
}

#[test]
fn check_prints_errors_and_their_number() {
    let place = Place::new();
    place.write("sentinel.toml", "[services.a]\nunit = \"a\"\nintervall = \"5s\"\n");
    let mut out = Vec::new();
    assert!(!check(&place.main(), variables(&[]), false, now(), &mut out).unwrap());
    let text = place.plain(&String::from_utf8(out).unwrap());
    assert_eq!(
        text,
        "sentinel.toml:3:1: services.a.intervall: unknown key; did you mean `interval`?\n\n1 error\n"
    );
}

/// When everything here is checked: what is open next depends on it.
fn now() -> Timestamp {
    "2026-11-22T16:03:00Z".parse().unwrap()
}

fn golden(name: &str, actual: &str) {
    let path = fixtures().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(path).unwrap_or_default());
}

/// A small generator (xorshift), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// Bytes that mean something to TOML or to a rule are likelier than others to reach far.
const CHANGES: &[u8] = b"[]{}=\"'.,#\n\\-_:/0129aze \0\xff\xc3";

fn mangle(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        let reporting = CHANGES[random.below(CHANGES.len())];
        match random.below(5) {
            0 => bytes[at] = reporting,
            1 => bytes.insert(at, reporting),
            2 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
            3 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            _ => {
                let end = (at + random.below(80)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
        }
        if bytes.is_empty() {
            bytes.push(reporting);
        }
    }
    bytes
}

#[test]
fn mangled_configurations_never_panic() {
    let place = Place::new();
    let good = fs::read_to_string(fixtures().join("good/full.toml")).unwrap();
    let good = good.replace("@FILES@", place.files().to_str().unwrap());
    let (mut accepted, mut refused) = (0, 0);
    for seed in 1..=1000 {
        let text = mangle(good.as_bytes(), &mut Random(seed * 0x9e37_79b9));
        fs::write(place.main(), &text).unwrap();
        let result = std::panic::catch_unwind(|| place.load(&[]))
            .unwrap_or_else(|_| panic!("seed {seed} panics:\n{}", String::from_utf8_lossy(&text)));
        match result {
            Ok(_) => accepted += 1,
            Err(errors) => {
                assert!(
                    !errors.problems.is_empty() && !errors.to_string().is_empty(),
                    "seed {seed}"
                );
                refused += 1;
            }
        }
    }
    assert!(
        accepted > 50 && refused > 50,
        "{accepted} accepted, {refused} refused: too far from the good one"
    );
}

#[test]
fn arbitrary_variables_never_panic() {
    let place = Place::new();
    place.write("sentinel.toml", "");
    let names = [
        "AGENT", "SERVICES", "SHOP", "HTTP", "JSON", "STATUS", "LABELS", "", "Ü", "a.b", "RECOVERY", "AFTER",
    ];
    let values = [
        "",
        "1",
        "[",
        "{",
        "[1]",
        "{a=1}",
        "true",
        "x",
        "\u{fffd}",
        "a,b",
        "10s",
        "{ \"/a\" = [1, {}] }",
    ];
    for seed in 1..=3000 {
        let mut random = Random(seed * 0x9e37_79b9);
        let env: Variables = (0..random.below(4))
            .map(|_| {
                let path: Vec<_> = (0..=random.below(5))
                    .map(|_| names[random.below(names.len())])
                    .collect();
                (
                    format!("SENTINEL__{}", path.join("__")),
                    values[random.below(values.len())].to_owned(),
                )
            })
            .collect();
        if let Err(errors) = sentinel_config::load(&place.main(), env.clone()) {
            assert!(!errors.problems.is_empty(), "{env:?}");
        }
    }
}
