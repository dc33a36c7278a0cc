//! Receivers that stay silent, and a store that cannot be written, around the running agent.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::agent::{Hook, Place, wait};

/// What waits, as `sentinel alerts queue --json` says.
fn queue(place: &Place) -> Value {
    let output = place.ask(&["alerts", "queue", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn receiver<'a>(queue: &'a Value, name: &str) -> &'a Value {
    let receivers = queue["receivers"].as_array().unwrap();
    receivers.iter().find(|receiver| receiver["name"] == name).unwrap()
}

#[test]
fn a_receiver_that_accepts_and_stays_silent_delays_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let hook = Hook::start();
    let mut place = Place::new();
    let services = place.service("shop", "") + &place.service("mail", "");
    place.configure(&format!(
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n[receivers.silent]\nwebhook.url = \"http://{address}/\"\n{}{services}",
        hook.receiver("team")
    ));
    place.begin("shop");
    place.begin("mail");
    place.start();
    place.wait_for_state("shop", "healthy");
    place.wait_for_state("mail", "healthy");

    place.kill_and_see_healed("shop");
    // From here on the silent one has a message and does not answer.
    let (_held, _) = silent.accept().unwrap();
    place.kill_and_see_healed("mail");
    place.kill_and_see_healed("shop");
    let reported = |what: &str| hook.messages().iter().filter(|message| *message == what).count();
    wait("the other receiver is told everything", || {
        let done = reported("shop fired") == 2 && reported("shop resolved") == 2 && reported("mail resolved") == 1;
        done.then_some(())
    });
    // All of it happened before the agent lost its patience with the silent one even once.
    let lines = place.lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("receiver=silent") && line.contains("not delivered")),
        "{}",
        lines.join("\n")
    );
    let queue = queue(&place);
    assert_eq!(receiver(&queue, "team")["waiting"], 0, "{queue:#}");
    assert!(receiver(&queue, "silent")["waiting"].as_u64().unwrap() > 0, "{queue:#}");
    let first = &queue["messages"][0];
    assert_eq!(
        (&first["receiver"], &first["state"], &first["attempts"]),
        (&"silent".into(), &"inflight".into(), &1.into()),
        "{queue:#}"
    );
    let text = place.ask(&["alerts", "queue"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("being sent"), "{text}");
}

/// A file system of 1 MiB at `path`, gone when dropped.
struct TinyDisk(PathBuf);

impl TinyDisk {
    /// `None` when this process may not mount; in CI that is a failure.
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must run this as root, to mount a tiny disk"
        );
        eprintln!("NOT TESTED: alerts while the disk is full; mounting needs root");
        None
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn what_needs_manual_action_is_distinguished_from_memory_while_the_disk_is_full_and_once() {
    let hook = Hook::start();
    let mut place = Place::new();
    let Some(disk) = TinyDisk::mount(&place.path("state")) else {
        return;
    };
    let services = place.service("shop", "severity = \"critical\"") + &place.service("mail", "");
    place.configure(&format!(
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n{}{services}",
        hook.receiver("team")
    ));
    place.begin("shop");
    place.begin("mail");
    place.start();
    place.wait_for_state("shop", "healthy");
    place.wait_for_state("mail", "healthy");

    let ballast = disk.0.join("ballast");
    let _ = fs::write(&ballast, vec![0; 1024 * 1024]);
    place.kill("shop");
    place.kill("mail");
    wait(
        "an alert that the store cannot be written, and the critical one",
        || {
            let messages = hook.messages();
            let has = |what: &str| messages.iter().any(|message| message == what);
            (has(" store_failed") && has("shop fired")).then_some(())
        },
    );
    assert!(!place.runs("shop") && !place.runs("mail"), "nothing is restarted");
    assert!(!hook.messages().contains(&"mail fired".to_owned()), "it can wait");
    // What is written on the way to the disk can still fit, so the store is made to be full until now.
    assert!(place.lines().iter().any(|line| line.contains("event=store_failed")));

    fs::remove_file(&ballast).unwrap();
    place.wait_for_state("shop", "healthy");
    place.wait_for_state("mail", "healthy");
    wait("the end of it", || {
        let messages = hook.messages();
        let has = |what: &str| messages.iter().any(|message| message == what);
        (has("shop resolved") && has("mail resolved") && has(" store_works")).then_some(())
    });
    wait("an empty queue", || {
        (receiver(&queue(&place), "team")["waiting"] == 0).then_some(())
    });
    let messages = hook.messages();
    for once in [
        "shop fired",
        "shop resolved",
        "mail fired",
        "mail resolved",
        " store_failed",
        " store_works",
    ] {
        let times = messages.iter().filter(|message| *message == once).count();
        assert_eq!(times, 1, "{once} in {messages:?}");
    }
    let incident = place.ask(&["incidents", "1", "--json"]);
    let incident: Value = serde_json::from_slice(&incident.stdout).unwrap();
    let states: Vec<_> = incident["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["delivered", "delivered"], "{incident:#}");
}
