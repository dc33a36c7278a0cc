//! Starting, answering, stopping.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Service, binary, run};

#[test]
fn health_says_what_machines_want_to_know() {
    let service = Service::start(&["--name", "shop"]);
    let health = service.get("/health");
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["name"], "shop");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["pid"], service.pid());
    assert!(health["uptime_seconds"].is_u64());
    assert!(health.get("reason").is_none());
}

#[test]
fn index_is_a_page_that_fits_a_phone() {
    let page = Service::start(&["serve", "--name", "shop"]).get("/").body;
    assert!(
        page.contains("<h1>shop</h1>") && page.contains("name=\"viewport\""),
        "{page}"
    );
    let page = Service::start(&["--chaos"]).get("/").body;
    assert!(page.contains("action=\"/chaos/crash?code=1\""), "{page}");
}

#[test]
fn variables_mean_the_same_as_flags() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    let mut command = binary(&["--listen", "127.0.0.1:0", "--fault", "crash=6"]);
    command
        .env("DEMO_CHAOS", "1")
        .env("DEMO_NAME", "shop")
        .env("DEMO_PID_FILE", &pid_file);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8(output.stdout).unwrap().contains("service=shop"));
    assert!(pid_file.exists());
}

#[test]
fn sigterm_and_sigint_stop_cleanly() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let mut service = Service::start(&[]);
        assert_eq!(service.get("/health").status, 200);
        service.signal(signal);
        service.ended_with(0);
        let expected = [
            format!("event=stopping signal={name}"),
            "event=stopped drained=true".into(),
        ];
        assert_eq!(service.last_lines(), expected);
    }
}

#[test]
fn sigterm_lets_a_request_under_way_finish() {
    let mut service = Service::start(&["--chaos", "--fault", "slow=300ms"]);
    let health = service.send("GET", "/health");
    // Answered after the request above has been taken in.
    service.get("/chaos");
    service.signal(Signal::TERM);
    assert_eq!(health.reply().status, 200);
    service.ended_with(0);
}

#[test]
fn sigterm_stops_a_hung_service() {
    let mut service = Service::start(&["--chaos", "--fault", "hang"]);
    let _health = service.send("GET", "/health");
    service.get("/chaos");
    service.signal(Signal::TERM);
    service.ended_with(0);
    assert_eq!(service.last_lines().last().unwrap(), "event=stopped drained=false");
}

#[test]
fn pid_file_goes_with_a_clean_stop_and_stays_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("demo.pid");
    let path_text = path.to_str().unwrap();
    let arguments = ["--chaos", "--pid-file", path_text];

    let mut service = Service::start(&arguments);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", service.pid()));
    service.post("/chaos/crash");
    service.ended_with(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", service.pid()));

    let mut service = Service::start(&arguments);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", service.pid()));
    service.signal(Signal::TERM);
    service.ended_with(0);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn pid_file_of_a_successor_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("demo.pid");
    let mut service = Service::start(&["--pid-file", path.to_str().unwrap()]);
    fs::write(&path, "1\n").unwrap();
    service.signal(Signal::TERM);
    service.ended_with(0);
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
}

#[test]
fn failing_to_start_says_what_and_why() {
    let service = Service::start(&[]);
    let address = service.address.to_string();
    for (arguments, message) in [
        (
            ["--listen", &address],
            format!("cannot listen on {address}: Address already in use"),
        ),
        (
            ["--pid-file", "/nowhere/pid"],
            "cannot write the pid file /nowhere/pid: No such".into(),
        ),
    ] {
        let output = binary(&arguments).env("DEMO_LISTEN", "127.0.0.1:0").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&message), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn wrong_command_lines_are_refused() {
    for arguments in [
        ["--listen", "nowhere"],
        ["--name", "<b>"],
        ["--oops", ""],
        ["healthcheck", "--chaos"],
    ] {
        assert_eq!(run(&arguments).status.code(), Some(2), "{arguments:?}");
    }
}
