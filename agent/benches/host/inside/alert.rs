//! A unit's process is killed: how long until somebody has been told?

use super::agent::{Agent, QUICK};
use super::receiver::Inbox;
use super::rivals::Rival;
use super::units::{self, look};
use super::{MONIT, SENTINEL, clock};
use crate::figures::Figure;

/// What is measured.
pub const HAS_IT: &str = "kill -9 until the webhook has it";

const CONFIG: &str = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.ours]\nunit = \"ours.service\"\n";

/// Monit has no webhook; this is the quickest it can be made to tell.
const CHECKS: &str = "check process theirs with pidfile /run/theirs.pid\n  \
                      if does not exist then exec \"/usr/bin/curl -s http://127.0.0.1:9100/theirs\"\n";

/// Measures `samples` kills of each contestant's unit, in turn.
pub fn measure(samples: usize) -> anyhow::Result<()> {
    for unit in ["ours", "theirs"] {
        units::write(unit, "sleep infinity", "Restart=no")?;
    }
    units::start(&["ours", "theirs"])?;
    let inbox = Inbox::open();
    let agent = Agent::start(&format!("{QUICK}{CONFIG}"))?;
    let _monit = Rival::monit(1, CHECKS)?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for nth in 0..samples {
        agent.await_healthy()?;
        clock::pass_share_of_a_second(nth);
        inbox.clear();
        let killed = look("ours")?.kill()?;
        ours.push(clock::millis(killed, inbox.await_message("ours")?));

        let killed = look("theirs")?.kill()?;
        theirs.push(clock::millis(killed, inbox.await_message("theirs")?));
        units::systemctl(&["start", "theirs"])?;
        // Monit only tells of what it has seen running.
        std::thread::sleep(std::time::Duration::from_millis(1500));
    }
    agent.await_healthy()?;
    agent.expect_incidents(samples)?;
    Figure::emit(HAS_IT, SENTINEL, "ms", ours)?;
    Figure::emit(HAS_IT, MONIT, "ms", theirs)
}
