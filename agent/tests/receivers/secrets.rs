//! What is secret of a receiver is never shown, whatever kind it is and whatever the other side says.
//!
//! (A mail server speaks first, and is asked about in `tests/email/failures.rs`.)
//!
//! A new kind of receiver is a row of [`KINDS`]: its settings, with [`SECRET`] in every place that may hold one. What is
//! kept of a failure in the outbox, and shown by the API, is the error's text.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sentinel::config::{AlertmanagerSettings, CommandSettings, HttpLogin, SlackSettings};
use sentinel::receivers::DeliveryError;

use super::*;

/// Stands in every secret; what surrounds it there is secret as well.
const SECRET: &str = "T0K3N";

/// One kind of receiver.
struct Kind {
    name: &'static str,
    /// Its settings, for a peer at this address.
    settings: fn(&str) -> ReceiverKind,
    /// Its secrets as they are told to the other side, which may repeat them.
    secrets: &'static [&'static str],
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "webhook",
        settings: |peer| {
            ReceiverKind::Webhook(WebhookSettings {
                url: Secret::from(format!(
                    "http://T0K3NinUSER:T0K3NinPASSWORD@{peer}/hooks/T0K3NinPATH?key=T0K3NinQUERY"
                )),
                secrets: vec![
                    Secret::from("T0K3NtoSIGN"),
                    Secret::from("whsec_VDBLM050b1NJR05hZ2Fpbg=="),
                ],
                headers: BTreeMap::from([("authorization".to_owned(), Secret::from("Bearer T0K3NinHEADER"))]),
            })
        },
        secrets: &[
            "T0K3NinUSER",
            "T0K3NinPASSWORD",
            "/hooks/T0K3NinPATH",
            "T0K3NinQUERY",
            "T0K3NtoSIGN",
            "T0K3NinHEADER",
        ],
    },
    Kind {
        name: "slack, webhook",
        settings: |peer| {
            ReceiverKind::Slack(SlackSettings::Webhook {
                url: Secret::from(format!("http://{peer}/services/T012/B012/T0K3NofWEBHOOK")),
            })
        },
        secrets: &["T0K3NofWEBHOOK", "/services/T012/B012/T0K3NofWEBHOOK"],
    },
    Kind {
        name: "slack, bot",
        settings: |peer| {
            ReceiverKind::Slack(SlackSettings::Bot {
                token: Secret::from("xoxb-T0K3NofBOT"),
                channel: "C1".to_owned(),
                api_url: format!("http://{peer}/api/").parse().unwrap(),
            })
        },
        secrets: &["xoxb-T0K3NofBOT", "T0K3NofBOT"],
    },
    Kind {
        name: "alertmanager, token",
        settings: |peer| alertmanager(peer, HttpLogin::Bearer(Secret::from("T0K3NofBEARER"))),
        secrets: &["T0K3NofBEARER", "T0K3NinHEADER"],
    },
    Kind {
        name: "alertmanager, password",
        settings: |peer| {
            let (user, password) = ("sentinel".to_owned(), Secret::from("T0K3NasPASSWORD"));
            alertmanager(peer, HttpLogin::Basic { user, password })
        },
        // The second is name and password as HTTP sends them.
        secrets: &["T0K3NasPASSWORD", "c2VudGluZWw6VDBLM05hc1BBU1NXT1JE", "T0K3NinHEADER"],
    },
    Kind {
        name: "command",
        settings: |peer| {
            // Asks the peer what to say, and says it along with its secret.
            let (host, port) = peer.split_once(':').unwrap();
            let script = format!(
                "exec 3<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3 >&2; echo \"$A_TOKEN\" >&2; exit 1"
            );
            ReceiverKind::Command(CommandSettings {
                argv: ["/bin/bash", "-c", &script].map(str::to_owned).to_vec(),
                env: BTreeMap::from([("A_TOKEN".to_owned(), Secret::from("T0K3NofCOMMAND"))]),
                timeout: Duration::from_secs(15),
            })
        },
        secrets: &["T0K3NofCOMMAND"],
    },
];

/// A lone Alertmanager.
fn alertmanager(peer: &str, login: HttpLogin) -> ReceiverKind {
    ReceiverKind::Alertmanager(AlertmanagerSettings {
        urls: vec![format!("http://{peer}/").parse().unwrap()],
        resend: Duration::from_secs(60),
        headers: BTreeMap::from([("x-scope".to_owned(), Secret::from("T0K3NinHEADER"))]),
        login: Some(login),
        ca_file: None,
    })
}

/// Keeps every line that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How a peer answers.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    /// The secrets it repeats stand in this, in the place of `%`.
    frame: &'static str,
    /// How often, so that a limit may cut one in two.
    times: usize,
    /// So many bytes of it are sent before the connection breaks.
    sent: usize,
    /// Whether it repeats all that it was told as well.
    echoes: bool,
}

fn answers() -> impl Strategy<Value = Answer> {
    (
        prop::sample::select(vec![200u16, 201, 302, 400, 401, 403, 404, 410, 429, 500, 503]),
        prop::sample::select(vec![
            "%",
            "no such token: %!",
            "{\"ok\":false,\"error\":\"%\"}",
            "<b>%</b>",
            "a%b",
            "% % %",
        ]),
        prop_oneof![Just(1usize), 1..2000usize],
        prop_oneof![Just(usize::MAX), 1..9000usize],
        any::<bool>(),
    )
        .prop_map(|(status, frame, times, sent, echoes)| Answer {
            status,
            frame,
            times,
            sent,
            echoes,
        })
}

/// A peer that answers every connection in this way.
fn peer(answer: &Answer, secrets: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.clone();
    std::thread::spawn(move || {
        // Slack may ask twice, for a form that it likes better.
        for _ in 0..2 {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let told = read_request(&mut stream);
            let mut body = secrets
                .iter()
                .map(|secret| answer.frame.replace('%', secret).repeat(answer.times))
                .collect::<String>();
            if answer.echoes {
                body.insert_str(0, &told);
            }
            let mut response = format!(
                "HTTP/1.1 {} Answer\r\nContent-Length: {}\r\nConnection: close\r\n",
                answer.status,
                body.len()
            );
            let _ = write!(response, "Location: http://127.0.0.1/{}\r\n\r\n{body}", secrets[0]);
            let _ = stream.write_all(&response.as_bytes()[..answer.sent.min(response.len())]);
        }
    });
    address
}

/// Reads a request to the end of its headers.
fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Delivers to a peer that answers in this way; everything that may be shown of it.
async fn deliver(kind: &Kind, peer: SocketAddr) -> (String, Option<DeliveryError>) {
    let settings = (kind.settings)(&peer.to_string());
    let mut shown = format!("{settings:?}");
    let receiver = receiver(settings);
    let _ = write!(shown, "{receiver:?}");
    let result = receiver
        .deliver(&delivery(&message("fired"), None), Timestamp::now())
        .await;
    let _ = write!(shown, "{result:?}");
    if let Err(error) = &result {
        assert!(std::error::Error::source(error).is_none(), "nothing else to be printed");
        let _ = write!(shown, "{error}");
    }
    (shown, result.err())
}

/// Whether a secret is to be seen. Of what a program says, half a secret in the middle cannot be told from any other word.
fn is_shown(kind: &Kind, shown: &str) -> bool {
    match kind.name {
        "command" => kind.secrets.iter().any(|secret| shown.contains(secret)),
        _ => shown.contains(SECRET) || kind.secrets.iter().any(|secret| shown.contains(secret)),
    }
}

#[test]
fn no_secret_of_any_kind_is_ever_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for kind in &KINDS {
        let failures = Cell::new(0);
        let config = Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        };
        let result = TestRunner::new(config).run(&answers(), |answer| {
            let peer = peer(&answer, kind.secrets);
            let (shown, error) = runtime.block_on(deliver(kind, peer));
            failures.set(failures.get() + usize::from(error.is_some()));
            prop_assert!(!is_shown(kind, &shown), "{} shows a secret: {shown}", kind.name);
            Ok(())
        });
        if let Err(failure) = result {
            panic!("{failure}");
        }
        assert!(
            failures.get() > 20,
            "{}: only {} of 60 failed, which shows little",
            kind.name,
            failures.get(),
        );
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = log.lines().find(|line| line.contains(SECRET));
    assert!(line.is_none(), "logged: {line:?}");
}

#[tokio::test]
async fn no_peer_at_all_shows_no_secret_either() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in &KINDS {
        let (shown, error) = deliver(kind, gone).await;
        assert!(error.is_some(), "{}", kind.name);
        assert!(!is_shown(kind, &shown), "{}: {shown}", kind.name);
    }
}
