//! `sentinel discover` on a real host: what it proposes is taken as it is, and acts on nothing.

use serde_json::Value;

use crate::harness::Lab;

const WEB: &str = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080";

fn discovered(lab: &Lab, options: &str) -> Value {
    serde_json::from_str(&lab.host.sh(&format!("sentinel discover --json {options} 2>/dev/null"))).expect("it is JSON")
}

fn service<'a>(found: &'a Value, name: &str) -> Option<&'a Value> {
    let services = found["services"].as_array().expect("a list");
    services.iter().find(|service| service["name"] == name)
}

#[test]
fn what_runs_is_proposed_and_the_proposal_is_a_right_configuration() {
    let lab = Lab::new(
        &[
            ("web", WEB),
            ("worker", "ExecStart=/bin/sleep infinity\nRestart=on-failure"),
            ("known", "ExecStart=/bin/sleep infinity"),
            ("batch", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true"),
        ],
        "[services.known]\nunit = \"known\"\n",
    );
    lab.host.sh("systemd-run --unit passing sleep infinity");
    lab.wait("the web service listens", || {
        lab.host.try_sh("curl -s http://127.0.0.1:8080/health").status.success()
    });

    let found = discovered(&lab, "");
    for left_out in ["batch", "known", "passing", "sentinel", "dbus", "systemd-journald"] {
        assert!(service(&found, left_out).is_none(), "{left_out} {found:#}");
    }
    let web = service(&found, "web").expect("it is proposed");
    assert_eq!(
        (&web["ports"][0], &web["http"]),
        (&Value::from("127.0.0.1:8080"), &Value::Null)
    );
    let worker = service(&found, "worker").expect("it is proposed");
    assert!(worker["notes"].to_string().contains("Restart=on-failure"), "{worker}");
    assert_eq!(found["configured"][0]["service"], "known", "{found:#}");
    // This host has no Docker, and the answer says so.
    assert!(
        found["notes"].to_string().contains("containers could not be seen"),
        "{found:#}"
    );
    let probed = discovered(&lab, "--probe");
    let page = &service(&probed, "web").expect("it is proposed")["http"];
    assert_eq!(page, "http://127.0.0.1:8080/health");

    let starts = lab.starts("worker");
    lab.host.sh(
        "mkdir -p /etc/sentinel/conf.d && sentinel discover --probe >/etc/sentinel/conf.d/found.toml && sentinel check",
    );
    lab.host.sh("sentinel reload");
    lab.await_state("web", "healthy");
    lab.await_state("worker", "healthy");
    assert_eq!(lab.status("worker")["mode"], "observe", "{}", lab.status("worker"));
    assert_eq!(lab.starts("worker"), starts);
    let again = discovered(&lab, "");
    assert!(
        service(&again, "web").is_none() && service(&again, "worker").is_none(),
        "{again:#}"
    );
}

#[test]
fn what_only_root_can_see_is_reported_to_others() {
    let lab = Lab::new(&[("web", WEB)], "[services.other]\ntcp = \"127.0.0.1:1\"\n");
    lab.host
        .sh("chmod 0755 /etc/sentinel && chmod 0644 /etc/sentinel/sentinel.toml");
    lab.wait("the web service listens", || {
        lab.host.try_sh("curl -s http://127.0.0.1:8080/health").status.success()
    });
    let text = lab
        .host
        .sh("setpriv --reuid nobody --regid nogroup --clear-groups sentinel discover 2>/dev/null");
    assert!(text.contains("[services.web]"), "{text}");
    assert!(text.contains("could not be seen in full; that takes root"), "{text}");
    assert!(!text.contains("tcp = \"127.0.0.1:8080\""), "{text}");
}
