//! Removing keeps what is the operator's; purging leaves nothing.

use crate::built::OLD;
use crate::harness::Lab;

/// Every file of the host with its content, but for the records of dpkg and apt themselves, logs, the caches of `man`, and
/// the copies that account tools keep of what they changed.
const FILES: &str = "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/lib/dpkg \
                     -o -path /var/lib/apt -o -path /var/log -o -path /var/cache -o -path /etc/passwd- -o -path /etc/group- \
                     -o -path /etc/shadow- -o -path /etc/gshadow- \\) -prune -o \\( -type f -exec sha256sum {} + \\) \
                     -o -print | LC_ALL=C sort";

#[test]
fn purging_leaves_nothing_and_removing_all_that_is_ones_own() {
    let lab = Lab::new();
    let host = &lab.host;
    let before = host.sh(FILES);
    lab.install(OLD);
    lab.await_active();
    host.sh("test -s /etc/polkit-1/rules.d/60-sentinel.rules");
    // What operators do.
    host.write("/etc/sentinel/conf.d/10-mine.toml", b"[defaults]\nfall = 2\n");
    host.write("/etc/sentinel/secrets/slack", b"https://example.com\n");
    host.sh("usermod --append --groups sentinel games");

    host.sh("apt-get remove -y sentinel");
    assert!(!host.try_sh("pidof sentinel").status.success(), "the agent has ended");
    host.sh("test ! -e /etc/polkit-1/rules.d/60-sentinel.rules");
    host.sh("test -s /var/lib/sentinel/sentinel.db && test -s /etc/sentinel/sentinel.toml");

    let id = "sqlite3 /var/lib/sentinel/sentinel.db 'SELECT hex(installation) FROM state'";
    let installation = host.sh(id);
    lab.install(OLD);
    lab.await_active();
    assert_eq!(host.sh(id), installation, "it remembers what it was");
    host.sh("test -s /etc/sentinel/conf.d/10-mine.toml && sentinel check");

    host.sh("apt-get purge -y sentinel");
    let after = host.sh(FILES);
    let lines = |text: &str| {
        text.lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (before, after) = (lines(&before), lines(&after));
    let left: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert!(
        !host
            .try_sh("getent passwd sentinel || getent group sentinel || getent group sentinel-secrets")
            .status
            .success()
    );

    lab.install(OLD);
    lab.await_active();
    assert_ne!(host.sh(id), installation, "it begins afresh");
}

#[test]
fn a_user_who_was_there_before_stays() {
    let lab = Lab::new();
    let host = &lab.host;
    host.sh("useradd --system --home-dir /home/guard --gid nogroup sentinel");
    let before = host.sh("getent passwd sentinel");
    let reported = lab.install(OLD);
    lab.await_active();
    assert!(!reported.contains("does not run"), "{reported}");
    host.sh("sentinel status && sentinel doctor");

    host.sh("apt-get purge -y sentinel");
    assert_eq!(host.sh("getent passwd sentinel"), before);
    assert!(
        !host
            .try_sh("getent group sentinel || getent group sentinel-secrets")
            .status
            .success(),
        "the groups were the package's"
    );
    host.sh("test ! -e /etc/sentinel && test ! -e /var/lib/sentinel");
}
