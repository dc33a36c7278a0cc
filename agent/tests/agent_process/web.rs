//! What the agent shows over HTTP, asked for as a scraper does, and as nobody should.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::agent::{BOUND, Place, wait};

const PORT: u16 = 9464;

/// An address of loopback that no other test has: the process's id and the test's number are in it.
fn own_address(test: u8) -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from((
        Ipv4Addr::new(127, 1 + (high ^ test.wrapping_mul(16)) % 250, low, test),
        PORT,
    ))
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(mut stream: impl Read) -> Self {
        let mut text = String::new();
        // What a server says before it hangs up on a client that says too much is followed by a reset.
        let _ = stream.read_to_string(&mut text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_default(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    fn sample(&self, name: &str) -> Option<f64> {
        let line = self.body.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream
}

fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    let _ = stream.write_all(request.as_bytes());
    Answer::read(stream)
}

fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    send(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"),
    )
}

/// Adds `keys` to `[agent]` and `text` to the configuration.
fn configure(place: &Place, keys: &str, text: &str) {
    place.configure(text);
    let path = place.path("sentinel.toml");
    let written = fs::read_to_string(&path).unwrap();
    fs::write(&path, written.replacen("[agent]\n", &format!("[agent]\n{keys}\n"), 1)).unwrap();
}

fn start_at(address: SocketAddr, keys: &str, text: &str) -> Place {
    let mut place = Place::new();
    configure(&place, &format!("listen = \"{address}\"\n{keys}"), text);
    place.start();
    place.line_after(0, &["event=listening", &format!("address={address}")]);
    place
}

#[test]
fn an_incident_is_in_the_metrics() {
    let address = own_address(1);
    let place = Place::new();
    let text = place.service("shop", "");
    place.begin("shop");
    let mut place = place;
    configure(&place, &format!("listen = \"{address}\""), &text);
    place.start();
    place.line_after(0, &["event=listening"]);
    place.wait_for_state("shop", "healthy");
    let before = get(address, "/metrics", "");
    assert_eq!(before.status, 200, "{}", before.head);
    assert!(
        before.head.contains("content-type: text/plain; version=0.0.4"),
        "{}",
        before.head
    );
    assert_eq!(before.sample("sentinel_service_up{service=\"shop\"}"), Some(1.0));
    assert_eq!(before.sample("sentinel_incidents_total{cause=\"unknown\"}"), None);

    place.kill_and_see_healed("shop");
    let closed = wait("a closed incident", || {
        let now = get(address, "/metrics", "");
        (now.sample("sentinel_incidents_closed_total{resolution=\"healed\"}") == Some(1.0)).then_some(now)
    });
    for name in [
        // Of a process that is no child of the agent nothing is known but that it is gone.
        "sentinel_incidents_total{cause=\"unknown\"}",
        "sentinel_restarts_total{result=\"done\"}",
        "sentinel_restarts_judged_total{verdict=\"verified\"}",
        "sentinel_detection_to_restart_seconds_count",
        "sentinel_incident_down_seconds_count",
        "sentinel_restart_proved_seconds_count",
        "sentinel_service_up{service=\"shop\"}",
        "sentinel_services",
    ] {
        assert_eq!(closed.sample(name), Some(1.0), "{name} in\n{}", closed.body);
    }
    assert_eq!(closed.sample("sentinel_incidents_open"), Some(0.0));

    let open = get(address, "/metrics", "Accept: application/openmetrics-text\r\n");
    assert!(
        open.head
            .contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{}",
        open.head
    );
    assert!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
    let head = send(address, &format!("HEAD /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn nothing_is_served_unless_asked_for() {
    let mut place = Place::new();
    place.configure(&place.service("shop", ""));
    place.start();
    let status: serde_json::Value = serde_json::from_slice(&place.ask(&["status", "--json"]).stdout).unwrap();
    assert!(status["web"].is_null(), "{status}");
    let sockets = format!("/proc/{}/net/tcp", place.agent_pid());
    let listening = fs::read_to_string(sockets).unwrap();
    let own = format!(":{PORT:04X} 00000000:0000 0A");
    let inodes = listening.lines().filter(|line| line.contains(&own));
    let inodes: Vec<String> = inodes
        .filter_map(|line| line.split_whitespace().nth(9).map(str::to_owned))
        .collect();
    let open = fs::read_dir(format!("/proc/{}/fd", place.agent_pid())).unwrap();
    let open: Vec<_> = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).collect();
    for inode in inodes {
        assert!(!open.contains(&format!("socket:[{inode}]").into()), "the agent listens");
    }
}

#[test]
fn what_is_not_asked_for_rightly_is_refused_in_a_sentence() {
    let address = own_address(2);
    let _place = start_at(address, "", "");
    let host = format!("Host: {address}\r\n");
    for (request, status, words) in [
        (format!("GET / HTTP/1.1\r\n{host}\r\n"), 404, "/metrics"),
        (format!("GET /metrics/ HTTP/1.1\r\n{host}\r\n"), 404, "/metrics"),
        (format!("GET /v1/status HTTP/1.1\r\n{host}\r\n"), 404, "/metrics"),
        (
            format!("POST /metrics HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
            405,
            "GET",
        ),
        (format!("DELETE /metrics HTTP/1.1\r\n{host}\r\n"), 405, "GET"),
        (
            format!("GET /metrics?services=shop HTTP/1.1\r\n{host}\r\n"),
            400,
            "`services`",
        ),
        (format!("GET /metrics?&=1 HTTP/1.1\r\n{host}\r\n"), 400, "parameter"),
        (
            "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            421,
            "`Host`",
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n".to_owned(),
            421,
            "`Host`",
        ),
        (
            format!("GET http://evil.example/metrics HTTP/1.1\r\n{host}\r\n"),
            421,
            "`Host`",
        ),
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 400, "`Host`"),
        (
            format!("GET /metrics HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(64 * 1024)),
            431,
            "",
        ),
        (
            format!("GET /metrics HTTP/1.1\r\n{host}{}\r\n", "X: y\r\n".repeat(100)),
            431,
            "",
        ),
        ("no HTTP\r\n\r\n".to_owned(), 400, ""),
    ] {
        let shown: String = request.chars().take(60).collect();
        let answer = send(address, &request);
        assert_eq!(answer.status, status, "{shown:?}: {} {}", answer.head, answer.body);
        assert!(answer.body.contains(words), "{shown:?}: {}", answer.body);
    }
    for host in ["localhost", "LOCALHOST:9464", "[::1]:9464", "127.0.0.1"] {
        let answer = send(address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn connections_beyond_the_bound_get_503_and_retry_after() {
    let address = own_address(3);
    let _place = start_at(address, "", "");
    // None of them says anything: each holds its place until its time is over.
    let idle: Vec<TcpStream> = (0..64).map(|_| connect(address)).collect();
    let refused = wait("a connection too many", || {
        let answer = get(address, "/metrics", "");
        (answer.status == 503).then_some(answer)
    });
    assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    // The clients do not hang up; the agent does.
    wait("places that are free again", || {
        (get(address, "/metrics", "").status == 200).then_some(())
    });
    for mut stream in idle {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    }
}

#[test]
fn a_client_that_trickles_is_hung_up_on() {
    let address = own_address(4);
    let _place = start_at(address, "", "");
    let mut stream = connect(address);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    let start = std::time::Instant::now();
    wait("the end of a connection", || {
        stream.write_all(b"x").is_err().then_some(())
    });
    assert!(start.elapsed() < BOUND);
}

#[test]
fn an_address_in_use_is_said_and_the_agent_runs_on() {
    let address = own_address(5);
    let taken = TcpListener::bind(address).unwrap();
    let mut place = Place::new();
    place.begin("shop");
    configure(&place, &format!("listen = \"{address}\""), &place.service("shop", ""));
    place.start();
    let line = place.line_after(0, &["event=listen_failed"]);
    assert!(line.contains("in use"), "{line}");
    place.wait_for_state("shop", "healthy");
    place.kill_and_see_healed("shop");
    let text = String::from_utf8(place.ask(&["status"]).stdout).unwrap();
    let expected = format!("metrics are not served: {address}: the address is in use by another program");
    assert!(text.contains(&expected), "{text}");
    let status: serde_json::Value = serde_json::from_slice(&place.ask(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["web"]["address"], address.to_string());
    assert_eq!(status["web"]["error"], "the address is in use by another program");
    let doctor = String::from_utf8(place.ask(&["doctor", "--json"]).stdout).unwrap();
    assert!(
        doctor.contains(&format!("metrics are not served at `{address}`")),
        "{doctor}"
    );
    drop(taken);
}

#[test]
fn a_token_opens_and_a_reload_brings_another() {
    let address = own_address(6);
    let mut place = Place::new();
    let file = place.path("token");
    fs::write(&file, "0123456789abcdef\n").unwrap();
    let keys = format!("listen = \"{address}\"\ntoken_file = \"{}\"", file.display());
    configure(&place, &keys, "");
    place.start();
    place.line_after(0, &["event=listening"]);
    let ask = |token: &str| get(address, "/metrics", &format!("Authorization: Bearer {token}\r\n")).status;
    let without = get(address, "/metrics", "");
    assert_eq!(without.status, 401);
    assert!(without.head.contains("www-authenticate: bearer"), "{}", without.head);
    assert_eq!(get(address, "/", "").status, 401, "nothing is to be learned without");
    assert_eq!((ask("0123456789abcdef"), ask("0123456789abcdeX")), (200, 401));

    fs::write(&file, "fedcba9876543210\n").unwrap();
    let line = place.hang_up();
    assert!(line.contains("event=reloaded"), "{line}");
    wait("the new token", || (ask("fedcba9876543210") == 200).then_some(()));
    assert_eq!(ask("0123456789abcdef"), 401);
    assert!(!place.lines().iter().any(|line| line.contains("fedcba9876543210")));

    let elsewhere = own_address(7);
    configure(&place, &keys.replace(&address.to_string(), &elsewhere.to_string()), "");
    let line = place.hang_up();
    assert!(
        line.contains("event=reload_failed") && line.contains("agent.listen: cannot be changed"),
        "{line}"
    );
    let shown = get(address, "/metrics", "Authorization: Bearer fedcba9876543210\r\n");
    assert_eq!(
        shown.sample("sentinel_config_last_reload_successful"),
        Some(0.0),
        "{}",
        shown.body
    );
}

#[test]
fn a_unix_socket_serves_the_same() {
    let mut place = Place::new();
    let socket = place.path("web.sock");
    configure(&place, &format!("listen = \"unix:{}\"", socket.display()), "");
    place.start();
    place.line_after(0, &["event=listening"]);
    let ask = |socket: &Path| {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: sentinel\r\n\r\n")
            .unwrap();
        Answer::read(stream)
    };
    assert_eq!(ask(&socket).status, 200);
    // What a killed agent leaves behind is replaced.
    place.kill_agent();
    let seen = place.lines().len();
    place.start();
    place.line_after(seen, &["event=listening"]);
    assert_eq!(ask(&socket).status, 200);
}
