//! A unit's process is killed: how long until a receiver has been notified?

use std::fmt::Write as _;

use super::agent::{Agent, QUICK};
use super::receiver::Inbox;
use super::rivals::Rival;
use super::units::{self, look};
use super::{FAILURES, MONIT, SENTINEL, clock};
use crate::figures::Figure;

/// What is measured.
pub const HAS_IT: &str = "kill -9 until the webhook has it";

const CONFIG: &str = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n";

/// Monit has no webhook; this is the quickest it can be made to tell.
const CHECKS: &str = "check process theirs with pidfile /run/theirs.pid\n  \
                      if does not exist then exec \"/usr/bin/curl -s http://127.0.0.1:9100/theirs\"\n";

/// Measures `samples` kills of each contestant's unit, in turn.
pub fn measure(samples: usize) -> anyhow::Result<()> {
    let names: Vec<String> = (0..samples.div_ceil(FAILURES)).map(|n| format!("ours{n}")).collect();
    let mut config = format!("{QUICK}{CONFIG}");
    for name in &names {
        // Writing to a string cannot fail.
        let _ = writeln!(config, "[services.{name}]\nunit = \"{name}.service\"");
    }
    let all: Vec<&str> = names.iter().map(String::as_str).chain(["theirs"]).collect();
    for unit in &all {
        units::write(unit, "sleep infinity", "Restart=no")?;
    }
    units::start(&all)?;
    let inbox = Inbox::open();
    let agent = Agent::start(&config)?;
    let _monit = Rival::monit(1, CHECKS)?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for nth in 0..samples {
        agent.await_healthy()?;
        clock::pass_share_of_a_second(nth);
        inbox.clear();
        let name = &names[nth % names.len()];
        let killed = look(name)?.kill()?;
        ours.push(clock::millis(killed, inbox.await_message(name)?));

        let killed = look("theirs")?.kill()?;
        theirs.push(clock::millis(killed, inbox.await_message("theirs")?));
        units::systemctl(&["start", "theirs"])?;
        // Monit only reports what it has seen running.
        std::thread::sleep(std::time::Duration::from_millis(1500));
    }
    agent.await_healthy()?;
    agent.expect_incidents(samples)?;
    Figure::emit(HAS_IT, SENTINEL, "ms", ours)?;
    Figure::emit(HAS_IT, MONIT, "ms", theirs)
}
