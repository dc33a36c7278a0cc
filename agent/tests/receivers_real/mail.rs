//! A real mail server, a real parser of mail, a real mail client.

use serde_json::Value;

use crate::harness::Lab;

const CONFIG: &str = r#"
[receivers.starttls.email]
server = "smtp://mail.lab.test:587"
ca_file = "/etc/lab/ca.pem"
user = "sentinel@lab.test"
password_file = "/etc/lab/password"
from = "Sentinel on lab <sentinel@lab.test>"
to = ["ops@lab.test", "Nächte <night@lab.test>"]

[receivers.tls.email]
server = "smtps://mail.lab.test"
ca_file = "/etc/lab/ca.pem"
user = "sentinel@lab.test"
password_file = "/etc/lab/password"
from = "sentinel@lab.test"
to = ["ops@lab.test", "nobody-of-that-name@lab.test"]

[receivers.impostor.email]
server = "smtps://mail.lab.test"
ca_file = "/etc/lab/ca.pem"
user = "sentinel@lab.test"
password = "wrong-horse-battery"
from = "sentinel@lab.test"
to = ["ops@lab.test"]

[receivers.stranger.email]
server = "smtp://mail.lab.test"
user = "sentinel@lab.test"
password_file = "/etc/lab/password"
from = "sentinel@lab.test"
to = ["ops@lab.test"]

[receivers.elsewhere.email]
server = "smtp://localhost"
ca_file = "/etc/lab/ca.pem"
user = "sentinel@lab.test"
password_file = "/etc/lab/password"
from = "sentinel@lab.test"
to = ["ops@lab.test"]

[services.shop]
unit = "shop"
labels = { team = "payments" }
"#;

fn lab() -> Lab {
    let lab = Lab::new(&["shop"], CONFIG);
    lab.host.write("/etc/lab/password", b"sesame-open\n");
    lab.host.write("/root/mail.sh", include_bytes!("mail.sh"));
    lab.host.write("/root/read.py", include_bytes!("read.py"));
    lab.host.sh("bash /root/mail.sh");
    lab.host.sh("systemctl start sentinel");
    lab.await_state("shop", "healthy");
    lab
}

/// The mails about the incident; that some receivers of this lab never work is reported as well, in other mails.
fn mails(lab: &Lab, user: &str) -> Vec<Value> {
    let mails = lab.json(&format!("python3 /root/read.py /home/{user}/Maildir"));
    let all = mails.as_array().cloned().unwrap_or_default();
    all.into_iter()
        .filter(|mail| header(mail, "subject").ends_with("(incident 1)"))
        .collect()
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"][name].as_str().unwrap_or_default()
}

/// The subject as clients compare it (RFC 5256, 2.1).
fn base(subject: &str) -> &str {
    subject.split_once("] ").map_or(subject, |(_, base)| base)
}

#[test]
fn mail_arrives_as_a_thread_that_readers_can_follow() {
    let lab = lab();
    lab.kill("shop");
    lab.wait("two mails to night, four to ops", || {
        mails(&lab, "night").len() == 2 && mails(&lab, "ops").len() == 4
    });

    let night = mails(&lab, "night");
    let (fired, resolved) = (&night[0], &night[1]);
    assert_eq!(header(fired, "subject"), "[DOWN] shop on lab (incident 1)");
    assert_eq!(header(resolved, "subject"), "[HEALED] shop on lab (incident 1)");
    assert_eq!(base(header(fired, "subject")), base(header(resolved, "subject")));
    let id = header(fired, "message-id");
    assert!(id.starts_with("<msg_") && id.ends_with("@lab.test>"), "{id}");
    assert_ne!(header(resolved, "message-id"), id);
    assert_eq!(header(resolved, "in-reply-to"), id);
    assert_eq!(header(resolved, "references"), id);
    assert_eq!(header(fired, "in-reply-to"), "");
    for mail in mails(&lab, "ops").iter().chain(&night) {
        assert_eq!(mail["defects"], serde_json::json!([]), "{mail:#}");
        assert_eq!(mail["type"], "multipart/alternative");
        assert_eq!(mail["parts"], serde_json::json!(["text/plain", "text/html"]));
        assert!(mail["longest"].as_u64().expect("a number") <= 998);
        assert_eq!(header(mail, "auto-submitted"), "auto-generated");
        assert_eq!(header(mail, "x-auto-response-suppress"), "All");
        assert_eq!(header(mail, "x-sentinel-service"), "shop");
        let received = mail["received"][0].as_str().expect("a server stamps what it takes");
        assert!(
            received.contains("with ESMTPSA") && received.contains("using TLSv1.3"),
            "{received}"
        );
    }
    assert_eq!(header(fired, "to"), "ops@lab.test, Nächte <night@lab.test>");
    let text = fired["texts"][0].as_str().expect("text");
    assert!(text.starts_with("lab: shop is down: killed by signal KILL\n"), "{text}");
    for part in [text, fired["texts"][1].as_str().expect("text")] {
        assert!(
            part.contains("killed by signal KILL") && part.contains("team=payments"),
            "{part}"
        );
    }

    // In a client of the terminal: the list draws the thread, and the mail reads without decoding anything.
    lab.host.write("/root/mutt.sh", include_bytes!("mutt.sh"));
    let screen = lab.host.sh("timeout 60 bash /root/mutt.sh");
    assert!(screen.contains("[DOWN] shop on lab (incident 1)"), "{screen}");
    assert!(screen.contains("`->[HEALED] shop on lab (incident 1)"), "{screen}");
    let shown = lab.host.sh("cat /var/tmp/shown");
    assert!(
        shown.contains("\n\nlab: shop is down: killed by signal KILL\n\n"),
        "{shown}"
    );
    assert!(shown.contains("\nLabels:    team=payments\n"), "{shown}");
}

#[test]
fn what_a_server_refuses_is_reported_without_the_password() {
    let lab = lab();
    lab.kill("shop");
    // The first of two recipients got it; the other is nobody.
    lab.wait("mails through the server", || mails(&lab, "ops").len() == 4);
    assert!(
        lab.messages(1, "tls").iter().all(|(state, _)| state == "delivered"),
        "{:?}",
        lab.messages(1, "tls")
    );
    lab.wait("who did not get it is in the log", || {
        let log = lab.host.sh("journalctl --no-pager -u sentinel --output json");
        log.contains("a mail reached only some of its recipients") && log.contains("550 5.1.1")
    });

    lab.wait("a wrong password is final", || {
        lab.messages(1, "impostor")
            .first()
            .is_some_and(|(state, _)| state == "dead")
    });
    let (_, error) = lab.messages(1, "impostor").remove(0);
    assert!(
        error.starts_with("mail server mail.lab.test:465: logging in: 535 "),
        "{error}"
    );
    for (receiver, said) in [
        ("stranger", "certificate not issued by a trusted authority"),
        ("elsewhere", "certificate is for another name"),
    ] {
        lab.wait(&format!("{receiver} is not trusted"), || {
            lab.messages(1, receiver)
                .first()
                .is_some_and(|(state, error)| state != "delivered" && error.contains(said))
        });
    }
    lab.host.sh("systemctl stop sentinel");
    // Root can read whatever it wrote, and hears of what the agent cannot.
    lab.host
        .sh("chown root:sentinel /etc/lab/password && chmod 640 /etc/lab/password");
    lab.host.sh("sentinel check");
    lab.host.sh("chown root:root /etc/lab/password");
    let said = lab.host.sh("sentinel check 2>&1 || echo refused");
    let denied = "receivers.tls.email.password_file: `/etc/lab/password` cannot be read: permission denied";
    assert!(
        said.contains(denied) && said.contains("as seen by `sentinel`, the agent's user"),
        "{said}"
    );
    assert!(said.ends_with("refused"), "{said}");
    let everywhere = "journalctl --no-pager; cat /var/lib/sentinel/*";
    for secret in ["wrong-horse-battery", "sesame-open"] {
        let found = lab
            .host
            .sh(&format!("({everywhere}) | grep --count --text {secret} || true"));
        assert_eq!(found, "0", "{secret} is written down somewhere");
    }
}
