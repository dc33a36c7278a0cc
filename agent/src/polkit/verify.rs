//! The agent's own look at what it may do: it asks, and cannot change the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::process::geteuid;
use sentinel_systemd::{BusAddress, denied, denied_triggers};
use sentinel_text::chain;
use tokio::time::{Instant, sleep, timeout};

/// polkit reads a rule again when it hears that the file has changed, up to two seconds later. The rule is written right before
/// the agent starts or reloads, so a denial means something only after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two questions meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Units named in the log. A rule that is missing altogether is reported by the first.
const NAMED_MAX: usize = 16;

/// How long the answer to a reload waits for polkit. `systemctl reload` has had root write the rule right before, so that it is
/// read already, or soon will be.
const REPLY_WITHIN: Duration = Duration::from_secs(3);

/// Says that polkit's rule does not allow what a reload has made of these `units`, as it is root's to renew.
pub async fn not_renewed(units: BTreeSet<String>) -> Option<String> {
    if geteuid().is_root() || units.is_empty() {
        return None;
    }
    let asked = async {
        let denied = denied(&BusAddress::System, &units).await.ok()?;
        if denied.is_empty() {
            return Some(denied);
        }
        sleep(ASK_AGAIN).await;
        sentinel_systemd::denied(&BusAddress::System, &units).await.ok()
    };
    // Without an answer nothing is known, and `verify` goes on asking.
    let denied = timeout(REPLY_WITHIN, asked).await.ok()??;
    let (first, others) = denied.keys().next().map(|first| (first, denied.len() - 1))?;
    let more = match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Some(format!(
        "polkit's rule was not renewed: `{first}`{more} may not be restarted; `sudo systemctl reload sentinel` renews the rule \
         and reloads"
    ))
}

/// Warns of each unit that this process may not restart, so that a denied restart surprises nobody. Root may everything.
pub async fn verify(units: BTreeSet<String>) {
    if geteuid().is_root() || units.is_empty() {
        return;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = denied(&BusAddress::System, &units).await;
        let triggers = denied_triggers(&BusAddress::System, &units).await;
        if asked.as_ref().is_ok_and(BTreeMap::is_empty) && triggers.as_ref().is_ok_and(BTreeMap::is_empty) {
            return;
        }
        if Instant::now() < until {
            sleep(ASK_AGAIN).await;
            continue;
        }
        let triggers = triggers.unwrap_or_default();
        for (trigger, (unit, reason)) in triggers.iter().take(NAMED_MAX) {
            tracing::warn!(
                event = "not_permitted",
                unit,
                trigger,
                reason,
                denied = triggers.len(),
                "what triggers this unit may not be started when it has failed; `systemctl reload sentinel` writes polkit's rule again"
            );
        }
        match asked {
            Ok(denied) => {
                for (unit, reason) in denied.iter().take(NAMED_MAX) {
                    tracing::warn!(
                        event = "not_permitted",
                        unit,
                        reason,
                        denied = denied.len(),
                        "this unit may not be restarted; `systemctl reload sentinel`, or `sentinel polkit-rules --install` as root, \
                         writes polkit's rule again, and `sentinel doctor` says what else is in the way"
                    );
                }
            }
            // That there is no bus is reported by who watches the units.
            Err(error) => tracing::debug!(error = chain(&error), "failed to ask which units may be restarted"),
        }
        return;
    }
}
