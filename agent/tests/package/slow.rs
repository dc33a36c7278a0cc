//! Members of the control group who hold connections keep root from nothing.

use crate::built::OLD;
use crate::harness::Lab;

/// Forty connections that send a byte of a head now and then, until they are closed.
const SLOW: &str = r#"
use IO::Socket::UNIX;
$SIG{PIPE} = "IGNORE";
my @held = map { IO::Socket::UNIX->new(Peer => "/run/sentinel/control.sock") or die $! } 1..40;
$| = 1;
print "held\n";
while (1) { for (@held) { syswrite $_, "G" } select undef, undef, undef, 0.5 }
"#;

#[test]
fn slow_connections_of_a_member_do_not_keep_root_from_the_agent() {
    let lab = Lab::with(OLD);
    let host = &lab.host;
    lab.await_active();
    host.sh("useradd --groups sentinel alice");
    host.write("/var/tmp/slow.pl", SLOW.as_bytes());
    host.sh("systemd-run --unit slow --uid alice perl /var/tmp/slow.pl");
    lab.wait("all are connected", || {
        host.sh("journalctl --no-pager -o cat -u slow").contains("held")
    });
    for _ in 0..20 {
        host.sh("timeout 5 sentinel status");
    }
    // A member comes in, too, once those without a request were put out.
    lab.wait("a member is answered", || {
        host.try_sh("timeout 20 runuser -u alice -- sentinel status")
            .status
            .success()
    });
}
