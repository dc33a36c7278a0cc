//! Mail to a server that misbehaves in every way a server can. How well it goes with real ones is in `tests/receivers_real`.

mod content;
mod failures;
mod recipients;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use sentinel_config::{EmailSettings, MailLogin, MailSecurity, MailServer, ReceiverKind, ReceiverSettings};
use sentinel_engine::{IncidentId, Time};
use sentinel_notify::{Delivered, DeliveryError, Receiver, Retry};
use sentinel_store::{Delivery, First};
use serde_json::{Value, json};
use server::{Say, Script, Server};

/// The password, which no error may hold in any form.
const PASSWORD: &str = "s3same-open-s3same";

/// The files of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// Settings that `server` is content with.
fn settings(server: &Server, files: &Files) -> EmailSettings {
    EmailSettings {
        server: MailServer {
            host: "localhost".to_owned(),
            port: server.address.port(),
            security: MailSecurity::StartTls,
        },
        ca_file: Some(files.write("ca.pem", &server.ca)),
        login: Some(MailLogin {
            user: "sentinel".to_owned(),
            password: PASSWORD.into(),
        }),
        from: "Sentinel <sentinel@example.com>".parse().unwrap(),
        to: vec![
            "ops@example.com".parse().unwrap(),
            "Nächte <night@example.com>".parse().unwrap(),
        ],
    }
}

fn receiver(settings: EmailSettings) -> Receiver {
    let settings = ReceiverSettings {
        name: "mail".to_owned(),
        template: None,
        kind: ReceiverKind::Email(Box::new(settings)),
        zone: TimeZone::UTC,
    };
    Receiver::all(&[settings]).unwrap().remove(0)
}

/// A message about incident 7.
fn payload(kind: &str) -> Value {
    json!({
        "type": format!("incident.{kind}"), "timestamp": "2026-11-22T17:00:05Z",
        "data": {
            "host": "web1", "service": "shop", "incident": 7, "sequence": 1, "kind": kind, "severity": "warning",
            "summary": format!("web1: shop {kind}: killed by signal KILL"),
            "cause": {"kind": "killed", "text": "killed by signal KILL"},
            "opened_at": "2026-11-22T17:00:00Z", "attempts": 1, "doing": "restart, attempt 1",
            "labels": {"team": "shop"},
            "timeline": [{"at": "2026-11-22T17:00:00Z", "text": "killed by signal KILL"}],
            "evidence": [{"title": "last lines", "text": "line one\nline <two> & more"}],
        },
    })
}

fn delivery(payload: &Value) -> Delivery {
    Delivery {
        row: 1,
        event: "msg_0123456789abcdef0123456789abcdef".to_owned(),
        incident: IncidentId(7),
        sequence: 1,
        kind: "fired".to_owned(),
        payload: payload.to_string().into_bytes(),
        created: Time::ZERO,
        attempt: 1,
        ambiguous: false,
        first: None,
    }
}

async fn deliver(receiver: &Receiver, delivery: &Delivery) -> Result<Delivered, DeliveryError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    receiver.deliver(delivery, sentinel_base::clock::wall()).await
}
