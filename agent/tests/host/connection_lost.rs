//! systemd reloads, re-executes itself, and the bus goes away: the connection is lost and comes back, and nothing is made up.

use std::time::Duration;

use crate::harness::Lab;
use crate::host::wait_until;

/// How soon everything must be observed again.
const OBSERVED_AGAIN: Duration = Duration::from_secs(5);

#[test]
fn reload_reexec_and_a_new_bus_open_no_incident() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/bin/sleep infinity")],
        "[services.shop]\nunit = \"shop\"\n",
    );
    for (nth, disturbance) in [
        "systemctl daemon-reload",
        "systemctl daemon-reexec",
        "systemctl restart dbus",
        "kill -9 $(pidof dbus-daemon)",
    ]
    .into_iter()
    .enumerate()
    {
        lab.await_state("shop", "healthy");
        assert_eq!(lab.incidents().len(), nth, "{disturbance}");
        lab.host.sh(disturbance);
        wait_until("it is observed again", OBSERVED_AGAIN, || {
            lab.state("shop") == "healthy"
        });
        // What dies now is seen.
        lab.kill("shop");
        assert_eq!(lab.await_messages(nth + 1).last().map(String::as_str), Some("healed"));
        assert_eq!(lab.incidents()[nth]["cause"], "killed by signal KILL", "{disturbance}");
    }
}

#[test]
fn a_storm_of_reloads_hides_no_death() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/bin/sleep infinity")],
        "[services.shop]\nunit = \"shop\"\n",
    );
    lab.await_state("shop", "healthy");
    // As a tool of configuration management does it that reloads after every file, without an end of its own.
    lab.host.sh(
        "setsid sh -c 'until [ -e /var/tmp/enough ]; do systemctl daemon-reload; echo >>/var/tmp/reloads; done' \
         >/dev/null 2>&1 </dev/null &",
    );
    let reloads = || {
        lab.host
            .sh("wc -l </var/tmp/reloads || true")
            .trim()
            .parse()
            .unwrap_or(0)
    };
    lab.wait("it has begun", || reloads() >= 3);
    lab.kill("shop");
    assert_eq!(lab.await_messages(1), ["healed"]);
    assert_eq!(lab.starts("shop"), 2);
    let seen = reloads();
    lab.wait("and it still goes on", || reloads() > seen);
    lab.host.sh("touch /var/tmp/enough");
}
