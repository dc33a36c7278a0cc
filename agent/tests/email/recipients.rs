//! Several recipients, of whom a server takes some.

use super::*;

/// The recipients named on each connection.
fn named(server: &Server) -> Vec<Vec<String>> {
    let of = |session: &server::Session| -> Vec<String> {
        let lines = session
            .commands
            .iter()
            .filter_map(|line| line.strip_prefix("*RCPT TO:<"));
        lines.map(|line| line.trim_end_matches('>').to_owned()).collect()
    };
    server.sessions().iter().map(of).collect()
}

#[tokio::test]
async fn who_is_refused_for_good_keeps_the_mail_from_no_other() {
    let files = Files::new();
    let server = Server::start(Script {
        rcpt: |line| Say::Line(if line.contains("ops@") { "550 nobody" } else { "250 ok" }),
        ..Script::default()
    });
    let receiver = receiver(settings(&server, &files));
    let delivered = deliver(&receiver, &delivery(&payload("fired"))).await.unwrap();
    assert_eq!(
        delivered.missed.as_deref(),
        Some("naming a recipient: 550 nobody (ops@example.com)")
    );
    assert_eq!(named(&server), [["ops@example.com", "night@example.com"]]);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn who_is_put_off_is_tried_again_and_the_others_get_nothing_twice() {
    let files = Files::new();
    let server = Server::start(Script {
        rcpt: |line| {
            Say::Line(if line.contains("ops@") {
                "450 greylisted"
            } else {
                "250 ok"
            })
        },
        ..Script::default()
    });
    let receiver = receiver(settings(&server, &files));
    let mut delivery = delivery(&payload("fired"));
    for attempt in 1..6 {
        delivery.attempt = attempt;
        let error = deliver(&receiver, &delivery).await.unwrap_err();
        assert_eq!((error.retry(), error.kind().as_str()), (Retry::Later, "unavailable"));
        assert!(error.is_ambiguous(), "somebody has it: the end must be told as well");
    }
    let named_then = named(&server);
    assert_eq!(named_then[0], ["ops@example.com", "night@example.com"]);
    assert!(
        named_then[1..].iter().all(|names| *names == ["ops@example.com"]),
        "{named_then:?}"
    );
    assert_eq!(server.mails().len(), 1);
    // What waits behind it must not wait for ever.
    delivery.attempt = 6;
    deliver(&receiver, &delivery).await.unwrap();
    // The next message is everybody's again.
    delivery.event = "msg_ffffffffffffffffffffffffffffffff".to_owned();
    delivery.attempt = 6;
    deliver(&receiver, &delivery).await.unwrap();
    assert_eq!(named(&server).last().unwrap().len(), 2);
}
