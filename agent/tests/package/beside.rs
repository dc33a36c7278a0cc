//! A package that ships, beside its unit, how that is to be watched.

use crate::built::OLD;
use crate::harness::{Lab, said};

/// Makes a package of one unit, whose section asks to have it healed, as any packager would.
const MAKE: &str = "mkdir -p /var/tmp/beside/DEBIAN /var/tmp/beside/lib/systemd/system
cat >/var/tmp/beside/DEBIAN/control <<'END'
Package: beside
Version: 1
Architecture: all
Maintainer: Somebody <somebody@example.com>
Description: service that says how it is to be watched
END
cat >/var/tmp/beside/DEBIAN/postinst <<'END'
#!/bin/sh
systemctl daemon-reload && systemctl start beside
END
cp /var/tmp/beside/DEBIAN/postinst /var/tmp/beside/DEBIAN/prerm
sed -i 's/.*systemctl start/systemctl stop/' /var/tmp/beside/DEBIAN/prerm
chmod 0755 /var/tmp/beside/DEBIAN/*
cat >/var/tmp/beside/lib/systemd/system/beside.service <<'END'
[Service]
ExecStart=/bin/sleep infinity
[X-Sentinel]
fall=1
END
dpkg-deb --root-owner-group --build /var/tmp/beside /var/tmp/beside.deb";

#[test]
fn a_package_with_a_health_check_is_healed_once_it_is_installed() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    host.sh(MAKE);
    let run = lab.property("InvocationID");
    let pid = lab.property("MainPID");
    let may_restart = || {
        let asked = host.try_sh(&format!(
            "pkcheck --action-id org.freedesktop.systemd1.manage-units --process {pid} \
             --detail unit beside.service --detail verb try-restart"
        ));
        asked.status.success()
    };
    assert!(!may_restart());
    // Nobody tells the agent to reload.
    println!("{}", host.sh("apt-get install -y /var/tmp/beside.deb 2>&1"));
    lab.await_state("beside", "healthy");
    assert!(may_restart(), "apt is done only when polkit goes by the new rule");
    host.sh("systemctl kill --signal KILL beside");
    lab.wait("the incident is over", || {
        let incidents = lab.incidents();
        let of_it = |incident: &&serde_json::Value| incident["service"] == "beside";
        let newest = incidents.iter().find(of_it);
        newest.is_some_and(|incident| incident["resolution"] == "healed")
    });

    host.sh("apt-get remove -y beside");
    assert!(!may_restart(), "what is gone may not be restarted");
    assert_eq!(
        lab.property("InvocationID"),
        run,
        "the agent was not restarted for that"
    );

    // A wrong configuration keeps nothing from being installed.
    host.write(
        "/etc/sentinel/conf.d/wrong.toml",
        b"[services.wrong]\nunits = \"wrong\"\n",
    );
    let said = host.sh("apt-get install -y /var/tmp/beside.deb 2>&1");
    assert!(said.contains("unknown key"), "{said}");
    assert_eq!(host.sh("dpkg-query -f '${Status}' -W beside"), "install ok installed");
    assert!(!may_restart());
    lab.await_state("shop", "healthy");
}

#[test]
fn a_section_made_by_hand_is_watched_at_once_and_its_right_asked_for() {
    let lab = Lab::watching(OLD);
    let host = &lab.host;
    host.write(
        "/etc/systemd/system/late.service",
        b"[Service]\nExecStart=/bin/sleep infinity\n",
    );
    host.sh("systemctl daemon-reload && systemctl start late");
    // As `systemctl edit late` does.
    host.write(
        "/etc/systemd/system/late.service.d/override.conf",
        b"[X-Sentinel]\nfall=1\n",
    );
    host.sh("systemctl daemon-reload");
    lab.await_state("late", "healthy");
    let warned = || host.sh("journalctl --no-pager -o cat -u sentinel SENTINEL_EVENT=not_permitted");
    lab.wait("the agent says what it may not restart", || {
        warned().contains("unit=late.service")
    });
    assert!(warned().contains("`systemctl reload sentinel`"), "{}", warned());
    let doctor = said(&host.try_sh("sentinel doctor"));
    assert!(
        doctor.contains("lacks `late.service`") && doctor.contains("`late.service` may not be restarted"),
        "{doctor}"
    );

    // It does what it is asked to.
    host.sh("systemctl reload sentinel && sentinel doctor");
    host.sh("systemctl kill --signal KILL late");
    lab.wait("the incident is over", || {
        lab.incidents()
            .first()
            .is_some_and(|incident| incident["resolution"] == "healed")
    });

    // While the bus is away nobody knows of sections; what they were granted stays.
    host.sh("systemctl stop sentinel && systemctl stop dbus.socket dbus.service");
    let refused = host.try_sh("sentinel polkit-rules --install");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("no rule was made"), "{}", said(&refused));
    host.sh("grep '\"late.service\"' /etc/polkit-1/rules.d/60-sentinel.rules");
}
