//! What another policy would have made of incidents that happened.

use std::fs;

use jiff::Timestamp;
use serde_json::Value;

use super::agent::{Hook, Place, wait};

/// An agent that healed `shop` twice and told it.
fn healed_twice(hook: &Hook) -> Place {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&(place.service("shop", "") + &hook.receiver("team")));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill_and_see_healed("shop");
    hook.wait_for(&["shop healed"]);
    // A replay's restarts take 50 ms; nearer to each other, the two would be one incident there.
    wait("a second of health", || {
        let since: Timestamp = place.status("shop")["since"].as_str()?.parse().ok()?;
        (sentinel_base::clock::wall().duration_since(since).as_secs() >= 1).then_some(())
    });
    place.kill_and_see_healed("shop");
    hook.wait_for(&["shop healed", "shop healed"]);
    place
}

fn replay(place: &Place, arguments: &[&str]) -> Value {
    let output = place.ask(&[&["replay", "--json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn figures(value: &Value) -> [u64; 4] {
    ["incidents", "restarts", "messages", "pages"].map(|key| value[key].as_u64().unwrap())
}

#[test]
fn the_same_policy_does_the_same_again_and_another_does_not() {
    let hook = Hook::start();
    let place = healed_twice(&hook);

    let same = replay(&place, &["2"]);
    assert_eq!(same["incidents"], serde_json::json!([1, 2]), "the other one is near");
    assert_eq!(figures(&same["then"]), [2, 2, 2, 0]);
    assert_eq!(figures(&same["replayed"]), [2, 2, 2, 0]);
    let alone = replay(&place, &["2", "--around", "0s"]);
    assert_eq!(alone["incidents"], serde_json::json!([2]));

    let observing = place.path("observing.toml");
    let text = fs::read_to_string(place.path("sentinel.toml")).unwrap() + "[defaults]\nmode = \"observe\"\n";
    fs::write(&observing, text).unwrap();
    let other = replay(&place, &["2", "--policy", observing.to_str().unwrap()]);
    assert_eq!(
        figures(&other["replayed"]),
        [1, 0, 1, 1],
        "it stays down, and somebody is told"
    );

    let output = place.ask(&["replay", "2", "--policy", observing.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("would have paged 1 time, not 0\n"), "{text}");
}

#[test]
fn what_is_printed_can_be_changed_and_played() {
    let hook = Hook::start();
    let place = healed_twice(&hook);
    let output = place.ask(&["replay", "1", "--around", "0s", "--print"]);
    let scenario = place.path("past.toml");
    fs::write(&scenario, &output.stdout).unwrap();
    let output = place.ask(&["simulate", scenario.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("shop  kill "), "{text}");
    assert!(text.contains("1 restart, 1 message"), "{text}");
}

#[test]
fn what_never_was_cannot_be_played() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    let output = place.ask(&["replay", "7"]);
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains('7'), "{why}");
    place.kill_agent();
    assert_eq!(place.ask(&["replay", "7"]).status.code(), Some(3));
}
