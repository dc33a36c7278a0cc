//! What a failure means: whether trying again can help, and whether the mail may have arrived.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Delivers, and lets the clock run ahead as soon as the server is silent.
async fn outcome(server: &Server, receiver: &Receiver) -> Result<Delivered, DeliveryError> {
    let is_paused = std::cell::Cell::new(false);
    let clock = async {
        while !server.sessions().iter().any(|session| session.is_silent) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::pause();
        is_paused.set(true);
        std::future::pending::<()>().await;
    };
    let delivery = delivery(&payload("fired"));
    let result = tokio::select! {
        result = deliver(receiver, &delivery) => result,
        () = clock => unreachable!("it never ends"),
    };
    if is_paused.get() {
        tokio::time::resume();
    }
    result
}

#[tokio::test]
async fn every_failure_is_judged() {
    use Retry::{Later, Never};
    use Say::{HangUp, Line, Silence};
    type Change = fn(&mut Script);
    #[rustfmt::skip]
    let table: [(Change, Retry, bool, &str, &str); 24] = [
        // what the server does; whether it may pass; whether the mail may have arrived; the kind; what is said
        (|s| s.starttls = false, Later, false, "connect", "it does not offer STARTTLS"),
        (|s| s.name = "mail.elsewhere.example", Later, false, "connect", "encrypting: certificate is for another name"),
        (|s| s.injected = "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 ok\r\n250 ok\r\n", Later, false, "connect", "encrypting: "),
        (|s| s.greeting = Line("554 go away"), Later, false, "connect", "waiting for its greeting: 554 go away"),
        (|s| s.greeting = Line("421 too busy"), Later, false, "connect", "waiting for its greeting: 421 too busy"),
        (|s| s.greeting = Silence, Later, false, "connect", "waiting for its greeting: no answer in time (one that is encrypted from the first byte is `smtps://`)"),
        (|s| s.greeting = HangUp, Later, false, "connect", "waiting for its greeting: incomplete response"),
        (|s| s.greeting = Line("HTTP/1.1 400 Bad Request"), Later, false, "connect", "waiting for its greeting: "),
        (|s| s.auth = Line("535"), Never, false, "refused", "logging in: 535 5.7.8 not you: AUTH PLAIN [redacted]"),
        (|s| s.auth = Line("454 later"), Later, false, "unavailable", "logging in: 454 later"),
        (|s| s.auth_offer = "", Later, false, "unavailable", "logging in: No compatible authentication mechanism"),
        (|s| s.auth = Silence, Later, false, "unavailable", "logging in: no answer in time"),
        (|s| s.mail = Line("451 not now"), Later, false, "unavailable", "naming the sender: 451 not now"),
        (|s| s.mail = Line("550 not from you"), Never, false, "refused", "naming the sender: 550 not from you"),
        (|s| s.rcpt = |_| Line("450 greylisted"), Later, false, "unavailable", "naming a recipient: 450 greylisted (ops@example.com)"),
        (|s| s.rcpt = |_| Line("550 nobody"), Never, false, "refused", "naming a recipient: 550 nobody (ops@example.com)"),
        (|s| s.rcpt = |_| Silence, Later, false, "unavailable", "naming a recipient: no answer in time"),
        (|s| s.data = Line("554 no"), Never, false, "refused", "announcing the mail: 554 no"),
        (|s| s.data = HangUp, Later, false, "unavailable", "announcing the mail: "),
        (|s| s.dot = Line("451 disk full"), Later, false, "unavailable", "taking the mail: 451 disk full"),
        (|s| s.dot = Line("552 too large"), Never, false, "refused", "taking the mail: 552 too large"),
        (|s| s.dot = Line("554-5.7.1 spam\r\n554 really"), Never, false, "refused", "taking the mail: 554 5.7.1 spam"),
        (|s| s.dot = Silence, Later, true, "timeout", "taking the mail: no answer in time"),
        (|s| s.dot = HangUp, Later, true, "broken", "taking the mail: "),
    ];
    for (change, retry, ambiguous, kind, said) in table {
        let files = Files::new();
        let mut script = Script::default();
        change(&mut script);
        let server = Server::start(script);
        let error = outcome(&server, &receiver(settings(&server, &files)))
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains(said), "{text}, not {said}");
        assert!(
            text.starts_with(&format!("mail server localhost:{}: ", server.address.port())),
            "{text}"
        );
        assert_eq!(
            (error.retry(), error.is_ambiguous(), error.kind().as_str()),
            (retry, ambiguous, kind),
            "{text}"
        );
        assert!(!text.contains(PASSWORD) && !text.contains(&STANDARD.encode(format!("\0sentinel\0{PASSWORD}"))));
        if kind == "connect" {
            let reported: Vec<String> = server
                .sessions()
                .iter()
                .flat_map(|session| session.commands.clone())
                .collect();
            assert!(
                !reported
                    .iter()
                    .any(|line| ["AUTH", "MAIL", "RCPT", "DATA"].iter().any(|verb| line.contains(verb))),
                "nothing is said to whoever that is: {reported:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_not_read_to_its_end() {
    type Change = fn(&mut Script);
    #[rustfmt::skip]
    let places: [(Change, bool, &str); 5] = [
        (|s| s.greeting = Say::Endless, false, "waiting for its greeting"),
        (|s| s.mail = Say::Endless, false, "naming the sender"),
        (|s| s.rcpt = |_| Say::Endless, false, "naming a recipient"),
        (|s| s.data = Say::Endless, false, "announcing the mail"),
        (|s| s.dot = Say::Endless, true, "taking the mail"),
    ];
    for security in [MailSecurity::Off, MailSecurity::StartTls, MailSecurity::Tls] {
        for (change, ambiguous, doing) in places {
            let files = Files::new();
            let mut script = Script {
                implicit: security == MailSecurity::Tls,
                ..Script::default()
            };
            change(&mut script);
            let server = Server::start(script);
            let mut settings = settings(&server, &files);
            settings.server.security = security;
            let error = deliver(&receiver(settings), &delivery(&payload("fired")))
                .await
                .unwrap_err();
            let said = format!("{doing}: its reply does not end within 16 KiB");
            assert!(error.to_string().ends_with(&said), "{security:?}: {error}");
            assert_eq!(
                (error.retry(), error.is_ambiguous()),
                (Retry::Later, ambiguous),
                "{doing}"
            );
        }
    }
}

#[tokio::test]
async fn an_authority_that_presents_its_own_certificate_is_reported_with_what_to_do() {
    let files = Files::new();
    for security in [MailSecurity::StartTls, MailSecurity::Tls] {
        let server = Server::start(Script {
            implicit: security == MailSecurity::Tls,
            authoritys_own: true,
            ..Script::default()
        });
        let mut settings = settings(&server, &files);
        settings.server.security = security;
        let error = deliver(&receiver(settings), &delivery(&payload("fired")))
            .await
            .unwrap_err();
        let said = "encrypting: certificate is that of an authority (CA:TRUE), which a server must not present: issue one \
                    with CA:FALSE";
        assert!(error.to_string().ends_with(said), "{error}");
    }
}

#[tokio::test]
async fn whoever_vouches_for_the_server_must_be_trusted() {
    let files = Files::new();
    for implicit in [false, true] {
        let server = Server::start(Script {
            implicit,
            ..Script::default()
        });
        let mut settings = settings(&server, &files);
        if implicit {
            settings.server.security = MailSecurity::Tls;
        }
        settings.ca_file = Some(files.write("other.pem", &Server::start(Script::default()).ca));
        let error = deliver(&receiver(settings), &delivery(&payload("fired")))
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("encrypting: certificate not issued by a trusted authority"),
            "{error}"
        );
        assert_eq!(error.kind().as_str(), "connect");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_got_nothing() {
    let files = Files::new();
    let server = Server::start(Script::default());
    let mut gone = settings(&server, &files);
    // An address of its own, so that nobody else gets the port.
    let listener = std::net::TcpListener::bind("127.0.84.1:0").unwrap();
    gone.server.host = "127.0.84.1".to_owned();
    gone.server.port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut nameless = settings(&server, &files);
    nameless.server.host = "no-such-host.invalid".to_owned();
    for (settings, said) in [(gone, "refused"), (nameless, "its name cannot be resolved: ")] {
        let error = deliver(&receiver(settings), &delivery(&payload("fired")))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!((error.retry(), error.is_ambiguous()), (Retry::Later, false));
    }
}

#[tokio::test]
async fn each_way_to_encrypt_works_and_none_is_chosen_instead() {
    let files = Files::new();
    for security in [MailSecurity::StartTls, MailSecurity::Tls, MailSecurity::Off] {
        let server = Server::start(Script {
            implicit: security == MailSecurity::Tls,
            ..Script::default()
        });
        let mut settings = settings(&server, &files);
        settings.server.security = security;
        let delivered = deliver(&receiver(settings), &delivery(&payload("fired")))
            .await
            .unwrap();
        assert_eq!(
            delivered.reference.as_deref(),
            Some("<msg_0123456789abcdef0123456789abcdef@example.com>")
        );
        assert_eq!(server.mails().len(), 1);
        let commands = server.sessions()[0].commands.clone();
        let is_encrypted = |verb: &str| commands.iter().any(|line| line.starts_with(&format!("*{verb}")));
        for verb in ["AUTH", "MAIL", "RCPT", "DATA"] {
            assert_eq!(
                is_encrypted(verb),
                security != MailSecurity::Off,
                "{security:?}: {commands:?}"
            );
        }
    }
}
