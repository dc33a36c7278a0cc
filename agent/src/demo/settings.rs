//! The configuration of the demo's agent, and the list of what is quicker in it than by default.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::SERVICE;

/// A setting that differs from its default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quick {
    /// The table it stands in.
    table: Table,
    /// Its name.
    pub(super) key: &'static str,
    /// What it is here.
    pub(super) value: &'static str,
    /// What it would be; a test holds this to the table of keys.
    pub(super) default: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Service,
    Recovery,
    Host,
    Alerts,
}

/// Everything that makes the story take seconds. It is written to the configuration and shown to the reader, so that
/// nobody takes the demo's times for those of the defaults.
#[rustfmt::skip] // It is a table.
pub(super) const QUICK: [Quick; 9] = [
    // The hang is found after up to one interval and `fall` timeouts.
    Quick { table: Table::Service, key: "interval", value: "1s", default: "10s" },
    Quick { table: Table::Service, key: "timeout", value: "500ms", default: "3s" },
    // The second and third fault find attempts already made, and wait for a gap.
    Quick { table: Table::Recovery, key: "backoff", value: "250ms", default: "10s" },
    Quick { table: Table::Recovery, key: "min_uptime", value: "1s", default: "20s" },
    // Whoever plays on with `--keep` should not spend the budget by curiosity.
    Quick { table: Table::Recovery, key: "reset_after", value: "10s", default: "10m" },
    // Nor wait for the host's limits, which are about a host's worth of services.
    Quick { table: Table::Host, key: "refill", value: "1s", default: "1m" },
    // The machine may have been booted for the demo.
    Quick { table: Table::Host, key: "boot_grace", value: "0s", default: "1m" },
    // Else what is healed within half a minute is one message: `fired` would never be seen.
    Quick { table: Table::Alerts, key: "notify_after", value: "0s", default: "30s" },
    // One service fails at a time: there is nothing to be reported together.
    Quick { table: Table::Alerts, key: "group_wait", value: "0s", default: "10s" },
];

/// What the configuration names.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The program that is kept up.
    pub(super) program: PathBuf,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its pid file.
    pub(super) pid_file: PathBuf,
    /// The agent's store.
    pub(super) state_dir: PathBuf,
    /// The agent's control socket.
    pub(super) socket: PathBuf,
    /// Where alerts go.
    pub(super) webhook: String,
    /// What signs them.
    pub(super) secret_file: PathBuf,
}

/// The configuration file. Paths must be UTF-8, as the file is.
pub(super) fn text(names: &Names) -> String {
    let path = |path: &PathBuf| quoted(&path.to_string_lossy());
    let address = names.address;
    let start = [
        &names.program.to_string_lossy(),
        "--name",
        SERVICE,
        "--listen",
        &address.to_string(),
        "--pid-file",
        &names.pid_file.to_string_lossy(),
        "--chaos",
    ]
    .map(quoted)
    .join(", ");
    format!(
        "# Written by `sentinel demo`; gone when it ends.\n\
         [agent]\n\
         state_dir = {state_dir}\n\
         control_socket = {socket}\n\
         log = \"json\"\n\
         labels = false\n\
         unit_files = false\n\
         \n\
         [services.{SERVICE}]\n\
         process = {{ pid_file = {pid_file}, start = [{start}] }}\n\
         http = \"http://{address}/health\"\n\
         {service}\
         \n\
         [services.{SERVICE}.recovery]\n\
         {recovery}\
         \n\
         [recovery]\n\
         {host}\
         \n\
         [receivers.demo]\n\
         webhook = {{ url = {webhook}, secret_file = {secret_file} }}\n\
         \n\
         [alerts]\n\
         {alerts}",
        state_dir = path(&names.state_dir),
        socket = path(&names.socket),
        pid_file = path(&names.pid_file),
        webhook = quoted(&names.webhook),
        secret_file = path(&names.secret_file),
        service = quick(Table::Service),
        recovery = quick(Table::Recovery),
        host = quick(Table::Host),
        alerts = quick(Table::Alerts),
    )
}

/// The quick settings of a table, a line each.
fn quick(table: Table) -> String {
    let mut lines = String::new();
    for quick in QUICK.iter().filter(|quick| quick.table == table) {
        let Quick {
            key, value, default, ..
        } = quick;
        let _ = writeln!(lines, "{key} = \"{value}\" # by default {default}");
    }
    lines
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use sentinel_config::{Key, Kind, ROOT, Section};

    fn names(directory: &str) -> Names {
        let directory = PathBuf::from(directory);
        Names {
            program: "/opt/demo-service".into(),
            address: "127.0.0.1:4000".parse().unwrap(),
            pid_file: directory.join("pid"),
            state_dir: directory.join("state"),
            socket: directory.join("control.sock"),
            webhook: "http://127.0.0.1:5000/".to_owned(),
            secret_file: directory.join("secret"),
        }
    }

    #[test]
    fn the_file_reads_well() {
        assert_eq!(
            text(&names("/tmp/x")),
            "\
# Written by `sentinel demo`; gone when it ends.
[agent]
state_dir = \"/tmp/x/state\"
control_socket = \"/tmp/x/control.sock\"
log = \"json\"
labels = false
unit_files = false

[services.demo-service]
process = { pid_file = \"/tmp/x/pid\", start = [\"/opt/demo-service\", \"--name\", \"demo-service\", \"--listen\", \
\"127.0.0.1:4000\", \"--pid-file\", \"/tmp/x/pid\", \"--chaos\"] }
http = \"http://127.0.0.1:4000/health\"
interval = \"1s\" # by default 10s
timeout = \"500ms\" # by default 3s

[services.demo-service.recovery]
backoff = \"250ms\" # by default 10s
min_uptime = \"1s\" # by default 20s
reset_after = \"10s\" # by default 10m

[recovery]
refill = \"1s\" # by default 1m
boot_grace = \"0s\" # by default 1m

[receivers.demo]
webhook = { url = \"http://127.0.0.1:5000/\", secret_file = \"/tmp/x/secret\" }

[alerts]
notify_after = \"0s\" # by default 30s
group_wait = \"0s\" # by default 10s
"
        );
    }

    #[test]
    fn the_agent_takes_it_whatever_the_directory_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let odd = directory.path().join("a \"b\\ 'é # \u{7f}");
        std::fs::create_dir(&odd).unwrap();
        let names = names(odd.to_str().unwrap());
        std::fs::write(&names.secret_file, "a secret").unwrap();
        let file = odd.join("sentinel.toml");
        std::fs::write(&file, text(&names)).unwrap();
        let settings = sentinel_config::load(&file, []).unwrap().settings;
        assert_eq!(settings.agent.state_dir, names.state_dir);
        let policy = &settings.services[0].service.policy;
        assert_eq!(policy.min_uptime, Duration::from_secs(1));
        assert_eq!(policy.notify_after, Duration::ZERO);
    }

    #[test]
    fn the_defaults_shown_are_the_defaults() {
        let key = |section: &Section, name: &str| -> &'static Key {
            let mut keys = section.keys.iter().copied().flatten();
            keys.find(|key| key.name == name).expect(name)
        };
        let below = |key: &'static Key| match &key.kind {
            Kind::Table { section, .. } | Kind::Named { section, .. } => *section,
            other => panic!("{other:?} is no table"),
        };
        let service = below(key(&ROOT, "services"));
        for quick in QUICK {
            let section = match quick.table {
                Table::Service => service,
                Table::Recovery => below(key(service, "recovery")),
                Table::Host => below(key(&ROOT, "recovery")),
                Table::Alerts => below(key(&ROOT, "alerts")),
            };
            let default = key(section, quick.key).default;
            assert_eq!(default.split(',').next(), Some(quick.default), "{}", quick.key);
            assert_ne!(quick.value, quick.default);
        }
    }
}
