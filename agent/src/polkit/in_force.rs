//! Whether polkit has read the rule: a file is only a file until then.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zbus::{Connection, Variant};

use super::rule::{USER, VERBS};

/// polkit hears of a changed file at once, and reads it within two seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What systemd asks polkit about.
const ACTION: &str = "org.freedesktop.systemd1.manage-units";

/// Why a rule that is in place has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// polkit goes by another.
    #[error("polkit does not go by it after {}s; `journalctl -u polkit` may say why", PATIENCE.as_secs())]
    Ignored,
    /// polkit runs and says nothing.
    #[error("polkit does not answer")]
    Unanswered,
}

/// Waits until polkit answers about these units, each with whether it is granted, as the new rule does. Only root may ask it
/// about another party. Where nobody can be asked (no bus, no polkit, no such user) there is nothing to wait for.
pub async fn await_in_force(expected: &[(&str, bool)]) -> Result<(), NotInForce> {
    let Some((uid, start_time)) = subject().filter(|_| !expected.is_empty()) else {
        return Ok(());
    };
    let until = Instant::now() + PATIENCE;
    let asking = async {
        let bus = Connection::system().await.ok()?;
        loop {
            let mut as_expected = true;
            for (unit, granted) in expected {
                as_expected &= is_granted(&bus, uid, start_time, unit).await.ok()? == *granted;
            }
            if as_expected || Instant::now() >= until {
                return Some(as_expected);
            }
            sleep(ASK_AGAIN).await;
        }
    };
    match timeout(PATIENCE * 2, asking).await {
        Ok(Some(false)) => Err(NotInForce::Ignored),
        Ok(None | Some(true)) => Ok(()),
        Err(_elapsed) => Err(NotInForce::Unanswered),
    }
}

async fn is_granted(bus: &Connection, uid: i32, start_time: u64, unit: &str) -> zbus::Result<bool> {
    // This process stands for one of that user's: root is believed about whose it is.
    let process = HashMap::from([
        ("pid", Variant::from(std::process::id())),
        ("start-time", Variant::from(start_time)),
        ("uid", Variant::from(uid)),
    ]);
    let details = HashMap::from([("unit", unit), ("verb", VERBS[0])]);
    let question = (("unix-process", process), ACTION, details, 0_u32, "");
    let answer = bus
        .call_method(
            Some("org.freedesktop.PolicyKit1"),
            "/org/freedesktop/PolicyKit1/Authority",
            Some("org.freedesktop.PolicyKit1.Authority"),
            "CheckAuthorization",
            &question,
        )
        .await?;
    let ((granted, _, _),): ((bool, bool, HashMap<String, String>),) = answer.body().deserialize()?;
    Ok(granted)
}

/// The agent's user, and when this process began.
fn subject() -> Option<(i32, u64)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let row = passwd
        .lines()
        .find_map(|row| row.strip_prefix(USER)?.strip_prefix(':'))?;
    let uid = row.split(':').nth(1)?.parse().ok()?;
    // `proc_pid_stat(5)`: the 22nd field; the second is a name in parentheses that may hold anything.
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let start_time = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some((uid, start_time))
}
