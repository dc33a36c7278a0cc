//! What runs within the host: makes things fail, and notes when they work again.
//!
//! * `heal`, `alert`, `probe`, `load`, `outage`, `installed`: the parts; each prints its figures, a line of JSON each
//! * `agent`, `rivals`: the contestants; `units`: what systemd says of units
//! * `target`, `receiver`: what is probed, and who is notified; `http`: just enough of it for both
//! * `clock`: the one clock, which systemd stamps states with; `usage`: memory and CPU of processes

pub mod agent;
pub mod alert;
pub mod clock;
pub mod driven;
pub mod heal;
pub mod http;
pub mod installed;
pub mod load;
pub mod outage;
pub mod probe;
pub mod receiver;
pub mod rivals;
pub mod target;
pub mod units;
pub mod usage;

use anyhow::{Context as _, bail};

/// The parts, in the order of measuring.
pub const PARTS: [&str; 6] = ["heal", "alert", "probe", "load", "outage", INSTALLED];

/// The part that is measured of the package, and not for a number of samples but of minutes.
pub const INSTALLED: &str = "installed";

/// Failures of one service: one more within a quarter of an hour would be flapping, of which receivers are notified
/// otherwise.
const FAILURES: usize = 5;

/// The agent, as a contestant.
pub const SENTINEL: &str = "Sentinel";

/// Monit, as a contestant.
pub const MONIT: &str = "monit, every 1 s";

/// Carries out `heal|alert|probe|load|outage SAMPLES` or `installed MINUTES`, or serves as `target PORT`.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [role, number] = arguments else {
        bail!("usage: inside PART NUMBER");
    };
    let count = || number.parse().context("what follows the part is a number");
    match role.as_str() {
        "heal" => heal::measure(count()?),
        "alert" => alert::measure(count()?),
        "probe" => probe::measure(count()?),
        "load" => load::measure(),
        "outage" => outage::measure(),
        INSTALLED => installed::measure(count()?),
        "target" => target::serve(number.parse().context("a port is a number")?),
        other => bail!("there is no part `{other}`"),
    }
}
