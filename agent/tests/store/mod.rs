//! The store against real files, a real full disk, and real SIGKILLs.

mod announced;
mod crash;
mod damage;
mod disk;
mod opening;
mod outbox;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sentinel_base::clock::{Anchor, Clock};
use sentinel_engine::{
    Action, ActionId, ActionKind, ActionResult, Cause, Hold, IncidentId, Memory, Outage, Report, ReportKind,
    Resolution, ServiceName, Severity, Starter, State, Time,
};
use sentinel_store::{
    AlertChanges, Announcement, Batch, EvidenceRow, IncidentFilter, Next, Notice, Opened, Outcome, OutgoingMessage,
    Store, StoreError, StoreErrorKind, Topic,
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
        host: None,
        reports: Vec::new(),
        evidence: Vec::new(),
        messages: Vec::new(),
        completed: Vec::new(),
        alerts: AlertChanges::default(),
    }
}

/// A batch that only reports.
fn reported(reports: Vec<(Report, Timestamp)>) -> Batch {
    Batch { reports, ..batch() }
}

fn report(incident: u64, what: ReportKind) -> (Report, Timestamp) {
    let report = Report {
        at: now(),
        service: "shop".into(),
        incident: (incident > 0).then_some(IncidentId(incident)),
        kind: what,
    };
    (report, wall())
}

fn started(action: u64, incident: u64) -> (Report, Timestamp) {
    let action = Action {
        id: ActionId(action),
        service: "shop".into(),
        incident: (incident > 0).then_some(IncidentId(incident)),
        attempt: 1,
        kind: ActionKind::Restart,
        expected: Some("run-1".into()),
    };
    report(incident, ReportKind::ActionStarted { action, again: false })
}

fn opened(incident: u64) -> (Report, Timestamp) {
    let cause = Cause::Killed {
        signal: 9,
        core_dumped: false,
    };
    report(incident, ReportKind::IncidentOpened { cause })
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
        not_before: Time::ZERO,
        revises: None,
    }
}

fn evidence(text: &str) -> EvidenceRow {
    EvidenceRow {
        at: wall(),
        title: "its last log lines".to_owned(),
        text: text.to_owned(),
        missing: false,
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
        host: None,
        reports: vec![opened(n), started(n, n)],
        evidence: vec![(IncidentId(n), evidence(&format!("evidence {n}")))],
        messages: vec![message(n, 1, "team")],
        completed: Vec::new(),
        alerts: AlertChanges::default(),
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
