//! `sentinel check` on a real host: what a configuration names and the host has not, and who may read it.

use serde_json::Value;

use crate::harness::Lab;

#[test]
fn what_the_host_has_not_is_warned_of_and_the_rest_is_not() {
    let lab = Lab::new(
        &[("shop", "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080")],
        "[services.shop]\nunit = \"shop\"\nhttp = \"http://127.0.0.1:8080/health\"\n",
    );
    lab.await_state("shop", "healthy");
    let fine: Value = serde_json::from_str(&lab.host.sh("sentinel check --json")).expect("it is JSON");
    assert_eq!(fine["notes"], serde_json::json!([]), "{fine:#}");
    assert!(!fine["warnings"].to_string().contains("services.shop"), "{fine:#}");

    lab.host
        .sh("systemctl mask quux.service && mkdir -p /etc/sentinel/conf.d && echo x >/etc/sentinel/conf.d/b.conf");
    lab.host.write(
        "/etc/sentinel/conf.d/a.toml",
        b"[services.slip]\nunit = \"shopp\"\nhttp = \"http://localhost:8081/\"\n[services.quux]\nunit = \"quux\"\n\
          [services.cluster]\nunit = \"cluster\"\n",
    );
    // As PostgreSQL of Debian has it.
    let path = "/etc/systemd/system/cluster.service";
    lab.host.write(
        path,
        b"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Unit]\nWants=cluster@main.service\n",
    );
    let path = "/etc/systemd/system/cluster@.service";
    lab.host.write(
        path,
        b"[Unit]\nPartOf=cluster.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    );
    lab.host.sh("systemctl daemon-reload && systemctl start cluster");
    let text = lab.host.sh("sentinel check");
    for line in [
        "warning: /etc/sentinel/conf.d/b.conf: is not read: in this directory only files are whose names end in `.toml`",
        "warning: this host: services.slip.unit: this host has no unit `shopp.service`; did you mean `shop.service`?",
        "warning: this host: services.quux.unit: `quux.service` is masked; `systemctl unmask quux.service` changes that",
        "warning: this host: services.cluster.unit: `cluster.service` runs nothing itself, so it stays up when its instances \
         fail; watch these, each as a service of its own: unit = \"cluster@main.service\"",
        "note: this host: services.slip.http: nothing listens on port 8081 of localhost now, so this probe would fail",
    ] {
        assert!(text.lines().any(|said| said == line), "{line}\n{text}");
    }
}

#[test]
fn who_may_not_read_the_configuration_is_not_reported_that_it_is_wrong() {
    let lab = Lab::new(&[], "[services.other]\ntcp = \"127.0.0.1:1\"\n");
    for (locked, line) in [
        ("/etc/sentinel/sentinel.toml", "cannot be read: permission denied"),
        ("/etc/sentinel/conf.d", "cannot be listed: permission denied"),
    ] {
        lab.host
            .sh("mkdir -p /etc/sentinel/conf.d && chmod 0755 /etc/sentinel /etc/sentinel/conf.d");
        lab.host
            .sh(&format!("chmod 0644 /etc/sentinel/sentinel.toml && chmod go= {locked}"));
        let checked = lab
            .host
            .try_sh("setpriv --reuid nobody --regid nogroup --clear-groups sentinel check");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.code(), Some(1), "{said}");
        assert!(said.contains(line), "{said}");
        assert!(
            said.trim_end()
                .ends_with("not checked: this user may not read the configuration; `sudo sentinel check` can"),
            "{said}"
        );
        assert!(!said.contains("1 error"), "{said}");
    }
}
