//! `demo-service healthcheck`.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use crate::harness::{Service, binary, free_address, run};

/// Runs a check, and answers its exit code and what it said.
fn check(url: &str) -> (i32, String) {
    let output = run(&["healthcheck", "--url", url, "--timeout", "20s"]);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn well_is_0_without_a_word() {
    let service = Service::start(&[]);
    for path in ["/health", "/", ""] {
        let url = format!("http://{}{path}", service.address);
        assert_eq!(check(&url), (0, String::new()));
    }
}

#[test]
fn variables_of_the_service_do_not_disturb_the_check() {
    // In a container, both run with the same environment.
    let service = Service::start(&[]);
    let mut command = binary(&["healthcheck", "--url", &format!("http://{}/health", service.address)]);
    command
        .env("DEMO_LISTEN", "0.0.0.0:8080")
        .env("DEMO_CHAOS", "1")
        .env("DEMO_NAME", "shop");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn status_is_1_with_one_line() {
    let service = Service::start(&["--chaos", "--fault", "status=503"]);
    let url = format!("http://{}/health", service.address);
    assert_eq!(
        check(&url),
        (1, format!("demo-service: unhealthy: {url}: status 503\n"))
    );
}

#[test]
fn refused_is_1_with_one_line() {
    let url = format!("http://{}/health", free_address());
    let (code, said) = check(&url);
    assert_eq!(code, 1);
    let expected = format!("demo-service: unhealthy: {url}: cannot connect: Connection refused");
    assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
}

#[test]
fn hang_is_1_at_the_deadline() {
    let service = Service::start(&["--chaos", "--fault", "hang"]);
    let url = format!("http://{}/health", service.address);
    let output = run(&["healthcheck", "--url", &url, "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("demo-service: unhealthy: {url}: no answer within 100ms\n"),
    );
}

#[test]
fn what_is_not_http_is_1() {
    for answer in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"", &[b'x'; 4096]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Reads the request first: closing with unread data resets the connection.
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let _ = stream.write_all(answer);
        });
        let (code, said) = check(&url);
        assert_eq!(
            (code, said.as_str()),
            (1, &*format!("demo-service: unhealthy: {url}: the answer is not HTTP\n"))
        );
        server.join().unwrap();
    }
}

#[test]
fn a_url_it_cannot_ask_is_a_wrong_command_line() {
    let (code, said) = check("https://127.0.0.1/health");
    assert_eq!(code, 2);
    assert!(said.contains("must look like http://127.0.0.1:8080/health"), "{said}");
}
