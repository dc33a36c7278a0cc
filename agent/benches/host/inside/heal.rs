//! A unit's process is killed: how long until systemd says that the next run is active?

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use super::agent::{Agent, QUICK};
use super::rivals::Rival;
use super::units::{self, look};
use super::{MONIT, SENTINEL, clock};
use crate::figures::Figure;

/// What is measured.
pub const ACTIVE: &str = "kill -9 until active again";

/// systemd as a contestant.
pub const SYSTEMD: &str = "systemd, RestartSec=0";

/// A commit waits for the disk about this often.
const DISK: &str = "one page written and fdatasync";

const CONFIG: &str = "[services.ours]\nunit = \"ours.service\"\n";

const CHECKS: &str =
    "check process theirs with pidfile /run/theirs.pid\n  start program = \"/bin/systemctl start theirs\"\n";

/// Measures `samples` kills of each contestant's unit, in turn.
pub fn measure(samples: usize) -> anyhow::Result<()> {
    Figure::emit(DISK, "this disk", "ms", disk(samples)?)?;
    let contestants = [("ours", SENTINEL), ("systemds", SYSTEMD), ("theirs", MONIT)];
    for (unit, _) in contestants {
        let restart = if unit == "systemds" {
            "Restart=always\nRestartSec=0"
        } else {
            "Restart=no"
        };
        units::write(unit, "sleep infinity", restart)?;
    }
    units::start(&contestants.map(|(unit, _)| unit))?;
    let agent = Agent::start(&format!("{QUICK}{CONFIG}"))?;
    let _monit = Rival::monit(1, CHECKS)?;

    let mut values = contestants.map(|_| Vec::new());
    for nth in 0..samples {
        agent.await_healthy()?;
        clock::pass_share_of_a_second(nth);
        // Each is first, second and last equally often: whoever comes first finds caches cold and the disk asleep.
        for turn in 0..contestants.len() {
            let index = (nth + turn) % contestants.len();
            let ((unit, _), values) = (contestants[index], &mut values[index]);
            let run = look(unit)?;
            let killed = run.kill()?;
            values.push(clock::millis(killed, run.next(unit)?.active_since));
        }
    }
    agent.await_healthy()?;
    agent.expect_incidents(samples)?;
    for ((_, who), values) in contestants.into_iter().zip(values) {
        Figure::emit(ACTIVE, who, "ms", values)?;
    }
    Ok(())
}

/// What durability costs at least here.
fn disk(samples: usize) -> anyhow::Result<Vec<f64>> {
    let path = "/var/lib/sentinel/page";
    let mut file = File::create(path)?;
    let mut values = Vec::new();
    for _ in 0..samples {
        let start = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        values.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(path)?;
    Ok(values)
}
