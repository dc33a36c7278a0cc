//! What is in a mail, to the byte.

use super::*;

/// The mail for a message, as the server got it.
async fn mail_of(delivery: &Delivery) -> String {
    let files = Files::new();
    let server = Server::start(Script::default());
    deliver(&receiver(settings(&server, &files)), delivery).await.unwrap();
    server.mails().remove(0)
}

/// The headers of the mail itself, unfolded.
fn headers(mail: &str) -> Vec<(String, String)> {
    let head = mail
        .split("\r\n\r\n")
        .next()
        .unwrap()
        .replace("\r\n ", " ")
        .replace("\r\n\t", " ");
    head.split("\r\n")
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn header(mail: &str, name: &str) -> String {
    let found: Vec<String> = headers(mail)
        .into_iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect();
    assert!(found.len() < 2, "{name} is there twice: {found:?}");
    found.into_iter().next().unwrap_or_default()
}

#[tokio::test]
async fn a_first_mail_begins_a_thread() {
    let mail = mail_of(&delivery(&payload("fired"))).await;
    for (name, value) in [
        ("Message-ID", "<msg_0123456789abcdef0123456789abcdef@example.com>"),
        ("Subject", "[DOWN] shop on web1 (incident 7)"),
        ("From", "Sentinel <sentinel@example.com>"),
        ("Date", "Sun, 22 Nov 2026 17:00:05 +0000"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
        ("X-Sentinel-Service", "shop"),
        ("In-Reply-To", ""),
        ("References", ""),
        ("Importance", ""),
    ] {
        assert_eq!(header(&mail, name), value, "{name}");
    }
    assert!(header(&mail, "Content-Type").starts_with("multipart/alternative;"));
    let (text, html) = (
        mail.find("Content-Type: text/plain"),
        mail.find("Content-Type: text/html"),
    );
    assert!(text.unwrap() < html.unwrap(), "the text comes first");
    let page = mail.replace("=\r\n", "");
    let (names, whole) = (
        page.matches("<tr><td ").count(),
        page.matches("white-space:nowrap").count(),
    );
    assert!(
        names > 3 && names == whole,
        "a phone breaks {names} - {whole} names between letters"
    );
    for external in ["src=", "<img", "<link", "<script", "@import", "url("] {
        assert!(!mail.contains(external), "{external}");
    }
}

#[tokio::test]
async fn a_mail_links_to_the_page_of_its_incident() {
    let mut message = payload("fired");
    message["data"]["url"] = json!("https://runbooks.example.com/shop?a=1&b=2");
    let mail = mail_of(&delivery(&message)).await.replace("=\r\n", "");
    let text = &mail[..mail.find("Content-Type: text/html").unwrap()];
    assert!(
        text.contains("\r\nhttps://runbooks.example.com/shop?a=3D1&b=3D2\r\n"),
        "{text}"
    );
    assert!(
        mail.contains("<a href=3D\"https://runbooks.example.com/shop?a=3D1&amp;b=3D2\">"),
        "{mail}"
    );
}

#[tokio::test]
async fn later_mails_go_on_with_it_under_the_same_stem() {
    let table = [
        (None, "<msg_11111111111111111111111111111111@example.com>"),
        (Some("<old@elsewhere.example>"), "<old@elsewhere.example>"),
        // Nothing of ours.
        (
            Some("1711111.000100"),
            "<msg_11111111111111111111111111111111@example.com>",
        ),
        (
            Some("<a@b>\r\nBcc: c@example.com"),
            "<msg_11111111111111111111111111111111@example.com>",
        ),
    ];
    for (reference, expected) in table {
        let mut message = payload("resolved");
        message["data"]["resolution"] = json!("healed");
        let mut delivery = delivery(&message);
        delivery.event = "msg_22222222222222222222222222222222".to_owned();
        delivery.first = Some(First {
            event: "msg_11111111111111111111111111111111".to_owned(),
            reference: reference.map(str::to_owned),
            shared: false,
        });
        let mail = mail_of(&delivery).await;
        assert_eq!(
            header(&mail, "Message-ID"),
            "<msg_22222222222222222222222222222222@example.com>"
        );
        assert_eq!(header(&mail, "In-Reply-To"), expected);
        assert_eq!(header(&mail, "References"), expected);
        assert_eq!(header(&mail, "Subject"), "[HEALED] shop on web1 (incident 7)");
    }
}

#[tokio::test]
async fn attempts_do_not_differ() {
    let mut delivery = delivery(&payload("gave_up"));
    let first = mail_of(&delivery).await;
    delivery.attempt = 9;
    delivery.ambiguous = true;
    assert_eq!(mail_of(&delivery).await, first);
    assert_eq!(header(&first, "Subject"), "[GAVE UP] shop on web1 (incident 7)");
}

#[tokio::test]
async fn whatever_a_service_says_it_stays_a_mail() {
    let known: Vec<String> = headers(&mail_of(&delivery(&payload("fired"))).await)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let evil = [
        "\r\nBcc: everybody@example.com\r\n\r\nbody".to_owned(),
        "\nX-Injected: 1\n.\n.\r\nQUIT\r\n".to_owned(),
        "a\0b\u{1b}[31mred\u{7}".to_owned(),
        "x".repeat(15_000),
        "🔎".repeat(2000),
        "אבג \u{202e}dlrow olleh\u{202c} \u{200b}".to_owned(),
        "=?utf-8?q?=0D=0ABcc:_x?=".to_owned(),
        "</pre><script>alert(1)</script><img src=x onerror=1>".to_owned(),
        "--=_msg_0123456789abcdef0123456789abcdef--".to_owned(),
        ".\r\n.\r\n..".to_owned(),
    ];
    for text in evil {
        let mut message = payload("fired");
        let data = &mut message["data"];
        for place in ["host", "service", "summary", "doing"] {
            data[place] = json!(text);
        }
        data["evidence"][0]["text"] = json!(text);
        data["evidence"][0]["title"] = json!(text);
        data["timeline"][0]["text"] = json!(text);
        data["labels"]["team"] = json!(text);
        data["url"] = json!(format!("javascript:{text}"));
        let mail = mail_of(&delivery(&message)).await;
        let shown: String = text.chars().take(40).collect();
        assert!(mail.is_ascii(), "{shown:?}");
        assert!(mail.lines().all(|line| line.len() <= 998), "{shown:?}");
        assert!(!mail.contains(['\0', '\u{1b}', '\u{7}']), "{shown:?}");
        for (name, _) in headers(&mail) {
            assert!(known.contains(&name), "{shown:?} makes a header {name}");
        }
        let html = &mail[mail.find("Content-Type: text/html").unwrap()..];
        for tag in ["<script", "<img", "href=3D\"javascript"] {
            assert!(!html.contains(tag), "{shown:?}: {tag}");
        }
        let boundary = "--=_msg_0123456789abcdef0123456789abcdef";
        let boundaries = mail.lines().filter(|line| line.starts_with(boundary)).count();
        assert_eq!(
            boundaries, 3,
            "{shown:?}: one before each part, and one behind the last"
        );
    }
}
