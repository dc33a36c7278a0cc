//! `demo-service inject` and `demo-service receive`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{Service, free_address, run};

/// Breaks the service, and answers the exit code and what was said.
fn inject(service: &Service, fault: &str) -> (i32, String) {
    let output = run(&["inject", fault, "--to", &service.address.to_string()]);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn service_is_broken_and_fixed_from_the_command_line() {
    let mut service = Service::with_chaos();
    assert_eq!(inject(&service, "status=503"), (0, String::new()));
    assert_eq!(service.get("/health").status, 503);
    assert_eq!(inject(&service, "reset").0, 0);
    assert_eq!(service.get("/health").status, 200);
    assert_eq!(inject(&service, "hang").0, 0);
    // In a hang it still takes faults.
    assert_eq!(inject(&service, "crash=3").0, 0);
    service.ended_with(3);
}

#[test]
fn what_cannot_be_broken_says_why() {
    let service = Service::start(&[]);
    let (code, said) = inject(&service, "hang");
    assert_eq!(code, 1);
    let expected = "it takes no faults; start it with --chaos or DEMO_CHAOS=1";
    assert!(said.contains(expected), "{said}");
    assert_eq!(inject(&service, "explode").0, 2);
    let unanswered = run(&["inject", "hang", "--to", &free_address().to_string()]);
    assert_eq!(unanswered.status.code(), Some(1));
    let said = String::from_utf8(unanswered.stderr).unwrap();
    assert!(said.contains("cannot connect: Connection refused"), "{said}");
}

#[test]
fn webhooks_are_written_to_the_log() {
    let receiver = Service::start_receiver();
    let post = |body: &str| {
        let mut stream = TcpStream::connect(receiver.address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: r\r\nConnection: close\r\nwebhook-id: evt-1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let message =
        r#"{"data": {"kind": "healed", "severity": "info", "service": "shop", "incident": 7, "summary": "all\nwell"}}"#;
    assert!(post(message).starts_with("HTTP/1.1 204"));
    assert_eq!(
        receiver.line(),
        "event=alert kind=healed severity=info service=shop incident=7 summary=\"all\\nwell\" id=evt-1"
    );
    assert!(post("{").starts_with("HTTP/1.1 400"));
    assert_eq!(receiver.line(), "event=refused reason=\"the body is not JSON\"");
    assert_eq!(receiver.get("/health").status, 204);
}
