//! The proxy lets the agent look, and start or restart one container, and nobody do anything else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::docker::{Container, docker, root, run, stand_in};

use crate::host::wait_until;

const BOUND: Duration = Duration::from_secs(30);

/// The status of a request, as written.
fn ask(address: &str, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(BOUND)).ok()?;
    let (head, body) = request.split_once('|').unwrap_or((request, ""));
    write!(stream, "{head}\r\nHost: docker\r\nConnection: close\r\n\r\n{body}").ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer)
        .ok()?
        .strip_prefix("HTTP/1.1 ")?
        .parse()
        .ok()
}

#[test]
fn proxy_lets_through_what_is_needed_and_nothing_else() {
    let image = stand_in("haproxy");
    let allowed = format!("compose-victim-{}", std::process::id());
    let victim = Container::start(&["--name", &allowed, &image, "sleep", "infinity"]);
    let config = format!("{}:/etc/docker-proxy:ro", root().join("deploy/docker-proxy").display());
    // As compose.proxy.yaml has it.
    let proxy = Container::start(&[
        "--user=0:0",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges:true",
        "--publish=127.0.0.1::2375",
        "--volume=/var/run/docker.sock:/var/run/docker.sock",
        "--volume",
        &config,
        "--env",
        &format!("MAY_RESTART={allowed}"),
        &image,
        "haproxy",
        "-f",
        "/etc/docker-proxy/haproxy.cfg",
    ]);
    let address = run(&mut docker(["port", &proxy.0, "2375"]));
    wait_until("the proxy answers", BOUND, || {
        ask(&address, "GET /_ping HTTP/1.1") == Some(200)
    });

    let id = &victim.0;
    let table = [
        ("GET /_ping", 200),
        ("HEAD /_ping", 200),
        ("GET /v1.41/version", 200),
        ("GET /v1.41/containers/json?all=true", 200),
        ("GET /containers/ID/json", 200),
        ("GET /v1.41/containers/NAME/logs?stdout=1&tail=10", 200),
        ("POST /v1.41/containers/NAME/start", 304),
        ("POST /v1.41/containers/NAME/restart?t=0", 204),
        ("POST /containers/NAME/restart?t=0", 204),
        // Other things of the same container, and the same of others.
        ("POST /v1.41/containers/NAME/stop", 403),
        ("POST /v1.41/containers/NAME/kill", 403),
        ("POST /v1.41/containers/NAME/exec", 403),
        ("DELETE /v1.41/containers/NAME", 403),
        ("POST /v1.41/containers/NAME/logs?stdout=1", 403),
        ("GET /v1.41/containers/PROXY/logs?stdout=1", 403),
        ("GET /v1.41/containers/NAME/archive?path=/etc/shadow", 403),
        ("POST /v1.41/containers/PROXY/restart", 403),
        ("POST /v1.41/containers/ID/restart", 403),
        ("POST /v1.41/containers/NAMEx/restart", 403),
        ("POST /v1.41/containers/create", 403),
        ("POST /v1.41/images/create?fromImage=x", 403),
        ("GET /v1.41/info", 403),
        ("GET /v1.41/secrets", 403),
        ("PUT /v1.41/containers/NAME/restart", 403),
        // Ways around.
        ("GET /v1.41/containers/NAME/../../info", 403),
        ("GET /v1.41/containers/NAME%2f..%2f..%2finfo/json", 403),
        ("POST /v1.41/containers/NAME/restart/../stop", 403),
        ("POST //containers/NAME/restart", 403),
        // Before 1.24 a start could bring new settings for the container.
        ("POST /v1.23/containers/NAME/start", 403),
        ("POST /v1.9/containers/NAME/start", 403),
    ];
    let fill = |line: &str| {
        line.replace("NAME", &allowed)
            .replace("ID", id)
            .replace("PROXY", &proxy.0)
    };
    for (line, status) in table {
        let request = format!("{} HTTP/1.1", fill(line));
        assert_eq!(ask(&address, &request), Some(status), "{line}\n{}", proxy.logs());
    }
    for body in [
        "Content-Length: 2|{}",
        "Content-Length: 02|{}",
        "Transfer-Encoding: chunked|2\r\n{}\r\n0\r\n\r\n",
    ] {
        let request = fill("POST /v1.41/containers/NAME/start HTTP/1.1\r\nContent-Type: application/json\r\n") + body;
        assert_eq!(ask(&address, &request), Some(403), "{body}");
    }
    assert!(
        proxy.logs().contains("/exec"),
        "what was refused is told: {}",
        proxy.logs()
    );
}
