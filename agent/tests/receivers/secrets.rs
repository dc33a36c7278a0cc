//! What is secret of a receiver is never shown, whatever it is, whatever kind it belongs to, and whatever the other side says.
//!
//! A new kind of receiver is a row of [`KINDS`]: its settings, with a secret of [`Given`] in every place that may hold one.
//! What is kept of a failure in the outbox, and shown by the API, is the error's text. How it goes with the agent as a whole
//! is in `tests/agent_process/secrets.rs`.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sentinel_config::{
    AlertmanagerSettings, CommandSettings, EmailSettings, HeartbeatSettings, HttpLogin, MailLogin, MailSecurity,
    MailServer, SlackSettings, SlackStyle,
};
use sentinel_notify::{DeliveryError, heartbeat};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::*;
use crate::log::logged;

/// Cases for each kind.
const CASES: u32 = 80;

/// The most secrets that a receiver has here.
const SECRETS_MAX: usize = 8;

/// So many letters in a row of what is secret are a secret; by chance they stand nowhere.
const REPORTED: usize = 8;

/// A secret: letters that are found again wherever they are shown, among such as are special somewhere.
#[derive(Clone, Debug)]
struct Random {
    before: String,
    core: String,
    after: String,
}

fn random() -> impl Strategy<Value = Random> {
    const SPECIAL: &str = "[-!\"#$%&'()*+,./:;<=>?@\\[\\]^_`{|}~\\\\ éß🔥]{0,4}";
    (SPECIAL, "[A-Za-z0-9]{12}", SPECIAL)
        .prop_map(|(before, core, after)| Random { before, core, after })
        // Shorter ones would be found by chance.
        .no_shrink()
}

/// Hands out secrets, each fit for its place, and remembers them as they are notified to the other side.
struct Given<'a> {
    random: std::slice::Iter<'a, Random>,
    cores: Vec<String>,
    reported: Vec<String>,
}

impl Given<'_> {
    fn next(&mut self, is_fit: impl Fn(char) -> bool) -> String {
        let random = self.random.next().expect("SECRETS_MAX are enough");
        let fit = |text: &str| text.chars().filter(|letter| is_fit(*letter)).collect::<String>();
        let secret = format!("{}{}{}", fit(&random.before), random.core, fit(&random.after));
        self.cores.push(random.core.clone());
        // A file that holds it says nothing of white space around it.
        let secret = secret.trim().to_owned();
        self.reported.push(secret.clone());
        secret
    }

    /// What a password may be.
    fn text(&mut self) -> String {
        self.next(|_| true)
    }

    /// What may stand in a header.
    fn header(&mut self) -> String {
        self.next(|letter| letter.is_ascii_graphic() || letter == ' ')
    }

    /// What a token may be.
    fn token(&mut self) -> String {
        self.next(|letter| letter.is_ascii_graphic())
    }

    /// What is sent in another way than it is written.
    fn sent(&mut self, text: String) {
        self.reported.push(text);
    }
}

/// What has secrets, and talks to somebody.
enum Made {
    Receiver(ReceiverKind),
    Heartbeat(HeartbeatSettings),
}

/// One kind of receiver.
struct Kind {
    name: &'static str,
    /// Its settings, for a peer at this address.
    make: fn(SocketAddr, &mut Given<'_>) -> Made,
    /// How the peer talks.
    serve: fn(TcpStream, &Answer, &[String]),
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "webhook",
        make: |peer, given| {
            let mut url: Url = format!("http://{peer}/hooks/").parse().unwrap();
            url.path_segments_mut().unwrap().push(&given.text());
            url.query_pairs_mut().append_pair("key", &given.text());
            // Here a `%` is taken as it stands.
            url.set_username(&Form::Address.write(&given.text())).unwrap();
            url.set_password(Some(&Form::Address.write(&given.text()))).unwrap();
            Made::Receiver(ReceiverKind::Webhook(WebhookSettings {
                url: Secret::from(String::from(url)),
                secrets: vec![
                    Secret::from(given.text()),
                    Secret::from(format!("whsec_{}", STANDARD.encode(given.text()))),
                ],
                headers: BTreeMap::from([("x-token".to_owned(), Secret::from(format!("Bearer {}", given.header())))]),
            }))
        },
        serve: http,
    },
    Kind {
        name: "webhook with a login in a header",
        make: |peer, given| {
            let login = STANDARD.encode(format!("ops:{}", given.text()));
            given.sent(login.clone());
            Made::Receiver(ReceiverKind::Webhook(WebhookSettings {
                url: Secret::from(format!("http://{peer}/")),
                secrets: Vec::new(),
                headers: BTreeMap::from([("authorization".to_owned(), Secret::from(format!("Basic {login}")))]),
            }))
        },
        serve: http,
    },
    Kind {
        name: "slack, webhook",
        make: |peer, given| {
            let mut url: Url = format!("http://{peer}/services/T012/B012").parse().unwrap();
            url.path_segments_mut().unwrap().push(&given.token());
            let url = Secret::from(String::from(url));
            Made::Receiver(ReceiverKind::Slack(SlackSettings::Webhook {
                url,
                style: SlackStyle::default(),
            }))
        },
        serve: http,
    },
    Kind {
        name: "slack, bot",
        make: |peer, given| {
            Made::Receiver(ReceiverKind::Slack(SlackSettings::Bot {
                token: Secret::from(format!("xoxb-{}", given.token())),
                channel: "C1".to_owned(),
                api_url: format!("http://{peer}/api/").parse().unwrap(),
            }))
        },
        serve: http,
    },
    Kind {
        name: "alertmanager, token",
        make: |peer, given| {
            let token = Secret::from(given.header());
            alertmanager(peer, HttpLogin::Bearer(token), given)
        },
        serve: http,
    },
    Kind {
        name: "alertmanager, password",
        make: |peer, given| {
            let (user, password) = ("sentinel".to_owned(), given.text());
            given.sent(STANDARD.encode(format!("{user}:{password}")));
            let password = Secret::from(password);
            alertmanager(peer, HttpLogin::Basic { user, password }, given)
        },
        serve: http,
    },
    Kind {
        name: "email",
        make: |peer, given| {
            let (user, password) = ("sentinel".to_owned(), given.text());
            given.sent(STANDARD.encode(format!("\0{user}\0{password}")));
            Made::Receiver(ReceiverKind::Email(Box::new(EmailSettings {
                server: MailServer {
                    host: peer.ip().to_string(),
                    port: peer.port(),
                    security: MailSecurity::Off,
                },
                ca_file: None,
                login: Some(MailLogin {
                    user,
                    password: Secret::from(password),
                }),
                from: "sentinel@example.com".parse().unwrap(),
                to: vec!["ops@example.com".parse().unwrap()],
            })))
        },
        serve: smtp,
    },
    Kind {
        name: COMMAND,
        make: |peer, given| {
            // Asks the peer what to say, and says it along with its secret.
            let (host, port) = (peer.ip(), peer.port());
            let script = format!(
                "exec 3<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3 >&2; echo \"$A_TOKEN\" >&2; exit 1"
            );
            Made::Receiver(ReceiverKind::Command(CommandSettings {
                argv: ["/bin/bash", "-c", &script].map(str::to_owned).to_vec(),
                env: BTreeMap::from([("A_TOKEN".to_owned(), Secret::from(given.text()))]),
                timeout: Duration::from_secs(15),
            }))
        },
        serve: http,
    },
    Kind {
        name: "heartbeat",
        make: |peer, given| {
            let mut url = || {
                let mut url: Url = format!("http://{peer}/").parse().unwrap();
                url.path_segments_mut().unwrap().push(&given.text());
                Secret::from(String::from(url))
            };
            Made::Heartbeat(HeartbeatSettings {
                url: url(),
                fail_url: url(),
                interval: Duration::from_secs(60),
            })
        },
        serve: http,
    },
];

/// Of what a program says, half a secret in the middle cannot be distinguished from any other word: its peer says all
/// of it.
const COMMAND: &str = "command";

/// A lone Alertmanager.
fn alertmanager(peer: SocketAddr, login: HttpLogin, given: &mut Given<'_>) -> Made {
    Made::Receiver(ReceiverKind::Alertmanager(AlertmanagerSettings {
        urls: vec![format!("http://{peer}/").parse().unwrap()],
        resend: Duration::from_secs(60),
        headers: BTreeMap::from([("x-scope".to_owned(), Secret::from(given.header()))]),
        login: Some(login),
        ca_file: None,
    }))
}

/// How a peer writes the secrets that it repeats.
#[derive(Clone, Copy, Debug)]
enum Form {
    AsGiven,
    Json,
    Php,
    Page,
    Address,
    Query,
    Base64,
    Base64Url,
}

impl Form {
    fn write(self, secret: &str) -> String {
        let json = || serde_json::to_string(secret).unwrap().trim_matches('"').to_owned();
        match self {
            Self::AsGiven => secret.to_owned(),
            // A backslash before the last quote would be trimmed in half.
            Self::Json | Self::Php if secret.ends_with('"') || secret.starts_with('"') => secret.to_owned(),
            Self::Json => json(),
            Self::Php => json().replace('/', "\\/"),
            Self::Page => [
                ("&", "&amp;"),
                ("<", "&lt;"),
                (">", "&gt;"),
                ("\"", "&quot;"),
                ("'", "&#39;"),
            ]
            .iter()
            .fold(secret.to_owned(), |text, (letter, entity)| text.replace(letter, entity)),
            Self::Address => secret
                .bytes()
                .map(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                    byte => format!("%{byte:02x}"),
                })
                .collect(),
            Self::Query => byte_serialize(secret.as_bytes()).collect(),
            Self::Base64 => STANDARD.encode(secret),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(secret),
        }
    }
}

/// How a peer answers.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    form: Form,
    /// The secrets it repeats stand in this, in the place of `%`.
    frame: &'static str,
    /// How often, so that a limit may cut one in two.
    times: usize,
    /// So many bytes of it are sent before the connection breaks.
    sent: usize,
    /// Whether it repeats all that it was sent as well.
    echoes: bool,
}

fn answers() -> impl Strategy<Value = Answer> {
    use Form::{Address, AsGiven, Base64, Base64Url, Json, Page, Php, Query};
    (
        prop::sample::select(vec![200u16, 201, 302, 400, 401, 403, 404, 410, 429, 500, 503]),
        prop::sample::select(vec![AsGiven, Json, Php, Page, Address, Query, Base64, Base64Url]),
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
        .prop_map(|(status, form, frame, times, sent, echoes)| Answer {
            status,
            form,
            frame,
            times,
            sent,
            echoes,
        })
}

impl Answer {
    /// What it says, when it was told this.
    fn body(&self, reported: &str, secrets: &[String]) -> String {
        let repeated = secrets
            .iter()
            .map(|secret| self.frame.replace('%', &self.form.write(secret)).repeat(self.times));
        let repeated: String = repeated.collect();
        if self.echoes {
            format!("{reported}{repeated}")
        } else {
            repeated
        }
    }

    fn send(&self, stream: &mut TcpStream, response: &str) {
        let _ = stream.write_all(&response.as_bytes()[..self.sent.min(response.len())]);
    }
}

/// Answers as a web server.
fn http(mut stream: TcpStream, answer: &Answer, secrets: &[String]) {
    let body = answer.body(&read_request(&mut stream), secrets);
    let mut response = format!(
        "HTTP/1.1 {} Answer\r\nContent-Length: {}\r\nConnection: close\r\n",
        answer.status,
        body.len()
    );
    let place = Form::Address.write(&secrets[0]);
    let _ = write!(response, "Location: http://127.0.0.1/{place}\r\n\r\n{body}");
    answer.send(&mut stream, &response);
}

/// Answers as a mail server that does not let anybody in.
fn smtp(stream: TcpStream, answer: &Answer, secrets: &[String]) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    for greeting in ["220 here\r\n", "250-here\r\n250 AUTH PLAIN\r\n"] {
        let _ = reader.get_mut().write_all(greeting.as_bytes());
        line.clear();
        let _ = reader.read_line(&mut line);
    }
    let code = if answer.status < 400 { 454 } else { 535 };
    let body = answer.body(line.trim(), secrets);
    answer.send(reader.get_mut(), &format!("{code} {body}\r\n"));
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

/// Delivers with what was made; everything that may be shown of it.
async fn deliver(made: Made) -> (String, Option<DeliveryError>) {
    let settings = match made {
        Made::Receiver(settings) => settings,
        Made::Heartbeat(settings) => {
            // What came of it is in the log.
            heartbeat::last(Some(&settings)).await;
            return (format!("{settings:?}"), None);
        }
    };
    let mut shown = format!("{settings:?}");
    let receiver = receiver(settings);
    let _ = write!(shown, "{receiver:?}");
    let result = receiver
        .deliver(&delivery(&message("fired"), None), sentinel_base::clock::wall())
        .await;
    let _ = write!(shown, "{result:?}");
    if let Err(error) = &result {
        assert!(std::error::Error::source(error).is_none(), "nothing else to be printed");
        let _ = write!(shown, "{error}");
    }
    (shown, result.err())
}

/// The part of a secret that is to be seen.
fn seen<'a>(given: &'a Given<'_>, shown: &str) -> Option<&'a str> {
    let encoded = given
        .reported
        .iter()
        .filter(|reported| STANDARD.decode(reported).is_ok());
    given.cores.iter().chain(encoded).find_map(|secret| {
        let mut parts = (0..=secret.len() - REPORTED).filter_map(|at| secret.get(at..at + REPORTED));
        parts.find(|part| shown.contains(part))
    })
}

#[test]
fn no_secret_of_any_kind_is_ever_shown() {
    let _ = logged();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for kind in &KINDS {
        let (failures, said) = (Cell::new(0), Cell::new(0));
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let cases = (prop::collection::vec(random(), SECRETS_MAX), answers());
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let result = TestRunner::new_with_rng(config, rng).run(&cases, |(random, mut answer)| {
            if kind.name == COMMAND {
                answer.sent = usize::MAX;
            }
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut given = Given {
                random: random.iter(),
                cores: Vec::new(),
                reported: Vec::new(),
            };
            let made = (kind.make)(listener.local_addr().unwrap(), &mut given);
            let (serve, reported) = (kind.serve, given.reported.clone());
            std::thread::spawn(move || {
                // Slack may ask twice, for a form that it likes better.
                for stream in listener.incoming().take(2).map_while(Result::ok) {
                    serve(stream, &answer, &reported);
                }
            });
            let (shown, error) = runtime.block_on(deliver(made));
            failures.set(failures.get() + u32::from(error.is_some()));
            let shown_too = logged();
            said.set(said.get() + u32::from(shown_too.contains("heartbeat_failed")));
            for shown in [shown, shown_too] {
                let seen = seen(&given, &shown);
                prop_assert!(
                    seen.is_none(),
                    "{} shows {seen:?} of {:?}: {shown}",
                    kind.name,
                    given.reported
                );
            }
            Ok(())
        });
        if let Err(failure) = result {
            panic!("{}: {failure}", kind.name);
        }
        if kind.name == "heartbeat" {
            assert!(said.get() > CASES / 3, "what comes of a heartbeat is logged");
            continue;
        }
        assert!(
            failures.get() > CASES / 3,
            "{}: only {} of {CASES} failed, which shows little",
            kind.name,
            failures.get(),
        );
    }
}

#[tokio::test]
async fn no_peer_at_all_shows_no_secret_either() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let random: Vec<Random> = (0..SECRETS_MAX)
        .map(|number| Random {
            before: "%2F".to_owned(),
            core: format!("T0K3Nnumber{number}"),
            after: "/\"".to_owned(),
        })
        .collect();
    let _ = logged();
    for kind in &KINDS {
        let mut given = Given {
            random: random.iter(),
            cores: Vec::new(),
            reported: Vec::new(),
        };
        let made = (kind.make)(gone, &mut given);
        let is_receiver = matches!(made, Made::Receiver(_));
        let (mut shown, error) = deliver(made).await;
        shown += &logged();
        assert_eq!(error.is_some(), is_receiver, "{}", kind.name);
        assert_eq!(seen(&given, &shown), None, "{}: {shown}", kind.name);
    }
}
