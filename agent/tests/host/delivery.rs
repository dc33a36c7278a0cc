//! A receiver that is down for a while hears afterwards what happened, in order.

use crate::harness::Lab;

#[test]
fn what_came_and_went_while_the_receiver_was_down_is_reported_in_order() {
    let config = "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[services.a]\nunit = \"a\"\n[services.b]\nunit = \"b\"\n";
    let mut lab = Lab::new(
        &[
            ("a", "ExecStart=/bin/sleep infinity"),
            ("b", "ExecStart=/bin/sleep infinity"),
        ],
        config,
    );
    lab.await_state("a", "healthy");
    lab.await_state("b", "healthy");
    lab.stop_receiver();
    for unit in ["a", "b"] {
        lab.kill(unit);
        lab.await_log(&[&format!("service={unit}"), "event=incident_closed"]);
    }
    assert!(lab.received().is_empty());
    lab.start_receiver();
    // Both came and went while no receiver could be notified: each is one message, under the key of its end.
    lab.await_messages(2);
    let mut story: Vec<(u64, u64)> = Vec::new();
    for (_, body) in lab.received() {
        let data = &body["data"];
        assert_eq!(data["kind"], "healed");
        story.push((
            data["incident"].as_u64().expect("a number"),
            data["sequence"].as_u64().expect("a number"),
        ));
    }
    assert_eq!(story, [(1, 2), (2, 2)]);
    let messages = lab.incident(1)["messages"].clone();
    let states: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| message["state"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(states, ["superseded", "delivered"], "{messages:#}");
}
