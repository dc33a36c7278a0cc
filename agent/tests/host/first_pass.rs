//! What a failed probe proves on a real host: a wrong question restarts nothing, and neither does what a restart cannot help.

use crate::harness::Lab;

const DEMO: &str = "ExecStart=/usr/bin/demo-service --listen 127.0.0.1:8080 --chaos";

/// The file that tests change while the agent runs; what it says wins over the lab's.
const CHANGES: &str = "/etc/sentinel/conf.d/test.toml";

#[test]
fn a_wrong_question_restarts_nothing_and_a_right_one_does() {
    let config = r#"
[alerts]
notify_after = "0s"
group_wait = "0s"
[services.demo]
unit = "demo"
http = "http://127.0.0.1:8080/no-such-page"
"#;
    let lab = Lab::new(&[("demo", DEMO)], config);
    lab.await_state("demo", "held");
    assert_eq!(lab.status("demo")["hold"]["kind"], "probe_never_passed");
    assert_eq!(lab.await_messages(1), ["fired"]);
    let (_, fired) = &lab.received()[0];
    assert_eq!(
        fired["data"]["summary"],
        "lab: demo: this probe has never passed since it was configured: status 404; is the probe configured correctly?"
    );
    // Another life of the agent knows no better.
    lab.host.sh("systemctl restart sentinel");
    lab.await_state("demo", "held");
    assert_eq!(lab.starts("demo"), 1);
    // What is dead is started all the same.
    lab.kill("demo");
    lab.await_log(&["service=demo", "event=unproven"]);
    assert_eq!(lab.starts("demo"), 2);

    let right = "[services.demo]\nhttp = \"http://127.0.0.1:8080/health\"\n";
    lab.host.write(CHANGES, right.as_bytes());
    lab.host.sh("systemctl reload sentinel");
    assert_eq!(lab.await_messages(2), ["fired", "resolved"]);
    lab.await_state("demo", "healthy");
    assert_eq!(lab.starts("demo"), 2);

    // From now on a failure says something, of a kind that a restart may help against.
    lab.host
        .sh("curl -sf -X POST 'http://127.0.0.1:8080/chaos/status?code=404'");
    lab.await_state("demo", "held");
    assert_eq!(lab.status("demo")["hold"]["kind"], "restart_on");
    assert_eq!(lab.await_messages(3)[2], "fired");
    let (_, fired) = &lab.received()[2];
    assert_eq!(fired["data"]["doing"], "not restarted: status-4xx is not in restart_on");
    assert_eq!(fired["data"]["failing"]["now"], "404", "{fired:#}");
    assert_eq!(fired["data"]["failing"]["before"], "200");
    assert_eq!(lab.starts("demo"), 2);
    lab.host.sh("curl -sf -X POST 'http://127.0.0.1:8080/chaos/hang'");
    lab.await_state("demo", "healthy");
    assert_eq!(lab.starts("demo"), 3);
}
