//! A command during which a service is left alone.

use std::process::{Child, Output};

use rustix::process::Signal;

use super::agent::{Place, signal, wait};

/// An agent that watches `shop`.
fn watched() -> Place {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    place.wait_for_state("shop", "healthy");
    place
}

/// Deploys `shop` by a shell script; `$D` in it is the place's directory.
fn deploy(place: &Place, options: &[&str], script: &str) -> Child {
    let directory = place.path("");
    let script = script.replace("$D/", directory.to_str().unwrap());
    let mut arguments = vec!["deploy", "shop"];
    arguments.extend(options);
    arguments.extend(["--", "/bin/sh", "-c", &script]);
    let mut command = place.command(&arguments);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

fn finish(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn maintenance(place: &Place) -> usize {
    place.status("shop")["maintenance"].as_array().unwrap().len()
}

/// Waits for the test, and for no longer than its directory exists.
const WAIT_FOR_GO: &str = "until [ -e $D/go ] || [ ! -d $D ]; do sleep 0.02; done; ";

#[test]
fn service_may_be_down_while_the_command_runs() {
    let place = watched();
    let deploy = deploy(&place, &[], &format!("{WAIT_FOR_GO} echo done; exit 7"));
    place.wait_for_state("shop", "maintenance");
    place.kill("shop");
    place.line_after(0, &["service=shop", "event=operator", "deploy, for at most 15m"]);
    wait("the agent has seen it die", || {
        let target = place.status("shop")["target"].clone();
        target.as_str().unwrap().contains("down").then_some(())
    });
    assert_eq!(place.status("shop")["incident"], serde_json::Value::Null);
    std::fs::write(place.path("go"), "").unwrap();
    let output = finish(deploy);
    assert_eq!(output.status.code(), Some(7), "the command's own code");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    // Left down by the deploy: now it is an outage like any other.
    place.line_after(0, &["service=shop", "event=verified"]);
    assert_eq!(maintenance(&place), 0);
}

#[test]
fn pause_of_an_operator_stays() {
    let place = watched();
    assert!(place.ask(&["pause", "shop"]).status.success());
    assert!(finish(deploy(&place, &[], "true")).status.success());
    assert_eq!(place.status("shop")["state"], "maintenance");
    assert_eq!(maintenance(&place), 1);
    assert!(place.ask(&["resume", "shop"]).status.success());
    place.wait_for_state("shop", "healthy");
}

#[test]
fn signal_reaches_the_command_and_the_end_is_reported_all_the_same() {
    for (number, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT")] {
        let place = watched();
        let script = format!("trap 'echo {name}; exit 9' {name}; : >$D/up; while :; do sleep 0.02; done");
        let deploy = deploy(&place, &[], &script);
        wait("the command runs", || place.path("up").exists().then_some(()));
        signal(deploy.id(), number);
        let output = finish(deploy);
        assert_eq!(output.status.code(), Some(9), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}\n"));
        assert_eq!(maintenance(&place), 0);
    }
}

#[test]
fn command_that_dies_by_a_signal_or_cannot_be_run_has_the_shells_code() {
    let place = watched();
    assert_eq!(finish(deploy(&place, &[], "kill -9 $$")).status.code(), Some(137));
    let missing = place.ask(&["deploy", "shop", "--", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(127));
    let directory = place.ask(&["deploy", "shop", "--", "/"]);
    assert_eq!(directory.status.code(), Some(126));
    assert_eq!(maintenance(&place), 0);
}

#[test]
fn wrapper_that_dies_is_waited_for_no_longer_than_it_said() {
    let place = watched();
    let mut deploy = deploy(&place, &["--for", "1s"], WAIT_FOR_GO);
    place.wait_for_state("shop", "maintenance");
    deploy.kill().unwrap();
    deploy.wait().unwrap();
    place.kill("shop");
    place.line_after(0, &["service=shop", "event=operator", "did not end in time"]);
    place.line_after(0, &["service=shop", "event=verified"]);
    std::fs::write(place.path("go"), "").unwrap();
}

#[test]
fn nothing_is_run_without_the_agent_unless_asked_to() {
    let mut place = watched();
    let unknown = place.ask(&["deploy", "nope", "--anyway", "--", "/bin/sh", "-c", "echo ran"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&unknown.stdout), "");
    place.kill_agent();
    let refused = finish(deploy(&place, &[], "echo ran"));
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&refused.stdout), "");
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        words.contains("no agent is listening") && words.contains("nothing was run"),
        "{words}"
    );
    let anyway = finish(deploy(&place, &["--anyway"], "echo ran; exit 4"));
    assert_eq!(anyway.status.code(), Some(4));
    assert_eq!(String::from_utf8_lossy(&anyway.stdout), "ran\n");
}

#[test]
fn agent_that_is_restarted_by_the_deploy_remembers_it_and_hears_its_end() {
    let mut place = watched();
    let deploy = deploy(&place, &[], WAIT_FOR_GO);
    place.wait_for_state("shop", "maintenance");
    place.kill_agent();
    place.start();
    place.wait_for_state("shop", "maintenance");
    std::fs::write(place.path("go"), "").unwrap();
    assert!(finish(deploy).status.success());
    place.wait_for_state("shop", "healthy");
}
