//! What a container wrote before it failed becomes part of its incident.

use serde_json::Value;

use crate::agent::{Place, wait};
use crate::engine::{Names, must};

fn evidence(place: &Place) -> Vec<Value> {
    let output = place.ask(&["incidents", "1", "--json"]);
    let incident: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let pieces = incident["evidence"].as_array().cloned().unwrap_or_default();
    // How the host was is another matter, and changes from run to run.
    pieces
        .into_iter()
        .filter(|piece| piece["title"] == "its last log lines")
        .collect()
}

/// Runs a container that says something, kills it, and answers what is known of it once it was started again.
fn last_said(options: &str) -> Value {
    let names = Names::new();
    let container = names.of("talker");
    must(
        &container,
        &format!(
            "docker run -d --stop-timeout 1 {options} --name $C $I \
             sh -c 'printf \"\\033[32mup\\033[0m\\n\"; echo token=abc >&2; exec sleep 1000'"
        ),
    );
    let mut place = Place::new();
    place.configure(&format!(
        "[services.shop]\ncontainer = \"{container}\"\nlog_lines = 5\n\
         recovery = {{ min_uptime = \"50ms\", verify = \"20s\", backoff = \"1ms\" }}\n"
    ));
    place.start();
    place.wait_for_state("shop", "healthy");
    // Its process may be slow to say anything. Some drivers cannot tell what it said.
    must(
        &container,
        "case $(docker inspect $C -f '{{.HostConfig.LogConfig.Type}}') in none) ;; \
         *) until docker logs $C 2>&1 | grep -q token && docker logs $C 2>&1 | grep -q up; do :; done ;; esac",
    );
    must(&container, "kill -9 $(docker inspect $C -f '{{.State.Pid}}')");
    place.line_after(0, &["service=shop", "event=verified"]);
    wait("evidence", || evidence(&place).into_iter().next())
}

#[test]
fn what_the_run_that_failed_last_said_is_kept() {
    // By then the next run has said the same; that is not of this incident.
    let piece = last_said("");
    let mut lines: Vec<&str> = piece["text"].as_str().unwrap().lines().collect();
    // Two streams of one process may overtake one another.
    lines.sort_unstable();
    assert_eq!(lines, ["token=[redacted]", "up"], "{piece:#}");
}

#[test]
fn a_terminal_is_read_as_well() {
    let piece = last_said("--tty");
    assert_eq!(piece["text"], "up\ntoken=[redacted]", "{piece:#}");
}

#[test]
fn a_log_that_cannot_be_read_says_so() {
    let piece = last_said("--log-driver none");
    assert_eq!(piece["missing"], true, "{piece:#}");
    assert!(piece["text"].as_str().unwrap().contains("logging driver"), "{piece:#}");
}
