//! A process lives and answers 500, probed every second, the first failure counts: how long until somebody has been
//! told, and until it has been restarted?
//!
//! The fault begins at a point of the gap between two probes, and the points are spread evenly over it. So the medians
//! hold half an interval of mere waiting, no more and no less.

use std::fmt::Write as _;

use super::agent::{Agent, QUICK};
use super::receiver::Inbox;
use super::rivals::Rival;
use super::units::{self, look};
use super::{FAILURES, MONIT, SENTINEL, clock, target};
use crate::figures::Figure;

/// What is measured until somebody is notified.
pub const HAS_IT: &str = "status 500 until the webhook has it";

/// What is measured until the service is restarted.
pub const ACTIVE: &str = "status 500 until active again";

const CONFIG: &str = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n";

/// The port of the first of ours; the others follow.
const PORT: u16 = 8100;

/// Two of them: Monit either restarts or runs a command. It leaves a service alone for as long as its start may take,
/// 30 s unless configured otherwise.
const CHECKS: &str = "check process theirs with pidfile /run/theirs.pid\n  \
      start program = \"/bin/systemctl start theirs\" with timeout 1 seconds\n  \
      stop program = \"/bin/systemctl stop theirs\" with timeout 1 seconds\n  \
      restart program = \"/bin/systemctl restart theirs\" with timeout 1 seconds\n  \
      if failed host 127.0.0.1 port 8082 protocol http request \"/health\" then restart\n\
    check process told with pidfile /run/told.pid\n  \
      start program = \"/bin/systemctl start told\" with timeout 1 seconds\n  \
      if failed host 127.0.0.1 port 8083 protocol http request \"/health\" \
      then exec \"/usr/bin/curl -s http://127.0.0.1:9100/told\"\n";

/// Measures `samples` faults of each contestant's service, in turn.
pub fn measure(samples: usize) -> anyhow::Result<()> {
    let ours: Vec<(String, u16)> = (PORT..)
        .take(samples.div_ceil(FAILURES))
        .map(|port| (format!("ours{port}"), port))
        .collect();
    let mut config = format!("{QUICK}{CONFIG}");
    for (name, port) in &ours {
        // Writing to a string cannot fail.
        let _ = writeln!(
            config,
            "[services.{name}]\nunit = \"{name}.service\"\nhttp = \"http://127.0.0.1:{port}/health\""
        );
    }
    let targets: Vec<(&str, u16)> = ours
        .iter()
        .map(|(name, port)| (name.as_str(), *port))
        .chain([("theirs", 8082), ("told", 8083)])
        .collect();
    for (unit, port) in &targets {
        let command = format!("{} inside target {port}", crate::INSIDE);
        units::write(unit, &command, "Restart=no")?;
    }
    let names: Vec<&str> = targets.iter().map(|(unit, _)| *unit).collect();
    units::start(&names)?;
    for (_, port) in &targets {
        target::await_answer(*port)?;
    }
    let inbox = Inbox::open();
    let agent = Agent::start(&config)?;
    let _monit = Rival::monit(1, CHECKS)?;

    let mut reported = [Vec::new(), Vec::new()];
    let mut active = [Vec::new(), Vec::new()];
    for nth in 0..samples {
        agent.await_healthy()?;
        inbox.clear();
        let share = clock::share(nth);
        let (name, port) = &ours[nth % ours.len()];
        let before = look(name)?;
        let failed = target::fail(*port, share)?;
        reported[0].push(clock::millis(failed, inbox.await_message(name)?));
        active[0].push(clock::millis(failed, before.next(name)?.active_since));

        let before = look("theirs")?;
        let failed = target::fail(8082, share)?;
        active[1].push(clock::millis(failed, before.next("theirs")?.active_since));

        let failed = target::fail(8083, share)?;
        reported[1].push(clock::millis(failed, inbox.await_message("told")?));
        target::fix(8083)?;
    }
    agent.await_healthy()?;
    agent.expect_incidents(samples)?;
    for (what, values) in [(HAS_IT, reported), (ACTIVE, active)] {
        for (who, values) in [SENTINEL, MONIT].into_iter().zip(values) {
            Figure::emit(what, who, "ms", values)?;
        }
    }
    Ok(())
}
