//! The others as contestants: Debian's Monit and blackbox exporter, each a unit of its own while it runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context as _;

use super::units;

/// A rival while it runs.
pub struct Rival {
    unit: &'static str,
}

impl Rival {
    /// Monit, awake every `every` seconds; one is the least that it accepts.
    pub fn monit(every: u32, checks: &str) -> anyhow::Result<Self> {
        let path = "/etc/bench.monitrc";
        let head = format!(
            "set daemon {every}\nset log /run/bench-monit.log\nset idfile /run/bench-monit.id\n\
             set statefile /run/bench-monit.state\nset pidfile /run/bench-monitd.pid\n"
        );
        fs::write(path, head + checks)?;
        // It refuses to read what others may.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Self::start("bench-monitd", &format!("/usr/bin/monit -I -c {path}"))
    }

    /// The blackbox exporter, which probes when it is asked to.
    pub fn blackbox() -> anyhow::Result<Self> {
        let command = "/usr/bin/prometheus-blackbox-exporter --config.file=/etc/prometheus/blackbox.yml \
                       --web.listen-address=127.0.0.1:9115";
        Self::start("bench-blackbox", command)
    }

    fn start(unit: &'static str, command: &str) -> anyhow::Result<Self> {
        let text = format!("[Service]\nExecStart={command}\nKillMode=process\n");
        fs::write(format!("/etc/systemd/system/{unit}.service"), text)?;
        units::start(&[unit]).with_context(|| format!("{unit} does not start"))?;
        Ok(Self { unit })
    }

    /// Its process.
    pub fn pid(&self) -> anyhow::Result<i32> {
        Ok(units::look(self.unit)?.pid)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        if let Err(error) = units::stop(&[self.unit]) {
            eprintln!("{error:#}");
        }
    }
}
