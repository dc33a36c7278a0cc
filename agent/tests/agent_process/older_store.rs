//! A store that an older program left in the middle of everything is gone on with.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use sentinel_base::clock::Anchor;
use sentinel_engine::Time;
use sentinel_store::{AlertChanges, Batch, Store};
use serde_json::Value;

use super::agent::{Hook, Place, wait};

/// What the program of commit c7fc518 left.
const LEFT: &str = include_str!("../store/c7fc518.sql");

/// The last moment that it recorded, in microseconds.
const LAST: u64 = 4_530_705_069;

/// Puts the store in its place. However long ago it was made, the host has been off since, by a clock that shows the
/// moment at which it was left: else its silence would have ended, and its messages would be too old to be reported.
fn put_in_place(place: &Place) {
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    let connection = Connection::open(state.join("sentinel.db")).unwrap();
    connection.execute_batch(LEFT).unwrap();
    connection.close().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let store = Store::open(&state).await.unwrap().store;
        let anchor = Anchor {
            boot_id: "an earlier boot".to_owned(),
            offset: std::time::Duration::ZERO,
            last: Time::from_epoch(std::time::Duration::from_micros(LAST)),
            wall: sentinel_base::clock::wall(),
        };
        let batch = Batch {
            anchor,
            saves: Vec::new(),
            host: None,
            reports: Vec::new(),
            evidence: Vec::new(),
            messages: Vec::new(),
            completed: Vec::new(),
            alerts: AlertChanges::default(),
        };
        store.commit(batch).await.unwrap();
        store.close().await;
    });
}

/// Answers every probe with 503, until it is well.
fn serve(well: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let status = if well.load(Ordering::SeqCst) {
                "200 OK"
            } else {
                "503 No"
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = reader.into_inner().write_all(answer.as_bytes());
        }
    });
    address
}

/// What the agent answers in JSON.
fn asked(place: &Place, arguments: &[&str]) -> Value {
    let output = place.ask(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whatever of a message names incidents: one message may report several.
fn mentions(hook: &Hook, words: &str) -> bool {
    hook.bodies().iter().any(|body| body.to_string().contains(words))
}

#[test]
fn what_the_program_of_c7fc518_left_is_gone_on_with() {
    let well = Arc::new(AtomicBool::new(false));
    let address = serve(Arc::clone(&well));
    let (taken, dead) = (Hook::start(), Hook::start());
    let mut place = Place::new();
    put_in_place(&place);
    let mut config = String::from(
        "[defaults]\ninterval = \"200ms\"\ntimeout = \"200ms\"\nstart_grace = \"1s\"\n\
         [alerts]\nnotify_after = \"0s\"\n",
    );
    config += &taken.receiver("taken");
    config += &dead.receiver("dead");
    for name in ["shop", "page", "quiet"] {
        writeln!(config, "[services.{name}]\nhttp = \"http://{address}/{name}\"").unwrap();
    }
    config += &place.service("job", "recovery.burst = 2\nrecovery.half_open = \"0s\"");
    place.configure(&config);
    // What it ran died with it.
    fs::write(place.path("job.pid"), "4194304").unwrap();
    place.start();

    // The incidents are the same ones, and nobody is asked to acknowledge or to silence anything again.
    place.wait_for_state("job", "gave_up");
    for (service, incident) in [("job", 1), ("quiet", 2), ("page", 3), ("shop", 4)] {
        wait(&format!("the incident of {service}"), || {
            (place.status(service)["incident"] == incident).then_some(())
        });
    }
    assert_eq!(place.status("page")["acknowledged"]["by"], "root");
    assert_eq!(place.status("page")["acknowledged"]["text"], "looking into it");
    assert_eq!(place.status("job")["attempts_left"], 0);
    assert!(!place.runs("job"), "what was given up is left");
    let silences = asked(&place, &["silence", "list", "--json"]);
    assert!(silences.to_string().contains("the move"), "{silences:#}");
    let one = asked(&place, &["incidents", "1", "--json"]);
    assert!(one.to_string().contains("gave up after 2 attempts"), "{one:#}");

    // What a receiver had not taken reaches it, and the other is told nothing twice.
    for service in ["job", "page", "shop"] {
        wait(&format!("the queued message about {service}"), || {
            mentions(&dead, &format!("\"{service}\"")).then_some(())
        });
    }
    assert!(taken.messages().is_empty(), "{:?}", taken.messages());

    // The ends of what goes on are asked to whoever heard of the beginning; the silence still holds.
    well.store(true, Ordering::SeqCst);
    for service in ["shop", "page", "quiet"] {
        place.wait_for_state(service, "healthy");
    }
    assert!(place.ask(&["restart", "job"]).status.success());
    place.wait_for_state("job", "healthy");
    for hook in [&taken, &dead] {
        for service in ["shop", "page", "job"] {
            wait(&format!("the end of {service}"), || {
                let resolved = |body: &Value| body["data"]["service"] == service && body["data"]["kind"] == "resolved";
                hook.bodies().iter().any(resolved).then_some(())
            });
        }
        assert!(!mentions(hook, "\"quiet\""), "{:?}", hook.messages());
    }
    let incidents = asked(&place, &["incidents", "--json"]);
    let incidents = incidents["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 4, "no other was opened: {incidents:#?}");
    // What that program did not note counts from when the incident opened.
    for incident in incidents {
        let seconds = |name: &str| {
            incident[name]
                .as_f64()
                .unwrap_or_else(|| panic!("no {name}: {incident:#}"))
        };
        let (down, proved) = (seconds("down_seconds"), seconds("proved_after_seconds"));
        assert!(down > 0.0 && down <= proved, "{incident:#}");
    }
}
