//! Every fault over HTTP.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Exchange, Service, wait_until};

#[test]
fn chaos_switched_off_answers_404_and_how_to_switch_it_on() {
    let service = Service::start(&[]);
    for reply in [
        service.get("/chaos"),
        service.post("/chaos/crash?code=3"),
        service.post("/chaos/hang"),
        service.post("/chaos/reset"),
        service.get("/chaos/deep/down"),
    ] {
        assert_eq!(reply.status, 404);
        assert!(reply.body.contains("--chaos or DEMO_CHAOS=1"), "{reply:?}");
    }
    assert_eq!(service.get("/health").status, 200);
    assert!(!service.get("/").body.contains("/chaos"));
}

#[test]
fn crash_answers_and_then_exits_with_the_code() {
    let mut service = Service::with_chaos();
    let reply = service.post("/chaos/crash?code=3");
    assert_eq!((reply.status, reply.json()), (202, json!({ "fault": "crash=3" })));
    service.ended_with(3);
    assert_eq!(service.last_lines(), ["event=fault fault=\"crash=3\""]);
}

#[test]
fn crash_happens_even_when_the_caller_hangs_up_first() {
    let mut service = Service::with_chaos();
    let stream = service.connect();
    // Connections are taken in order, so the one before this is by now.
    assert_eq!(service.get("/health").status, 200);
    // Stopped, so that the request and the end of the connection arrive together.
    service.signal(Signal::STOP);
    drop(Exchange::begin(stream, "POST", "/chaos/crash?code=4"));
    service.signal(Signal::CONT);
    service.ended_with(4);
}

#[test]
fn abort_answers_and_then_dies_of_sigabrt() {
    let mut service = Service::with_chaos();
    assert_eq!(service.post("/chaos/abort").status, 202);
    assert_eq!(service.ended().signal(), Some(Signal::ABORT.as_raw()));
}

#[test]
fn hang_accepts_and_never_answers_until_reset() {
    let service = Service::with_chaos();
    assert_eq!(service.post("/chaos/hang").status, 200);
    let health = service.send("GET", "/health");
    let index = service.send("GET", "/");
    // The one thread took both requests in before this one, which it answers.
    assert_eq!(service.get("/chaos").json()["active"]["hang"], true);
    assert!(health.is_unanswered() && index.is_unanswered());

    let reset = service.post("/chaos/reset");
    assert_eq!((reset.status, &reset.json()["active"]["hang"]), (200, &json!(false)));
    assert_eq!(health.reply().status, 200);
    assert_eq!(index.reply().status, 200);
}

#[test]
fn status_is_what_health_answers_with_the_reason() {
    let service = Service::with_chaos();
    assert_eq!(service.post("/chaos/status?code=503").status, 200);
    let health = service.get("/health");
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "failing");
    assert_eq!(health.json()["reason"], "the injected fault status=503 is in effect");
    assert_eq!(service.get("/").status, 200);

    service.post("/chaos/reset");
    assert_eq!(service.get("/health").json()["status"], "ok");
}

#[test]
fn slow_answers_late() {
    let service = Service::with_chaos();
    assert_eq!(service.post("/chaos/slow?ms=200").status, 200);
    // Only "not earlier" can be asserted; "not much later" would be a guess
    // about the machine.
    let start = Instant::now();
    assert_eq!(service.get("/health").status, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));

    assert_eq!(service.post("/chaos/slow?ms=600000").status, 200);
    let late = service.send("GET", "/health");
    assert_eq!(service.get("/chaos").json()["active"]["slow_ms"], 600_000);
    assert!(late.is_unanswered());
    service.post("/chaos/reset");
    assert_eq!(service.get("/health").status, 200);
}

#[test]
fn memory_is_really_used_bounded_and_given_back() {
    let service = Service::with_chaos();
    let before = service.resident_mib();
    assert_eq!(service.post("/chaos/memory?mib=96").status, 202);
    wait_until("96 MiB to be resident", || service.resident_mib() >= before + 96);
    wait_until("96 MiB to be reported", || {
        service.get("/chaos").json()["active"]["memory_mib"] == 96
    });
    assert_eq!(service.get("/health").status, 200);

    let reply = service.post("/chaos/memory?mib=1024");
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.body,
        "memory: 1024 MiB more would be over the limit of 1024 MiB in all\n"
    );

    assert_eq!(service.post("/chaos/reset").json()["active"]["memory_mib"], 0);
    wait_until("the memory to be given back", || service.resident_mib() < before + 48);
}

#[test]
fn deadlock_listens_and_never_answers_and_only_sigkill_helps() {
    let mut service = Service::with_chaos();
    assert_eq!(service.post("/chaos/deadlock").status, 202);
    // The thread that asks for the second lock is started by the one that
    // serves, which does not return from there.
    wait_until("the deadlock", || {
        service.threads().iter().any(|name| name == "chaos-deadlock")
    });

    let health = service.send("GET", "/health");
    let reset = service.send("POST", "/chaos/reset");
    service.signal(Signal::TERM);
    // That nothing comes, ever, cannot be shown; a while has to do. A slow
    // machine makes this test no stricter, only a broken service fails it.
    let start = Instant::now();
    wait_until("a while to pass", || start.elapsed() > Duration::from_millis(300));
    assert!(
        TcpStream::connect(service.address).is_ok(),
        "the kernel still completes handshakes"
    );
    assert!(health.is_unanswered() && reset.is_unanswered());
    assert!(service.is_running());

    service.signal(Signal::KILL);
    assert_eq!(service.ended().signal(), Some(Signal::KILL.as_raw()));
}

#[test]
fn bad_requests_are_answered_with_the_reason_and_break_nothing() {
    let service = Service::with_chaos();
    for (path, status, reason) in [
        (
            "/chaos/crash?code=256",
            400,
            "crash: `256` is not an exit code from 0 to 255",
        ),
        ("/chaos/crash?code=", 400, "crash: `` is not an exit code from 0 to 255"),
        (
            "/chaos/crash?cod=3",
            400,
            "crash has no parameter `cod`; it takes only `code`",
        ),
        (
            "/chaos/abort?code=3",
            400,
            "abort has no parameter `code`; it takes none",
        ),
        (
            "/chaos/status?code=99",
            400,
            "status: `99` is not a status from 200 to 599",
        ),
        (
            "/chaos/status?code=x%00y",
            400,
            "status: `x\0y` is not a status from 200 to 599",
        ),
        (
            "/chaos/slow?ms=600001",
            400,
            "slow: `600001` is not a delay from 1 to 600000",
        ),
        ("/chaos/slow?ms=-1", 400, "slow: `-1` is not a delay"),
        ("/chaos/memory?mib=99999999999999999999", 400, "is not 1 to 1024 MiB"),
        (
            "/chaos/refuse",
            404,
            "refuse is for the start alone: --fault refuse=10s",
        ),
        ("/chaos/oops", 404, "no fault is called `oops`"),
        ("/nowhere", 404, "try / or /health"),
    ] {
        let reply = service.post(path);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert!(reply.body.contains(reason), "{path}: {reply:?}");
    }
    let reply = service.get("/chaos/crash");
    assert_eq!(reply.status, 405);
    assert_eq!(
        reply.body,
        "GET /chaos/crash does nothing; faults are injected with POST\n"
    );

    let active = &service.get("/chaos").json()["active"];
    assert_eq!(
        active,
        &json!({ "hang": false, "status": null, "slow_ms": null, "memory_mib": 0 })
    );
    assert_eq!(service.get("/health").status, 200);
}
