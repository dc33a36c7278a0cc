//! Who is notified, over restarts and reloads.

use super::agent::{Hook, Place, wait};

/// `shop`, which is only observed, so that it stays down until somebody brings it back; and its receivers.
fn shop(place: &Place, alerts: &str, hooks: &[(&str, &Hook)]) -> String {
    let receivers: String = hooks.iter().map(|(name, hook)| hook.receiver(name)).collect();
    let alerts = format!("[alerts]\nnotify_after = \"0s\"\n{alerts}\n");
    place.service("shop", "mode = \"observe\"") + &receivers + &alerts
}

fn succeed(place: &Place, arguments: &[&str]) -> serde_json::Value {
    let output = place.ask(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The number of the open incident of `shop`.
fn open_incident(place: &Place) -> String {
    wait("an incident", || place.status("shop")["incident"].as_u64()).to_string()
}

#[test]
fn silence_outlives_the_agent_and_what_still_fires_at_its_end_is_sent() {
    let mut place = Place::new();
    let hook = Hook::start();
    place.begin("shop");
    place.configure(&shop(&place, "", &[("team", &hook)]));
    place.start();
    place.wait_for_state("shop", "healthy");
    let add = [
        "silence",
        "add",
        "--service",
        "sh*",
        "--for",
        "2h",
        "--comment",
        "new disks",
        "--json",
    ];
    let added = succeed(&place, &add);
    let id = added["id"].to_string();
    place.kill("shop");
    place.line_after(
        0,
        &[
            "service=shop",
            "event=not_notified",
            "kind=fired",
            "reason_kind=silenced",
        ],
    );

    place.kill_agent();
    let seen = place.lines().len();
    place.start();
    let odd = [
        "silence",
        "add",
        "--service",
        "shpo",
        "--service",
        "sh*",
        "--for",
        "1s",
        "--comment",
        "x",
    ];
    let text = String::from_utf8(place.ask(&odd).stdout).unwrap();
    assert!(text.trim_end().ends_with("\nno service is called shpo now"), "{text}");
    let listed = succeed(&place, &["silence", "list", "--json"]);
    assert_eq!(listed["silences"][0]["comment"], "new disks");
    assert_eq!(listed["silences"][0]["by"], added["by"]);
    assert_eq!(
        listed["silences"][0]["until"].as_str().unwrap()[..19],
        added["until"].as_str().unwrap()[..19]
    );
    let text = String::from_utf8(place.ask(&["silence", "list"]).stdout).unwrap();
    assert!(text.contains("sh*") && text.contains("new disks"), "{text}");
    // Another agent that saw it down and told nobody.
    place.wait_for_state("shop", "held");
    assert_eq!(hook.messages(), [] as [&str; 0]);

    succeed(&place, &["silence", "expire", &id, "--json"]);
    hook.wait_for(&["shop fired"]);
    place.line_after(seen, &["event=silence_ended", "new disks"]);
    assert_eq!(place.ask(&["silence", "expire", &id]).status.code(), Some(1));
    place.begin("shop");
    hook.wait_for(&["shop fired", "shop resolved"]);
    let incident = succeed(&place, &["incidents", "1", "--json"]);
    let reported: Vec<_> = incident["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["kind"])
        .collect();
    assert!(reported.iter().any(|kind| **kind == "not_notified"), "{reported:?}");
}

#[test]
fn end_in_a_silence_of_what_no_receiver_was_notified_is_not_reported() {
    let mut place = Place::new();
    let hook = Hook::start();
    place.begin("shop");
    place.configure(&shop(&place, "", &[("team", &hook)]));
    place.start();
    place.wait_for_state("shop", "healthy");
    succeed(
        &place,
        &[
            "silence",
            "add",
            "--service",
            "shop",
            "--for",
            "1h",
            "--comment",
            "x",
            "--json",
        ],
    );
    place.kill("shop");
    place.line_after(0, &["event=not_notified", "kind=fired"]);
    place.begin("shop");
    place.line_after(0, &["event=not_notified", "kind=resolved", "reason_kind=none_notified"]);
    succeed(&place, &["silence", "expire", "1", "--json"]);
    place.kill("shop");
    hook.wait_for(&["shop fired"]);
}

#[test]
fn acknowledging_ends_reminders_and_escalation() {
    let mut place = Place::new();
    let (team, pager) = (Hook::start(), Hook::start());
    place.begin("shop");
    let alerts = "receivers = [\"team\"]\nrepeat_interval = \"1s\"\n\
                  [[alerts.escalations]]\nafter = \"1h\"\nreceivers = [\"pager\"]";
    let hooks = [("team", &team), ("pager", &pager)];
    place.configure(&shop(&place, alerts, &hooks));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    wait("two reminders", || (team.messages().len() > 2).then_some(()));
    assert_eq!(team.messages()[..3], ["shop fired", "shop update", "shop update"]);

    let id = open_incident(&place);
    let acknowledged = succeed(&place, &["ack", &id, "on it", "--json"]);
    assert_eq!(acknowledged["service"], "shop");
    let by = acknowledged["by"].as_str().unwrap().to_owned();
    let status = &place.status("shop")["acknowledged"];
    assert_eq!((&status["by"], &status["text"]), (&by.as_str().into(), &"on it".into()));
    wait("it is told that somebody takes care of it", || {
        let bodies = team.bodies();
        let doing = bodies.last().unwrap()["data"]["doing"].as_str().unwrap().to_owned();
        (doing == format!("acknowledged by {by}: on it")).then_some(())
    });
    let before = team.messages().len();
    // What is received and not yet recorded as that would come again.
    wait("it is recorded as told", || {
        let queue = succeed(&place, &["alerts", "queue", "--json"]);
        queue["messages"].as_array()?.is_empty().then_some(())
    });
    // An agent that forgot it would remind at once, and this configuration escalate at once.
    place.kill_agent();
    place.configure(&shop(&place, &alerts.replace("1h", "1s"), &hooks));
    place.start();
    place.wait_for_state("shop", "held");
    let seen = place.lines().len();
    place.begin("shop");
    place.line_after(seen, &["service=shop", "event=notified", "kind=resolved"]);
    wait("the end", || (team.messages().last()? == "shop resolved").then_some(()));
    assert_eq!(team.messages().len(), before + 1, "{:?}", team.messages());
    assert_eq!(pager.messages(), [] as [&str; 0]);
    let incident = succeed(&place, &["incidents", &id, "--json"]);
    let timeline = incident["timeline"].as_array().unwrap();
    let line = timeline.iter().find(|line| line["kind"] == "acknowledged").unwrap();
    assert_eq!(line["text"], format!("acknowledged by {by}: on it"));
    assert_eq!(place.ask(&["ack", &id, "late"]).status.code(), Some(1));
    assert_eq!(place.ask(&["ack", "999"]).status.code(), Some(1));
}

#[test]
fn what_is_not_acknowledged_is_escalated_and_the_end_reaches_all() {
    let mut place = Place::new();
    let (team, pager) = (Hook::start(), Hook::start());
    place.begin("shop");
    let alerts = "receivers = [\"team\"]\n[[alerts.escalations]]\nafter = \"1s\"\nreceivers = [\"pager\"]";
    place.configure(&shop(&place, alerts, &[("team", &team), ("pager", &pager)]));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    pager.wait_for(&["shop escalated"]);
    place.begin("shop");
    team.wait_for(&["shop fired", "shop resolved"]);
    pager.wait_for(&["shop escalated", "shop resolved"]);
}

#[test]
fn end_goes_to_who_got_the_beginning_after_a_reload_changed_the_routes() {
    let mut place = Place::new();
    let (first, second) = (Hook::start(), Hook::start());
    let hooks = [("first", &first), ("second", &second)];
    place.begin("shop");
    let route = |to: &str| format!("[[alerts.routes]]\nmatch.service = \"shop\"\nreceivers = [\"{to}\"]");
    place.configure(&shop(&place, &route("first"), &hooks));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    first.wait_for(&["shop fired"]);
    place.configure(&shop(&place, &route("second"), &hooks));
    assert!(place.hang_up().contains("event=reloaded"));
    // A wrong one changes nothing.
    place.configure(&shop(&place, &route("third"), &hooks));
    assert!(place.hang_up().contains("event=reload_failed"));
    place.begin("shop");
    first.wait_for(&["shop fired", "shop resolved"]);
    place.kill("shop");
    second.wait_for(&["shop fired"]);
    assert_eq!(first.messages().len(), 2);

    // Who is no longer configured is left out, and who takes its place is informed what is open.
    place.configure(&shop(&place, &route("first"), &hooks[..1]));
    assert!(place.hang_up().contains("event=reloaded"));
    place.line_after(0, &["event=receiver_gone", "receiver=second"]);
    first.wait_for(&["shop fired", "shop resolved", "shop fired"]);
    place.begin("shop");
    first.wait_for(&["shop fired", "shop resolved", "shop fired", "shop resolved"]);
    assert_eq!(second.messages(), ["shop fired"]);
}

#[test]
fn what_there_was_no_receiver_to_report_of_is_reported_when_there_is() {
    let mut place = Place::new();
    let (first, second) = (Hook::start(), Hook::start());
    place.begin("shop");
    place.configure(&shop(&place, "", &[]));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    place.line_after(0, &["event=not_notified", "kind=fired", "reason_kind=no_receivers"]);
    place.configure(&shop(&place, "", &[("first", &first)]));
    assert!(place.hang_up().contains("event=reloaded"));
    first.wait_for(&["shop fired"]);
    // Somebody knows: who is added later is not notified again, nor is anybody by another start.
    let hooks = [("first", &first), ("second", &second)];
    place.configure(&shop(&place, "", &hooks));
    assert!(place.hang_up().contains("event=reloaded"));
    place.kill_agent();
    place.start();
    place.wait_for_state("shop", "held");
    place.begin("shop");
    first.wait_for(&["shop fired", "shop resolved"]);
    assert_eq!(second.messages(), [] as [&str; 0]);
    let reported = |line: &&String| line.contains("event=not_notified");
    assert_eq!(place.lines().iter().filter(reported).count(), 1, "it is said once");
}

#[test]
fn who_asks_to_be_left_alone_is_reported_of_and_tried_at_once_when_it_is_put_right() {
    let mut place = Place::new();
    let busy = Hook::answering("429 Too Many Requests\r\nRetry-After: 3600");
    let (team, boss) = (Hook::start(), Hook::start());
    place.begin("shop");
    let alerts = "group_wait = \"0s\"";
    place.configure(&shop(&place, alerts, &[("team", &busy), ("boss", &boss)]));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    wait("the other receiver hears of it long before the hour is over", || {
        let messages = boss.messages();
        let has = |what: &str| messages.iter().any(|message| message == what);
        (has("shop fired") && has(" stuck")).then_some(())
    });
    let said = |kind: &str| {
        let bodies = boss.bodies();
        let found = bodies.iter().find(|body| body["data"]["kind"] == kind)?;
        Some(found["data"]["summary"].as_str().unwrap().to_owned())
    };
    let stuck = said("stuck").unwrap();
    assert!(
        stuck.contains("the receiver team is rate limiting (Retry-After 1h), 1 message queued"),
        "{stuck}"
    );

    place.configure(&shop(&place, alerts, &[("team", &team), ("boss", &boss)]));
    assert!(place.hang_up().contains("event=reloaded"));
    team.wait_for(&["shop fired"]);
    wait("that it works is told as well", || said("works"));
}

#[test]
fn incidents_link_to_the_page_that_is_configured() {
    let mut place = Place::new();
    let hook = Hook::start();
    place.begin("shop");
    let link = |page: &str| format!("link = \"https://runbooks.example.com/{page}\"");
    let alerts = link("{{ service }}?cause={{ cause.kind }}&incident={{ incident }}");
    place.configure(&shop(&place, &alerts, &[("team", &hook)]));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    hook.wait_for(&["shop fired"]);
    let url = |n: usize| hook.bodies()[n]["data"]["url"].clone();
    let first = url(0);
    let first = first.as_str().unwrap();
    assert!(
        first.starts_with("https://runbooks.example.com/shop?cause=") && first.ends_with("&incident=1"),
        "{first}"
    );
    // Another one from here on, which cannot be made of every message: that keeps no message back.
    let alerts = link("{% if kind == 'resolved' and attempts == 0 %}{{ 1 / 0 }}{% endif %}");
    place.configure(&shop(&place, &alerts, &[("team", &hook)]));
    assert!(place.hang_up().contains("event=reloaded"));
    place.begin("shop");
    hook.wait_for(&["shop fired", "shop resolved"]);
    assert!(url(1).is_null(), "{}", url(1));
    place.line_after(0, &["a message goes without its link", "service=shop"]);
}

#[test]
fn service_removed_while_the_agent_was_down_is_over_for_notified_receivers() {
    let mut place = Place::new();
    let (reported, other) = (Hook::start(), Hook::start());
    let hooks = [("told", &reported), ("other", &other)];
    place.begin("shop");
    let route = "receivers = [\"other\"]\n[[alerts.routes]]\nmatch.service = \"shop\"\nreceivers = [\"told\"]";
    place.configure(&shop(&place, route, &hooks));
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    reported.wait_for(&["shop fired"]);
    place.kill_agent();
    place.configure(&(reported.receiver("told") + &other.receiver("other") + "[alerts]\nreceivers = [\"other\"]\n"));
    place.start();
    reported.wait_for(&["shop fired", "shop resolved"]);
    assert_eq!(other.messages(), [] as [&str; 0]);
}

#[test]
fn route_is_explained_without_an_agent() {
    let place = Place::new();
    let hook = Hook::start();
    let alerts = "[[alerts.routes]]\nmatch.severity = \"critical\"\nreceivers = [\"pager\"]\n\
                  [[alerts.routes]]\nmatch.kind = \"healed\"\nreceivers = []";
    place.configure(&shop(&place, alerts, &[("team", &hook), ("pager", &hook)]));
    let route = |more: &[&str]| place.ask(&[&["alerts", "route", "--service", "shop"], more].concat());
    let output = route(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("another severity") && text.contains("another kind of message"),
        "{text}"
    );
    assert!(
        text.contains("pager is notified: no route matches\nteam is notified: no route matches\n"),
        "{text}"
    );
    let output = route(&["--kind", "gave_up", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["severity"], json["receivers"].as_object().unwrap().len()),
        (&"critical".into(), 1)
    );
    assert_eq!(json["receivers"]["pager"]["text"], "route 1 matches");
    assert_eq!(
        (&json["notify_after_seconds"], &json["group_wait_seconds"]),
        (&0.0.into(), &0.0.into())
    );
    assert!(
        !text.contains("unless healed") && !text.contains("grouped"),
        "at once: {text}"
    );
    let mut patient = place.command(&["alerts", "route", "--service", "shop"]);
    patient
        .env("SENTINEL__ALERTS__NOTIFY_AFTER", "45s")
        .env("SENTINEL__ALERTS__GROUP_WAIT", "5s");
    let text = String::from_utf8(patient.output().unwrap().stdout).unwrap();
    let when = "sent unless healed within 45s\ngrouped with others for 5s\n";
    assert!(text.contains(when), "{text}");
    let output = route(&["--kind", "healed"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "the answer is no");
    assert!(
        text.ends_with("no receiver is notified: route 2 matches and names no receiver\n"),
        "{text}"
    );
    let output = place.ask(&["alerts", "route", "--service", "shpo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `shop`?"));
}
