//! Faults that are there from the start, and the command line around them.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::harness::{Service, binary, free_address, run, wait_until};

#[test]
fn fault_without_chaos_is_an_error_that_says_so() {
    let mut with_variable_off = binary(&["--fault", "hang"]);
    with_variable_off.env("DEMO_CHAOS", "0");
    for output in [
        run(&["--fault", "hang"]),
        run(&["serve", "--fault", "hang"]),
        with_variable_off.output().unwrap(),
    ] {
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("--fault needs --chaos (or DEMO_CHAOS=1)"), "{stderr}");
    }
}

#[test]
fn faults_unknown_to_the_page_are_errors() {
    for fault in ["oops", "crash=300", "slow=0", "refuse", "hang@later"] {
        let output = run(&["--chaos", "--fault", fault]);
        assert_eq!(output.status.code(), Some(2), "{fault}");
        assert!(!output.stderr.is_empty(), "{fault}");
    }
}

#[test]
fn crash_and_abort_by_flag_end_the_process_at_once() {
    let mut service = Service::start(&["--chaos", "--fault", "crash=3"]);
    service.ended_with(3);

    let mut service = Service::start(&["--chaos", "--fault", "abort"]);
    assert_eq!(service.ended().signal(), Some(Signal::ABORT.as_raw()));
}

#[test]
fn crash_by_flag_can_wait() {
    let mut service = Service::start(&["--chaos", "--fault", "crash=5@100ms"]);
    service.ended_with(5);
}

#[test]
fn hang_by_flag_is_there_from_the_start() {
    let service = Service::start(&["--chaos", "--fault", "hang"]);
    let health = service.send("GET", "/health");
    assert_eq!(service.get("/chaos").json()["active"]["hang"], true);
    assert!(health.is_unanswered());
    service.post("/chaos/reset");
    assert_eq!(health.reply().status, 200);
}

#[test]
fn several_faults_are_in_effect_together() {
    let arguments = [
        "--chaos",
        "--fault",
        "status=418",
        "--fault",
        "slow=20ms",
        "--fault",
        "memory=8",
    ];
    let service = Service::start(&arguments);
    assert_eq!(service.get("/health").status, 418);
    wait_until("the memory", || {
        service.get("/chaos").json()["active"]["memory_mib"] == 8
    });
    assert_eq!(service.get("/chaos").json()["active"]["slow_ms"], 20);
}

#[test]
fn deadlock_by_flag_is_there_from_the_start() {
    let service = Service::start(&["--chaos", "--fault", "deadlock"]);
    wait_until("the deadlock", || {
        service.threads().iter().any(|name| name == "chaos-deadlock")
    });
    assert!(service.send("GET", "/health").is_unanswered());
}

#[test]
fn refuse_does_not_listen_until_its_time_is_up() {
    let address = free_address();
    let service = Service::launch(&["--chaos", "--fault", "refuse=200ms"], &address.to_string());
    assert!(service.line().starts_with("event=refusing for=200ms "));
    assert!(service.line().starts_with(&format!("event=listening addr={address} ")));
}

#[test]
fn refuse_refuses_connections_and_can_be_stopped() {
    let address = free_address();
    let mut service = Service::launch(&["--chaos", "--fault", "refuse=1h"], &address.to_string());
    assert!(service.line().starts_with("event=refusing for=1h "));
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);

    service.signal(Signal::TERM);
    service.ended_with(0);
}
