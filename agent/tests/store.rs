//! The store against real files, a real full disk, and real SIGKILLs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sentinel::clock::{Anchor, Clock};
use sentinel::store::{Batch, IncidentFilter, Next, Opened, OutgoingMessage, Store, StoreError, StoreErrorKind};
use sentinel_engine::{
    Action, ActionId, ActionResult, Cause, Happening, Hold, IncidentId, Memory, Report, Resolution, ServiceName,
    Severity, State, Time, Verb,
};

fn now() -> Time {
    Time::from_epoch(Duration::from_secs(1000))
}

fn wall() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn anchor() -> Anchor {
    Anchor {
        boot_id: "boot".to_owned(),
        offset: Duration::from_secs(5),
        last: now(),
        wall: wall(),
    }
}

fn batch() -> Batch {
    Batch {
        anchor: anchor(),
        saves: Vec::new(),
        reports: Vec::new(),
        messages: Vec::new(),
    }
}

fn report(incident: u64, what: Happening) -> (Report, Timestamp) {
    let report = Report {
        at: now(),
        service: "shop".into(),
        incident: (incident > 0).then_some(IncidentId(incident)),
        what,
    };
    (report, wall())
}

fn started(action: u64, incident: u64) -> (Report, Timestamp) {
    let action = Action {
        id: ActionId(action),
        service: "shop".into(),
        incident: (incident > 0).then_some(IncidentId(incident)),
        attempt: 1,
        verb: Verb::Restart,
        expected: Some("run-1".into()),
    };
    report(incident, Happening::ActionStarted { action })
}

fn opened(incident: u64) -> (Report, Timestamp) {
    let cause = Cause::Killed {
        signal: 9,
        core_dumped: false,
    };
    report(incident, Happening::IncidentOpened { cause })
}

fn message(incident: u64, sequence: u32, receiver: &str) -> OutgoingMessage {
    OutgoingMessage {
        incident: IncidentId(incident),
        sequence,
        receiver: receiver.to_owned(),
        kind: "fired",
        severity: Severity::Warning,
        payload: format!("message {incident}/{sequence}").into_bytes(),
        created: now(),
        created_wall: wall(),
    }
}

fn memory(recoveries: u64) -> Memory {
    Memory {
        recoveries,
        ..Memory::default()
    }
}

/// A batch that makes one row of every kind, all numbered `n`.
fn full_batch(n: u64) -> Batch {
    Batch {
        anchor: anchor(),
        saves: vec![("shop".into(), memory(n))],
        reports: vec![opened(n), started(n, n)],
        messages: vec![message(n, 1, "team")],
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("sentinel.db")
}

/// As splitmix64: a seed gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let Opened {
        store,
        anchor: none,
        next_incident,
        next_action,
        ..
    } = Store::open(dir.path()).await.unwrap();
    assert_eq!((none, next_incident, next_action), (None, IncidentId(1), ActionId(1)));
    store.commit(full_batch(4)).await.unwrap();
    store.close().await;

    let again = Store::open(dir.path()).await.unwrap();
    assert_eq!(again.memories, BTreeMap::from([("shop".into(), memory(4))]));
    assert_eq!(again.anchor, Some(anchor()));
    assert_eq!(
        (again.next_incident, again.next_action),
        (IncidentId(5), ActionId(5)),
        "numbers go on"
    );
    assert_eq!(again.quarantined, None);
    assert!(again.unreadable.is_empty());
}

#[tokio::test]
async fn an_incident_is_told_from_beginning_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let (id, action) = (1, ActionId(1));
    let steps = vec![
        report(
            0,
            Happening::StateChanged {
                from: State::Healthy,
                to: State::Down,
            },
        ),
        opened(id),
        started(1, id),
        report(
            id,
            Happening::ActionEnded {
                action,
                result: ActionResult::Done,
            },
        ),
        report(
            id,
            Happening::ActionUnverified {
                action,
                reason: "status 500".to_owned(),
            },
        ),
        report(
            id,
            Happening::CauseChanged {
                cause: Cause::OomKilled,
            },
        ),
        report(
            id,
            Happening::ActionHeld {
                hold: Hold::Backoff,
                remaining: None,
            },
        ),
        report(
            id,
            Happening::GaveUp {
                attempts: 5,
                window: Duration::from_secs(1800),
            },
        ),
    ];
    store
        .commit(Batch {
            reports: steps,
            messages: vec![message(id, 1, "team")],
            ..batch()
        })
        .await
        .unwrap();

    let open = store.incident(IncidentId(id)).await.unwrap().unwrap();
    assert_eq!(open.incident.cause_kind, "oom_killed");
    assert_eq!(open.incident.cause, serde_json::json!({"kind": "oom_killed"}));
    assert!(open.incident.gave_up && open.incident.closed.is_none() && open.incident.attempts == 1);
    let words: Vec<&str> = open.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(
        words,
        [
            "incident_opened",
            "restart",
            "restart_ended",
            "not_verified",
            "cause_changed",
            "held",
            "gave_up"
        ]
    );
    assert_eq!(open.timeline[0].text, "killed by signal KILL");
    assert_eq!(open.actions.len(), 1);
    let attempt = &open.actions[0];
    assert_eq!(
        (attempt.verb.as_str(), attempt.expected.as_deref()),
        ("restart", Some("run-1"))
    );
    assert_eq!(
        (attempt.outcome.as_deref(), attempt.verified),
        (Some("done"), Some(false))
    );
    assert_eq!(attempt.verdict_text.as_deref(), Some("status 500"));
    assert_eq!((open.messages.len(), open.messages[0].state.as_str()), (1, "pending"));

    let resolution = Resolution::Recovered;
    let closing = report(
        id,
        Happening::IncidentClosed {
            resolution,
            duration: Duration::from_secs(9),
        },
    );
    store
        .commit(Batch {
            reports: vec![closing, opened(2)],
            ..batch()
        })
        .await
        .unwrap();
    let all = store.incidents(IncidentFilter::default()).await.unwrap();
    assert_eq!(
        all.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        [2, 1],
        "newest first"
    );
    assert_eq!(all[1].resolution.as_deref(), Some("recovered"));
    assert_eq!(all[1].closed, Some(wall()));
    let filtered = |filter| store.incidents(filter);
    let open_ones = filtered(IncidentFilter {
        open_only: true,
        ..IncidentFilter::default()
    })
    .await
    .unwrap();
    assert_eq!(open_ones.iter().map(|row| row.id.0).collect::<Vec<_>>(), [2]);
    let older = IncidentFilter {
        before: Some(IncidentId(2)),
        ..IncidentFilter::default()
    };
    assert_eq!(filtered(older).await.unwrap().len(), 1);
    let other = IncidentFilter {
        service: Some("mail".into()),
        ..IncidentFilter::default()
    };
    assert_eq!(filtered(other).await.unwrap(), []);
    assert_eq!(store.incident(IncidentId(3)).await.unwrap(), None);
}

#[tokio::test]
async fn an_action_number_is_never_recorded_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store
        .commit(Batch {
            reports: vec![opened(1), started(1, 1)],
            ..batch()
        })
        .await
        .unwrap();

    let again = Batch {
        reports: vec![started(1, 1)],
        saves: vec![("shop".into(), memory(9))],
        ..batch()
    };
    let error = store.commit(again).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    store.close().await;
    let again = Store::open(dir.path()).await.unwrap();
    assert_eq!(again.memories, BTreeMap::new(), "nothing of the refused batch was kept");
    assert_eq!(
        again
            .store
            .incident(IncidentId(1))
            .await
            .unwrap()
            .unwrap()
            .timeline
            .len(),
        2
    );
}

#[tokio::test]
async fn an_incident_of_another_service_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store
        .commit(Batch {
            reports: vec![opened(1)],
            ..batch()
        })
        .await
        .unwrap();
    let mut foreign = opened(1);
    foreign.0.service = "mail".into();
    let error = store
        .commit(Batch {
            reports: vec![foreign],
            ..batch()
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "refused to record a batch: incident 1 is another service's than `mail`"
    );
}

#[tokio::test]
async fn a_report_of_an_incident_that_was_lost_makes_it_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store
        .commit(Batch {
            reports: vec![started(8, 7)],
            ..batch()
        })
        .await
        .unwrap();
    let detail = store.incident(IncidentId(7)).await.unwrap().unwrap();
    assert_eq!(
        (detail.incident.cause_kind.as_str(), detail.actions.len()),
        ("unknown", 1)
    );
}

#[tokio::test]
async fn an_operators_restart_belongs_to_no_incident() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store
        .commit(Batch {
            reports: vec![started(3, 0)],
            ..batch()
        })
        .await
        .unwrap();
    assert_eq!(store.incidents(IncidentFilter::default()).await.unwrap(), []);
    let error = store
        .commit(Batch {
            reports: vec![started(3, 0)],
            ..batch()
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
}

#[tokio::test]
async fn the_second_agent_is_refused_until_the_first_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).await.unwrap().store;
    let error = Store::open(dir.path()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    let expected = format!(
        "another agent (pid {}) is using `{}`; two agents must not watch the same services",
        std::process::id(),
        dir.path().join("lock").display()
    );
    assert_eq!(error.to_string(), expected);
    first.close().await;
    Store::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.clone().close().await;
    let error = store.commit(batch()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
}

#[tokio::test]
async fn nobody_else_may_read_what_is_stored() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a").join("sentinel");
    let store = Store::open(&dir).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in ["lock", "sentinel.db", "sentinel.db-wal", "sentinel.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_newer_agents_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).await.unwrap().store.close().await;
    let database = rusqlite::Connection::open(file(dir.path())).unwrap();
    database
        .execute_batch("UPDATE state SET schema = 99; PRAGMA user_version = 99")
        .unwrap();
    drop(database);
    let before = fs::read(file(dir.path())).unwrap();

    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("was written by a newer version of the agent (schema 99, "),
        "{error}"
    );
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(file(dir.path())).unwrap();
    database.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    drop(database);
    let before = fs::read(file(dir.path())).unwrap();
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), "garbage ".repeat(2000)).unwrap();
    let again = Store::open(dir.path()).await.unwrap();
    let moved = again.quarantined.unwrap();
    assert!(fs::read_to_string(&moved).unwrap().starts_with("garbage"));
    assert!(
        moved
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("sentinel.db.corrupt-")
    );
    again.store.commit(full_batch(1)).await.unwrap();
}

#[tokio::test]
async fn only_the_newest_damaged_files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        fs::write(file(dir.path()), "garbage ".repeat(2000)).unwrap();
        Store::open(dir.path()).await.unwrap().store.close().await;
    }
    let kept = fs::read_dir(dir.path()).unwrap().flatten();
    assert_eq!(
        kept.filter(|entry| entry.file_name().to_string_lossy().contains("corrupt"))
            .count(),
        3
    );
}

#[tokio::test]
async fn flipped_bits_never_refill_a_budget() {
    // In memory where that is possible: a thousand stores are opened.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    for n in 1..40 {
        let mut batch = full_batch(n);
        batch
            .saves
            .push((ServiceName::from(format!("service-{n}").as_str()), memory(n)));
        store.commit(batch).await.unwrap();
    }
    store.close().await;
    let sound = fs::read(file(dir.path())).unwrap();
    let before = {
        let Opened {
            store,
            memories,
            next_incident,
            next_action,
            anchor,
            ..
        } = Store::open(dir.path()).await.unwrap();
        store.close().await;
        (memories, next_incident, next_action, anchor)
    };

    let (mut quarantined, mut unharmed) = (0, 0);
    for seed in 0..1000 {
        let mut random = Random(seed);
        let mut damaged = sound.clone();
        for _ in 0..=random.below(8) {
            // Every fourth flip hits the header and the schema, where it does most.
            let bound = if random.below(4) == 0 { 4096 } else { sound.len() as u64 };
            damaged[usize::try_from(random.below(bound)).unwrap()] ^= 1 << random.below(8);
        }
        fs::write(file(dir.path()), damaged).unwrap();
        let again = Store::open(dir.path())
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        if again.quarantined.is_some() {
            quarantined += 1;
            assert!(again.memories.is_empty() && again.anchor.is_none(), "seed {seed}");
        } else {
            unharmed += 1;
            let after = (again.memories, again.next_incident, again.next_action, again.anchor);
            assert!(after == before, "seed {seed}: what the engine gets changed unnoticed");
        }
        again.store.close().await;
    }
    assert!(
        quarantined > 100 && unharmed > 30,
        "{quarantined} quarantined, {unharmed} unharmed"
    );
}

/// A file system of 1 MiB, gone when dropped.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// `None` when this process may not mount; in CI that is a failure.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "CI must run this as root, to mount a tiny disk"
        );
        eprintln!("NOT TESTED: a full and a read-only disk; mounting needs root");
        None
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.0.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_until_there_is_space_again() {
    let Some(disk) = TinyDisk::mount() else { return };
    let dir = disk.0.path();
    let store = Store::open(dir).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();

    let ballast = dir.join("ballast");
    let _ = fs::write(&ballast, vec![0; 1024 * 1024]);
    let mut recorded = 1;
    let error = loop {
        match store.commit(full_batch(recorded + 1)).await {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
        assert!(recorded < 10_000, "the disk never became full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error:?}");
    assert_eq!(
        store.commit(full_batch(recorded + 1)).await.unwrap_err().kind(),
        StoreErrorKind::Full,
        "still"
    );

    fs::remove_file(ballast).unwrap();
    store.commit(full_batch(recorded + 1)).await.unwrap();
    store.close().await;
    let again = Store::open(dir).await.unwrap();
    assert_eq!(again.memories["shop"], memory(recorded + 1));
    assert_eq!(again.next_action, ActionId(recorded + 2), "nothing lost, nothing half");
    again.store.close().await;
}

#[tokio::test]
async fn a_read_only_disk_is_an_error_when_opening() {
    let Some(disk) = TinyDisk::mount() else { return };
    let store = Store::open(disk.0.path()).await.unwrap().store;
    store.commit(full_batch(1)).await.unwrap();
    store.close().await;
    disk.remount("ro");
    let error = Store::open(disk.0.path()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly, "{error:?}");
    disk.remount("rw");
    let again = Store::open(disk.0.path()).await.unwrap();
    assert_eq!(
        (again.quarantined, again.memories.len()),
        (None, 1),
        "it was not taken for damage"
    );
    again.store.close().await;
}

#[tokio::test]
async fn a_foreign_lock_on_the_database_is_an_error_that_passes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let operator = rusqlite::Connection::open(file(dir.path())).unwrap();
    operator.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        store.commit(full_batch(1)).await.unwrap_err().kind(),
        StoreErrorKind::Busy
    );
    operator.execute_batch("ROLLBACK").unwrap();
    store.commit(full_batch(1)).await.unwrap();
}

#[tokio::test]
async fn a_message_is_sent_once_in_order_and_again_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team"), message(1, 2, "team"), message(1, 1, "boss")];
    store
        .commit(Batch {
            reports: vec![opened(1)],
            messages,
            ..batch()
        })
        .await
        .unwrap();

    let Next::Send(first) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((first.sequence, first.attempt, first.ambiguous), (1, 1, false));
    assert_eq!(first.event, store.event_id(IncidentId(1), 1, "team"));
    assert_eq!(first.payload, b"message 1/1");
    // The agent dies here, with the message perhaps sent.
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap().store;
    let Next::Send(again) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((&again.event, again.attempt, again.ambiguous), (&first.event, 2, true));

    let later = now() + Duration::from_secs(60);
    store
        .postponed(again.row, "busy".to_owned(), false, later)
        .await
        .unwrap();
    assert_eq!(
        store.next_message("team", now(), wall()).await.unwrap(),
        Next::Wait(later),
        "the second one waits too"
    );
    let Next::Send(third) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((third.sequence, third.attempt, third.ambiguous), (1, 3, true));
    store.delivered(third.row, None, wall()).await.unwrap();
    let Next::Send(second) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(second.sequence, 2);
    store.dead(second.row, "gone".to_owned(), wall()).await.unwrap();
    assert_eq!(store.next_message("team", later, wall()).await.unwrap(), Next::Idle);

    let detail = store.incident(IncidentId(1)).await.unwrap().unwrap();
    let states: Vec<_> = detail
        .messages
        .iter()
        .map(|row| (row.receiver.as_str(), row.state.as_str()))
        .collect();
    assert_eq!(states, [("team", "delivered"), ("team", "dead"), ("boss", "pending")]);
    assert_eq!(
        store.keep_receivers(vec!["team".to_owned()], wall()).await.unwrap(),
        1,
        "boss is gone"
    );
    assert_eq!(store.next_message("boss", later, wall()).await.unwrap(), Next::Idle);
}

#[tokio::test]
async fn old_news_expires_but_not_the_end_of_what_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let resolved = |incident, sequence| OutgoingMessage {
        kind: "resolved",
        ..message(incident, sequence, "team")
    };
    let messages = vec![
        message(1, 1, "team"),
        resolved(1, 2),
        message(2, 1, "team"),
        resolved(2, 2),
    ];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    let Next::Send(told) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    store.delivered(told.row, None, wall()).await.unwrap();

    let hours = |hours: u64| now() + Duration::from_secs(hours * 3600);
    let Next::Send(end) = store.next_message("team", hours(25), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (end.incident, end.sequence),
        (IncidentId(1), 2),
        "its beginning was told"
    );
    store.postponed(end.row, "down".to_owned(), false, now()).await.unwrap();
    assert_eq!(
        store.next_message("team", hours(24 * 8), wall()).await.unwrap(),
        Next::Idle,
        "a week is enough"
    );
}

#[tokio::test]
async fn the_same_message_is_recorded_once_and_told_apart_between_hosts() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path()).await.unwrap().store;
    let elsewhere = Store::open(other.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team"), message(1, 1, "team")];
    store
        .commit(Batch {
            reports: vec![opened(1)],
            messages,
            ..batch()
        })
        .await
        .unwrap();
    assert_eq!(store.incident(IncidentId(1)).await.unwrap().unwrap().messages.len(), 1);

    let id = store.event_id(IncidentId(1), 1, "team");
    assert!(id.len() == 36 && id.starts_with("msg_") && !id.contains('.'), "{id}");
    assert_eq!(id, store.event_id(IncidentId(1), 1, "team"));
    for different in [
        store.event_id(IncidentId(2), 1, "team"),
        store.event_id(IncidentId(1), 2, "team"),
        store.event_id(IncidentId(1), 1, "boss"),
        elsewhere.event_id(IncidentId(1), 1, "team"),
    ] {
        assert_ne!(id, different);
    }
}

/// Commits numbered batches and says so after each, until it is killed.
#[tokio::test]
#[ignore = "the child process of `sigkill_at_any_time_loses_nothing_that_was_acknowledged`"]
async fn child_that_commits() {
    let dir = std::env::var_os("SENTINEL_TEST_DIR").expect("started by its parent");
    let Opened {
        store,
        next_action: ActionId(mut n),
        ..
    } = Store::open(Path::new(&dir)).await.unwrap();
    loop {
        store.commit(full_batch(n)).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nrecorded {n}").and_then(|()| out.flush()).unwrap();
        n += 1;
    }
}

#[tokio::test]
async fn sigkill_at_any_time_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(42);
    let mut acknowledged = 0;
    for round in 0..40 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "child_that_commits"])
            .env("SENTINEL_TEST_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut recorded = lines
            .by_ref()
            .filter_map(|line| line.strip_prefix("recorded ")?.parse::<u64>().ok());
        // Some rounds end while the store is being opened, the others in the middle of some commit.
        for _ in 0..random.below(12) {
            acknowledged = recorded.next().expect("the child commits until it is killed");
        }
        let moment = Instant::now() + Duration::from_micros(random.below(6000));
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        acknowledged = recorded.last().unwrap_or(acknowledged);
        child.wait().unwrap();

        let again = Store::open(dir.path()).await.unwrap();
        assert_eq!(again.quarantined, None, "round {round}");
        let last = again.next_action.0 - 1;
        assert!(
            last == acknowledged || last == acknowledged + 1,
            "round {round}: {last}, told {acknowledged}"
        );
        assert_eq!(
            again.memories.get("shop").map_or(0, |memory| memory.recoveries),
            last,
            "round {round}"
        );
        again.store.close().await;
        let database = rusqlite::Connection::open(file(dir.path())).unwrap();
        for table in ["incidents", "intents", "outbox"] {
            let rows: i64 = database
                .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                u64::try_from(rows).unwrap(),
                last,
                "round {round}: every batch is whole in {table}"
            );
        }
        acknowledged = last;
    }
    assert!(acknowledged > 100, "only {acknowledged} commits were tried");
}

#[tokio::test]
async fn the_clock_goes_on_in_a_reopened_store() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).await.unwrap();
    let clock = Clock::start(first.anchor.as_ref());
    first
        .store
        .commit(Batch {
            anchor: clock.anchor(),
            ..batch()
        })
        .await
        .unwrap();
    let last = clock.now();
    first.store.close().await;
    let again = Store::open(dir.path()).await.unwrap();
    assert!(Clock::start(again.anchor.as_ref()).now() >= last);
}

/// `cargo test --test store -- --ignored --nocapture commit_latency`
#[tokio::test]
#[ignore = "a measurement"]
async fn commit_latency() {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let mut times = Vec::new();
    for n in 1..=100 {
        let begin = Instant::now();
        store.commit(full_batch(n)).await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    println!(
        "commit: median {:?}, 95th {:?}, longest {:?}",
        times[50], times[95], times[99]
    );
}
