//! No secret of any receiver in anything that the agent writes, answers, prints or keeps.
//!
//! The agent runs with secrets made by chance, in files, in a credential and in its environment; whoever it talks to refuses
//! and repeats all that it was sent. What a single receiver makes of such words is in `tests/receivers/secrets.rs`.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use proptest::prelude::Strategy;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rustix::process::Signal;
use serde_json::Value;

use super::agent::{Place, signal, wait};

/// So many letters in a row of a secret are a secret; by chance they stand nowhere.
const REPORTED: usize = 8;

/// The receivers, each of which fails.
const RECEIVERS: [&str; 7] = ["basic", "bot", "chat", "hook", "mail", "pager", "token"];

/// Secrets by what they are, and the letters of each that are looked for.
struct Secrets {
    runner: TestRunner,
    cores: Vec<String>,
    /// What is sent to the other side, as it is sent.
    sent: Vec<String>,
}

impl Secrets {
    fn new() -> Self {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        Self {
            runner: TestRunner::new_with_rng(Config::default(), rng),
            cores: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Another one, with such letters around those that are looked for.
    fn next(&mut self, special: &'static str) -> String {
        let parts = (special, "[A-Za-z0-9]{16}", special);
        let (before, core, after) = parts.new_tree(&mut self.runner).unwrap().current();
        let secret = format!("{before}{core}{after}").trim().to_owned();
        self.cores.push(core);
        self.sent.push(secret.clone());
        secret
    }

    fn text(&mut self) -> String {
        self.next("[-!#$%&()*+,./:;<=>?@^_{|}~\"\\\\' éß🔥]{0,4}")
    }

    fn token(&mut self) -> String {
        self.next("[-!#$%&()*+,./:;<=>?@^_{|}~]{0,4}")
    }

    fn path(&mut self) -> String {
        self.next("[-._~!$&()*+,;=:@]{0,4}")
    }

    /// The part of a secret that `text` shows.
    fn seen(&self, text: &str) -> Option<&str> {
        let encoded = self
            .sent
            .iter()
            .filter(|sent| sent.starts_with("c2Vu") || sent.starts_with("AHNl"));
        self.cores.iter().chain(encoded).find_map(|secret| {
            // The beginning of what is encoded is the name, which is no secret.
            let first = if self.cores.contains(secret) { 0 } else { 14 };
            let mut parts = (first..=secret.len() - REPORTED).filter_map(|at| secret.get(at..at + REPORTED));
            parts.find(|part| text.contains(part))
        })
    }
}

/// Somebody who refuses whatever he is asked, and repeats what he was sent and the secrets that he knows.
struct Parrot {
    address: SocketAddr,
    listener: TcpListener,
}

impl Parrot {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener,
        }
    }

    /// Talks from now on, knowing what the one whom he talks to was given last.
    fn talk(self, serve: fn(TcpStream, &[String]) -> io::Result<()>, secrets: &[String]) -> SocketAddr {
        let secrets = secrets.to_vec();
        std::thread::spawn(move || {
            for stream in self.listener.incoming().map_while(Result::ok) {
                let secrets = secrets.clone();
                std::thread::spawn(move || serve(stream, &secrets));
            }
        });
        self.address
    }
}

fn repeated(reported: &str, secrets: &[String]) -> String {
    let json = secrets.iter().map(|secret| serde_json::to_string(secret).unwrap());
    let encoded = secrets.iter().map(|secret| STANDARD_NO_PAD.encode(secret));
    let all: Vec<String> = secrets.iter().cloned().chain(json).chain(encoded).collect();
    format!("{reported} {}", all.join(" "))
}

fn http(stream: TcpStream, secrets: &[String]) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        if reader.read_line(&mut head)? <= 2 {
            break;
        }
        if let Some(value) = head[begin..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = repeated(&head, secrets);
    let answer = format!(
        "HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    reader.get_mut().write_all(answer.as_bytes())
}

fn mail(stream: TcpStream, secrets: &[String]) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    for greeting in ["220 here\r\n", "250-here\r\n250 AUTH PLAIN\r\n"] {
        reader.get_mut().write_all(greeting.as_bytes())?;
        line.clear();
        reader.read_line(&mut line)?;
    }
    let said = repeated(line.trim(), secrets);
    reader.get_mut().write_all(format!("454 {said}\r\n").as_bytes())
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Configures everything that has secrets; the mail's password comes by the environment.
fn configure(place: &mut Place, secrets: &mut Secrets, log: &str) {
    let file = |name: &str, text: &str| {
        write_secret(&place.path(name), text);
        place.path(name).display().to_string()
    };
    let mut text = "[alerts]\nnotify_after = \"0s\"\n".to_owned();
    let mut add = |table: String| text.push_str(&table);

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let (url, header) = (format!("http://{}/hook", parrot.address), secrets.token());
    let url = file("hook", &format!("{url}/{}?key={}\n", secrets.path(), secrets.path()));
    let signing = file("signing", &format!("{}\n{}\n", secrets.text(), secrets.text()));
    let header = toml_string(&format!("Bearer {header}"));
    add(format!(
        "[receivers.hook.webhook]\nurl_file = \"{url}\"\nsecret_file = \"{signing}\"\nheaders = {{ X-Token = {header} }}\n"
    ));
    parrot.talk(http, &secrets.sent[known..]);

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let url = format!("http://{}/services/T0/B0/{}\n", parrot.address, secrets.path());
    let url = file("chat", &url);
    add(format!(
        "[receivers.chat]\nslack = {{ webhook_url_file = \"{url}\" }}\n"
    ));
    parrot.talk(http, &secrets.sent[known..]);

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    file("bot", &format!("xoxb-{}\n", secrets.token()));
    let peer = parrot.talk(http, &secrets.sent[known..]);
    add(format!(
        "[receivers.bot]\nslack = {{ token_file = \"credential:bot\", channel = \"C1\", api_url = \"http://{peer}/api/\" }}\n"
    ));

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let token = file("token", &secrets.token());
    let peer = parrot.talk(http, &secrets.sent[known..]);
    add(format!(
        "[receivers.token]\nalertmanager = {{ urls = [\"http://{peer}/\"], token_file = \"{token}\" }}\n"
    ));

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let password = secrets.text();
    secrets
        .sent
        .push(STANDARD_NO_PAD.encode(format!("sentinel:{password}")));
    let password = file("basic", &password);
    let peer = parrot.talk(http, &secrets.sent[known..]);
    add(format!(
        "[receivers.basic]\nalertmanager = {{ urls = [\"http://{peer}/\"], user = \"sentinel\", password_file = \"{password}\" }}\n"
    ));

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let password = secrets.text();
    secrets
        .sent
        .push(STANDARD_NO_PAD.encode(format!("\0sentinel\0{password}")));
    let peer = parrot.talk(mail, &secrets.sent[known..]);
    add(format!(
        "[receivers.mail.email]\nserver = \"smtp://{peer}\"\ntls = \"off\"\nuser = \"sentinel\"\n\
         from = \"sentinel@example.com\"\nto = [\"ops@example.com\"]\n"
    ));

    let pin = toml_string(&secrets.text());
    add(format!(
        "[receivers.pager.command]\nargv = [\"/bin/sh\", \"-c\", \"env >&2; echo $PAGER_PIN >&2; exit 75\"]\nenv = {{ PAGER_PIN = {pin} }}\n"
    ));

    let (parrot, known) = (Parrot::new(), secrets.sent.len());
    let url = file("heartbeat", &format!("http://{}/{}\n", parrot.address, secrets.path()));
    add(format!("[heartbeat]\nurl_file = \"{url}\"\n"));
    parrot.talk(http, &secrets.sent[known..]);

    add(place.service("shop", ""));
    place.configure(&text);
    let path = place.path("sentinel.toml");
    let text = fs::read_to_string(&path).unwrap();
    write_secret(&path, &text.replace("log = \"logfmt\"", &format!("log = \"{log}\"")));
    for (name, value) in [
        ("SENTINEL__RECEIVERS__MAIL__EMAIL__PASSWORD", password),
        ("CREDENTIALS_DIRECTORY", place.path("").display().to_string()),
        ("SENTINEL_LOG", "trace".to_owned()),
    ] {
        place.variables.push((name.to_owned(), value));
    }
}

/// Text as TOML has it, which takes the escapes of JSON.
fn toml_string(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Every file in a directory, as text.
fn kept(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let read = entries.map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = fs::read(entry.path()).unwrap_or_default();
        (name, String::from_utf8_lossy(&bytes).into_owned())
    });
    read.collect()
}

/// What is asked of a running agent and of its configuration.
const QUESTIONS: [&[&str]; 20] = [
    &["alerts", "queue"],
    &["alerts", "queue", "--json"],
    &["alerts", "test"],
    &["alerts", "test", "--json"],
    &["alerts", "route", "--service", "shop"],
    &["alerts", "route", "--service", "shop", "--json"],
    &["status"],
    &["status", "--json"],
    &["incidents"],
    &["incidents", "--json"],
    &["incidents", "1"],
    &["incidents", "1", "--json"],
    &["check"],
    &["check", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["replay", "1", "--story"],
    &["replay", "1", "--print"],
    &["simulate", "crash-loop", "--print"],
    &["silence", "list", "--json"],
];

#[test]
fn no_secret_is_logged_answered_printed_or_kept() {
    let mut secrets = Secrets::new();
    for log in ["logfmt", "json", "logfmt", "json"] {
        let mut place = Place::new();
        configure(&mut place, &mut secrets, log);
        place.begin("shop");
        let output = fs::File::create(place.path("log")).unwrap();
        let mut agent = place
            .command(&["run"])
            .stderr(Stdio::from(output.try_clone().unwrap()))
            .stdout(Stdio::from(output))
            .spawn()
            .unwrap();
        place.wait_for_state("shop", "healthy");
        place.kill("shop");
        wait("every receiver to fail", || {
            let queue: Value = serde_json::from_slice(&place.ask(&["alerts", "queue", "--json"]).stdout).ok()?;
            let failed = queue["receivers"].as_array()?.iter();
            let failed = failed.filter(|receiver| receiver["last_error"].as_str().is_some());
            let mut names: Vec<&str> = failed.filter_map(|receiver| receiver["name"].as_str()).collect();
            names.sort_unstable();
            (names == RECEIVERS).then_some(())
        });
        let mut shown: Vec<(String, String)> = Vec::new();
        let ask = |arguments: &[&str], shown: &mut Vec<(String, String)>| {
            let output = place.ask(arguments);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            shown.push((arguments.join(" "), text(&output.stdout) + &text(&output.stderr)));
        };
        for question in QUESTIONS {
            ask(question, &mut shown);
        }
        // Configurations that are refused, by a reload as well, each with a secret where something is wrong.
        let path = place.path("sentinel.toml");
        let (good, socket) = (fs::read_to_string(&path).unwrap(), place.path("control.sock"));
        let (text, token) = (secrets.text(), secrets.token());
        for wrong in [
            format!("[receivers.more.webhook]\nurl = {}\n", toml_string(&text)),
            format!("[receivers.more.webhook]\nurl = \"http://127.0.0.1/{token}\nsecret = 5\n"),
            format!("[receivers.more.webhook]\nurl = [\"http://127.0.0.1/{token}\"]\nsecret = {{ a = \"{token}\" }}\n"),
            format!("[receivers.more.webhook]\nurl = \"http://127.0.0.1/\"\nsecret = \"whsec_{token}\"\n"),
            format!("[receivers.more.webhook.headers]\nX-Pin = \"{token}\n"),
            format!("[receivers.more.command.env]\nPIN = \"{token}\n"),
            format!("[receivers.more.email]\nserver = \"smtp://me:{token}@127.0.0.1\"\n"),
            format!("[receivers.more.slack]\ntoken = \"x\\n{token}\"\nchannel = \"C1\"\n"),
        ] {
            write_secret(&path, &format!("{good}{wrong}"));
            ask(&["check"], &mut shown);
            ask(&["check", "--json"], &mut shown);
            // Of a file that is no TOML nobody learns where the socket is.
            ask(&["reload", "--socket", socket.to_str().unwrap()], &mut shown);
            let said = &shown.last().unwrap().1;
            assert!(said.contains("error"), "{wrong} is refused: {said}");
        }
        signal(agent.id(), Signal::TERM);
        agent.wait().unwrap();

        let lines = fs::read_to_string(place.path("log")).unwrap();
        assert!(
            lines.contains("last_error") || lines.contains("not delivered"),
            "{lines}"
        );
        assert!(
            lines.contains("hyper") || lines.contains("reqwest"),
            "what libraries say is logged as well"
        );
        shown.push(("the log".to_owned(), lines));
        let kept = kept(&place.path("state"));
        assert!(
            kept.iter().any(|(_, text)| text.contains("[redacted]")),
            "errors are kept"
        );
        shown.extend(kept);
        assert!(shown.iter().filter(|(_, text)| text.contains("[redacted]")).count() > 5);
        for (what, text) in shown {
            if let Some(secret) = secrets.seen(&text) {
                let line = text.lines().find(|line| line.contains(secret)).unwrap_or_default();
                let line: String = line.chars().take(2000).collect();
                panic!("`{what}` shows {secret}, of {:?}: {line}", secrets.sent);
            }
        }
    }
}
