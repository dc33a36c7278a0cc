//! Windows of the calendar.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::agent::Place;

/// `[maintenance.work]` for `shop`, open for an hour already and for a few seconds more.
fn nearly_over(seconds: i64) -> String {
    let clock = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string();
    let now = sentinel_base::clock::wall();
    format!(
        "[maintenance.work]\nservices = [\"sh*\"]\nzone = \"UTC\"\nreason = \"new disks\"\nstart = \"{}\"\nend = \"{}\"\n",
        clock(now - 1.hour()),
        clock(now + seconds.seconds())
    )
}

#[test]
fn service_is_left_alone_until_its_window_ends() {
    let mut place = Place::new();
    place.begin("shop");
    place.begin("mail");
    let services = place.service("shop", "") + &place.service("mail", "");
    place.configure(&(services + &nearly_over(4)));
    place.start();
    place.wait_for_state("shop", "maintenance");
    place.line_after(
        0,
        &["service=shop", "event=maintenance", "reason=\"new disks\"", "open=true"],
    );
    assert_eq!(place.status("shop")["maintenance"][0]["reason"], "new disks");
    let text = place.ask(&["status", "shop"]).stdout;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("new disks, until 20"), "{text}");
    place.kill_and_see_healed("mail");
    place.kill("shop");
    let seen = place.lines().len();
    place.line_after(0, &["service=shop", "event=maintenance", "open=false"]);
    place.line_after(0, &["service=shop", "event=verified"]);
    let lines = place.lines();
    let end = lines.iter().position(|line| line.contains("open=false")).unwrap();
    assert!(
        lines[seen..end]
            .iter()
            .all(|line| !line.contains("service=shop event=restart"))
    );
    assert!(place.runs("shop"));
}

#[test]
fn window_that_a_reload_brings_and_takes_away_counts_at_once() {
    let mut place = Place::new();
    place.begin("shop");
    place.configure(&place.service("shop", ""));
    place.start();
    place.configure(&(place.service("shop", "") + &nearly_over(3600)));
    assert!(place.hang_up().contains("unchanged=1"));
    place.wait_for_state("shop", "maintenance");
    // An operator's pause is another matter.
    assert!(place.ask(&["pause", "shop"]).status.success());
    assert!(place.ask(&["resume", "shop"]).status.success());
    assert_eq!(place.status("shop")["state"], "maintenance");
    place.kill("shop");
    place.configure(&place.service("shop", ""));
    assert!(place.hang_up().contains("unchanged=1"));
    place.line_after(0, &["service=shop", "event=verified"]);
    assert!(place.runs("shop"));
}

#[test]
fn check_shows_when_windows_are_open_next() {
    let place = Place::new();
    let window = "[maintenance.night]\nstart = \"02:00\"\nduration = \"90m\"\nzone = \"UTC\"\n";
    place.configure(&(place.service("shop", "") + window));
    let text = place.ask(&["check"]).stdout;
    let text = String::from_utf8_lossy(&text);
    let shown = text
        .lines()
        .filter(|line| line.contains(" 02:00 +00:00 to ") && line.contains(" 03:30 +00:00"));
    assert_eq!(shown.count(), 3, "{text}");
    let json = place.ask(&["check", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["maintenance"][0]["services"][0], "shop");
    assert_eq!(json["maintenance"][0]["next"].as_array().unwrap().len(), 3);
}
