//! The agent's own health, as a container's health check asks for it.

use rustix::process::Signal;

use super::agent::{Place, signal};

#[test]
fn agent_is_healthy_while_its_loop_runs() {
    let mut place = Place::new();
    place.configure(&place.service("shop", ""));
    let ask = |place: &Place| {
        let output = place.ask(&["health", "--timeout", "5s"]);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, _, why) = ask(&place);
    assert_eq!(code, Some(1));
    assert!(why.contains("no agent is listening"), "{why}");

    place.start();
    assert_eq!(
        ask(&place),
        (Some(0), "healthy: 1 service watched\n".to_owned(), String::new())
    );
    // The service never ran and does not now, which is no fault of the agent.
    place.wait_for_state("shop", "stopped");

    signal(place.agent_pid(), Signal::STOP);
    let output = place.ask(&["health", "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(1));
    signal(place.agent_pid(), Signal::CONT);
    assert_eq!(ask(&place).0, Some(0));
}
