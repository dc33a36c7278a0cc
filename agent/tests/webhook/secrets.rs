//! What is secret is never shown.

use super::*;
use crate::log::logged;

/// Everything that must not be shown.
const SECRETS: [&str; 6] = [
    "T0K3NinPATH",
    "T0K3NinQUERY",
    "T0K3NinUSER",
    "T0K3NinPASSWORD",
    "T0K3NinHEADER",
    "T0K3NinSECRET",
];

/// The addresses of peers that fail in every way there is, most of them telling what they were notified; `USER` is to be
/// replaced.
fn hostile_peers() -> Vec<String> {
    // Answers with everything it was sent, in several disguises.
    let echo = raw_peer(|stream| {
        let request = read_request(stream);
        let everything = format!("{request} {} {}", SECRETS.join(" "), SECRETS.join("/"));
        let _ = write!(
            stream,
            "HTTP/1.1 400 Bad\r\nContent-Length: {}\r\n\r\n{everything}",
            everything.len()
        );
    });
    // Answers with one secret over and over, so that the limit cuts one in two.
    let flood = raw_peer(|stream| {
        read_request(stream);
        let everything = SECRETS[0].repeat(3000);
        let _ = write!(
            stream,
            "HTTP/1.1 500 Bad\r\nContent-Length: {}\r\n\r\n{everything}",
            everything.len()
        );
    });
    let broken_off = raw_peer(|stream| {
        read_request(stream);
        let _ = write!(
            stream,
            "HTTP/1.1 503 Bad\r\nContent-Length: 10000\r\n\r\nsorry T0K3NinPA"
        );
    });
    let redirect = raw_peer(|stream| {
        let request = read_request(stream);
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let _ = write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1{path}\r\nContent-Length: 0\r\n\r\n"
        );
    });
    let closing = raw_peer(|stream| drop(read_request(stream)));
    let garbage = raw_peer(|stream| {
        let request = read_request(stream);
        let _ = write!(stream, "{request}");
    });
    // Speaks no TLS, and does not wait for more of it.
    let plain = raw_peer(|stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = write!(stream, "HTTP/1.1 400 Bad\r\n\r\n");
    });
    let refusing = {
        let listener = std::net::TcpListener::bind("127.0.83.2:0").unwrap();
        listener.local_addr().unwrap()
    };
    vec![
        format!("http://USER@{echo}"),
        format!("http://USER@{flood}"),
        format!("http://USER@{broken_off}"),
        format!("http://USER@{redirect}"),
        format!("http://USER@{closing}"),
        format!("http://USER@{garbage}"),
        format!("http://USER@{refusing}"),
        format!("https://USER@{plain}"),
        "http://USER@no-such-host.invalid".to_owned(),
    ]
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let _ = logged();
    let mut shown = Vec::new();
    let mut kinds = Vec::new();
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    for (peer, incident) in hostile_peers().iter().zip(1..) {
        let peer = peer.replace("USER", "T0K3NinUSER:T0K3NinPASSWORD");
        let webhook = WebhookSettings {
            url: Secret::from(format!("{peer}/services/T0K3NinPATH/x?key=T0K3NinQUERY")),
            secrets: vec![Secret::from("T0K3NinSECRET")],
            headers: BTreeMap::from([("authorization".to_owned(), Secret::from("Bearer T0K3NinHEADER"))]),
        };
        shown.push(format!("{webhook:?}"));
        let name = format!("r{incident}");
        let receiver = receiver_with(&name, webhook);
        shown.push(format!("{receiver:?}"));
        let error = receiver
            .deliver(&delivery("{}"), sentinel_base::clock::wall())
            .await
            .unwrap_err();
        kinds.push(error.kind().as_str());
        shown.push(format!("{error} {error:?}"));
        assert!(
            std::error::Error::source(&error).is_none(),
            "nothing else to be printed"
        );
        send(&store, &clock, [(incident, 1, name.as_str())]).await;
        start(receiver, &store, &clock);
        until("a recorded error", async || {
            detail(&store, incident).await.messages[0].last_error.is_some()
        })
        .await;
        shown.push(serde_json::to_string(&detail(&store, incident).await).unwrap());
    }
    #[rustfmt::skip]
    assert_eq!(kinds, [
        "refused", "server_error", "server_error", "redirect", "broken", "broken", "connect", "connect", "connect",
    ]);
    let log = logged();
    assert!(
        log.contains("message rejected permanently") && log.contains("message not delivered"),
        "{log}"
    );
    let shown = shown.join("\n");
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        assert!(!log.contains(secret), "{secret} is logged: {log}");
        let half = &secret[..9];
        assert!(!shown.contains(half), "half of {secret} is shown: {shown}");
    }
}
