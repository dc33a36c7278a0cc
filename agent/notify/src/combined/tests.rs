use super::super::message::PAYLOAD_MAX;
use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_040 + 60 * minute).unwrap()
}

fn fired(incident: u64, service: &str, severity: Severity) -> Message {
    let summary = format!("web1: {service} is down: killed by signal KILL");
    let mut message = Message::about_alerts("fired", "web1", at(1), severity, &summary);
    message.data.incident = incident;
    service.clone_into(&mut message.data.service);
    "killed by signal KILL".clone_into(&mut message.data.cause.text);
    message
}

fn undelivered(service: &str, kind: &str, messages: u64) -> Undelivered {
    Undelivered {
        service: service.to_owned(),
        kind: kind.to_owned(),
        messages,
        first: at(0),
        last: at(90),
    }
}

#[test]
fn only_what_is_well_again_is_called_healed() {
    for (resolution, kind) in [
        (Resolution::Healed, "incident.healed"),
        (Resolution::Recovered, "incident.healed"),
        (Resolution::Started, "incident.healed"),
        (Resolution::Stopped, "incident.resolved"),
        (Resolution::Unmanaged, "incident.resolved"),
    ] {
        let mut end = fired(1, "shop", Severity::Info);
        "incident.resolved".clone_into(&mut end.kind);
        "resolved".clone_into(&mut end.data.kind);
        end.data.resolution = Some(resolution);
        let message = Message::over_undelivered(&[fired(1, "shop", Severity::Warning), end], at(2));
        assert_eq!(message.kind, kind);
        assert_eq!(kind.strip_prefix("incident."), Some(message.data.kind.as_str()));
    }
}

#[test]
fn ends_in_one_message_name_their_services() {
    let ended = |incident, service| {
        let mut message = fired(incident, service, Severity::Info);
        message.data.resolution = Some(Resolution::Recovered);
        message
    };
    let group = Message::group("web1", &[ended(1, "shop"), ended(2, "mail")], at(2));
    assert_eq!(group.data.summary, "web1: 2 outages are over: shop, mail");
    assert_eq!((group.data.severity, group.data.members.len()), (Severity::Info, 2));
}

#[test]
fn the_reason_is_not_cut_off_a_long_cause() {
    let mut parts = [fired(1, "shop", Severity::Warning), fired(2, "mail", Severity::Warning)];
    for part in &mut parts {
        part.data.cause.text =
            "its health check fails: OCI runtime exec failed: exec failed: unable to start container \
                                process: exec: \"curl\": executable file not found in $PATH: unknown"
                .to_owned();
    }
    let said = Message::group("web1", &parts, at(2)).data.summary;
    assert!(
        said.starts_with("web1: 2 services are down: shop, mail: its health check fails: OCI"),
        "{said}"
    );
    assert!(
        said.ends_with("\"curl\": executable file not found in $PATH: unknown"),
        "{said}"
    );
}

#[test]
fn a_group_names_its_services_and_is_as_urgent_as_the_worst() {
    let parts = [
        fired(1, "shop", Severity::Warning),
        fired(2, "mail", Severity::Critical),
    ];
    let group = Message::group("web1", &parts, at(2));
    assert_eq!(
        group.data.summary,
        "web1: 2 services are down: shop, mail: killed by signal KILL"
    );
    assert_eq!(
        (group.kind.as_str(), group.data.severity),
        ("alerts.group", Severity::Critical)
    );
    let members: Vec<_> = group
        .data
        .members
        .iter()
        .map(|member| (member.incident, &*member.summary))
        .collect();
    assert_eq!(
        members,
        [
            (1, "shop is down: killed by signal KILL"),
            (2, "mail is down: killed by signal KILL")
        ]
    );
    let many: Vec<Message> = (1..=200)
        .map(|n| fired(n, &format!("s{n}"), Severity::Warning))
        .collect();
    let group = Message::group("web1", &many, at(2));
    assert_eq!(
        group.data.summary,
        "web1: 200 services are down: s1, s2, s3, s4, s5 and 195 more: killed by signal KILL"
    );
    assert_eq!(group.data.members.len(), MEMBERS_MAX);
}

#[test]
fn a_group_says_why_in_its_first_line() {
    let said = |parts: &[Message]| Message::group("web1", parts, at(2)).data.summary;
    let mut parts = vec![fired(1, "shop", Severity::Warning), fired(2, "mail", Severity::Warning)];
    "connection refused".clone_into(&mut parts[1].data.cause.text);
    assert_eq!(
        said(&parts),
        "web1: 2 services are down: shop (killed by signal KILL), mail (connection refused)"
    );
    let mut host = fired(3, HOST, Severity::Critical);
    host.data.summary = "web1: host-wide outage: 4 services went down at once: out of memory".to_owned();
    parts.push(host);
    assert_eq!(
        said(&parts),
        "web1: host-wide outage: 4 services went down at once: out of memory; \
         2 services are down: shop (killed by signal KILL), mail (connection refused)"
    );
    assert_eq!(
        said(&parts[1..]),
        "web1: host-wide outage: 4 services went down at once: out of memory; mail is down: killed by signal KILL"
    );
}

#[test]
fn a_digest_counts_what_was_never_reported() {
    let counts = [undelivered("shop", "fired", 3), undelivered("", "gave_up", 1)];
    let digest = Message::digest("web1", &[], &counts, at(99), &TimeZone::UTC);
    assert_eq!(
        digest.data.summary,
        "web1: 4 alerts undeliverable, from 2023-11-14 22:14:00 UTC to 2023-11-14 23:44:00 UTC"
    );
    assert_eq!(
        digest.data.members[0].summary,
        "shop: 3 messages (fired) never delivered, from 2023-11-14 22:14:00 UTC to 2023-11-14 23:44:00 UTC"
    );
    assert_eq!(digest.data.members[1].service, "(other)");
    let digest = Message::digest(
        "web1",
        &[fired(1, "shop", Severity::Info)],
        &counts[..1],
        at(99),
        &TimeZone::UTC,
    );
    assert_eq!(
        digest.data.summary,
        "web1: 3 alerts undeliverable, 1 outage over before a message could be sent, \
         from 2023-11-14 22:14:00 UTC to 2023-11-14 23:44:00 UTC"
    );
    let digest = Message::digest("web1", &[fired(1, "shop", Severity::Info)], &[], at(99), &TimeZone::UTC);
    assert_eq!(digest.data.severity, Severity::Info, "nobody needs to act");
    let once = Undelivered {
        last: at(0),
        first: at(0),
        ..undelivered("shop", "fired", 1)
    };
    let digest = Message::digest("web1", &[], &[once], at(99), &TimeZone::UTC);
    let expected = "shop: 1 message (fired) never delivered, at 2023-11-14 22:14:00 UTC";
    assert_eq!(digest.data.members[0].summary, expected);
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let digest = Message::digest("web1", &[], &counts[..1], at(99), &berlin);
    assert_eq!(
        digest.data.summary,
        "web1: 3 alerts undeliverable, from 2023-11-14 23:14:00 CET (22:14:00 UTC) \
         to 2023-11-15 00:44:00 CET (2023-11-14 23:44:00 UTC)"
    );
}

#[test]
fn an_incident_no_receiver_heard_of_is_one_message_under_the_key_of_its_end() {
    let mut ending = fired(7, "shop", Severity::Info);
    ending.data.sequence = 3;
    "resolved".clone_into(&mut ending.data.kind);
    let over = Message::over_undelivered(&[fired(7, "shop", Severity::Warning), ending.clone()], at(5));
    assert_eq!(
        (over.kind.as_str(), over.data.kind.as_str(), over.data.sequence),
        ("incident.healed", "healed", 3)
    );
    assert_eq!(
        (&over.data.summary, over.data.severity),
        (&ending.data.summary, Severity::Info)
    );
    let mut called = fired(7, "shop", Severity::Critical);
    "gave_up".clone_into(&mut called.data.kind);
    let over = Message::over_undelivered(&[called, ending], at(5));
    assert_eq!(over.data.severity, Severity::Warning, "a human had been called in vain");
}

#[test]
fn messages_about_receivers_say_what_is_wrong() {
    let about = Trouble {
        since: Some(at(0)),
        asked: Duration::ZERO,
        waiting: 12,
        error: "connection refused",
    };
    let summary = |notice| {
        Message::about_receiver(notice, "web1", "team", &about, at(11))
            .data
            .summary
    };
    assert_eq!(
        summary(Notice::Stuck),
        "web1: the receiver team has been failing for 11m, 12 messages queued: connection refused"
    );
    assert_eq!(
        summary(Notice::Works),
        "web1: the receiver team works again after 11m, 12 messages still queued"
    );
    let asked = Trouble {
        asked: Duration::from_secs(3600),
        waiting: 1,
        error: "answered 429",
        ..about
    };
    let message = Message::about_receiver(Notice::Stuck, "web1", "team", &asked, at(0));
    assert_eq!(
        message.data.summary,
        "web1: the receiver team is rate limiting (Retry-After 1h), 1 message queued: answered 429"
    );
}

#[test]
fn combined_messages_stay_small() {
    let long = "\"\u{1}é".repeat(10_000);
    let parts: Vec<Message> = (1..=200).map(|n| fired(n, &long, Severity::Warning)).collect();
    let counts: Vec<Undelivered> = (0..1000).map(|n| undelivered(&long, &long, n)).collect();
    for message in [
        Message::group(&long, &parts, at(1)),
        Message::digest(&long, &parts, &counts, at(1), &TimeZone::UTC),
    ] {
        assert!(message.payload().len() < PAYLOAD_MAX, "{}", message.payload().len());
    }
}
