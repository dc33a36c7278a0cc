//! A receiver that is down for a while gets everything afterwards, in order.

use crate::lab::Lab;

#[test]
fn messages_wait_for_their_receiver_and_arrive_in_order() {
    let config = "[alerts]\nnotify_after = \"0s\"\n[services.a]\nunit = \"a\"\n[services.b]\nunit = \"b\"\n";
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
    lab.await_messages(4);
    let mut story: Vec<(u64, u64)> = Vec::new();
    for (_, body) in lab.received() {
        let data = &body["data"];
        story.push((
            data["incident"].as_u64().expect("a number"),
            data["sequence"].as_u64().expect("a number"),
        ));
    }
    for incident in [1, 2] {
        let order: Vec<_> = story
            .iter()
            .filter(|(id, _)| *id == incident)
            .map(|(_, sequence)| *sequence)
            .collect();
        assert_eq!(order, [1, 2], "{story:?}");
    }
    let messages = lab.incident(1)["messages"].clone();
    assert!(
        messages
            .as_array()
            .expect("a list")
            .iter()
            .all(|message| message["state"] == "delivered"),
        "{messages:#}"
    );
}
