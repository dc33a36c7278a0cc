//! A full disk: what cannot be recorded is not done, and is done once it can be.

use crate::harness::Lab;

#[test]
fn nothing_is_restarted_while_the_disk_is_full_and_nothing_is_lost() {
    let config = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.shop]\nunit = \"shop\"\n";
    let lab = Lab::new(&[("shop", "ExecStart=/bin/sleep infinity")], config);
    lab.host.sh("systemctl stop sentinel && mount -t tmpfs -o size=1m,mode=700 tmpfs /var/lib/sentinel && systemctl start sentinel");
    lab.await_state("shop", "healthy");
    lab.host
        .sh("dd if=/dev/zero of=/var/lib/sentinel/ballast bs=4k 2>/dev/null || true");
    lab.kill("shop");
    lab.await_log(&["event=store_failed"]);
    lab.await_log(&["service=shop", "event=held", "reason_kind=store"]);
    assert_eq!(lab.state("shop"), "held");
    assert_eq!(lab.starts("shop"), 1);
    lab.wait("systemctl status tells it", || {
        lab.status_text().starts_with("degraded: the store cannot be written")
    });
    // Operators hear of it from memory.
    assert_eq!(lab.await_messages(1), ["store_failed"]);
    lab.host.sh("rm /var/lib/sentinel/ballast");
    lab.await_state("shop", "healthy");
    let mut messages = lab.await_messages(4);
    messages.retain(|kind| !kind.starts_with("store_"));
    assert_eq!(messages, ["fired", "resolved"]);
    assert_eq!(lab.starts("shop"), 2);
    assert_eq!(lab.incidents().len(), 1);
}
