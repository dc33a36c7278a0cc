//! kill -9 of the real agent at random moments, while incidents open and close and receivers fail in every way.
//!
//! The promise: a message is received again only when its answer was lost, or when the kill fell between the answer and
//! the agent's record of it; under the same key and byte for byte. Nothing is lost, and each incident's messages arrive
//! in their order.
//!
//! `SENTINEL_KILLS` (200) and `SENTINEL_KILL_SEED` choose how often, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use super::agent::{Place, wait};

/// Agents that live at the same time, each with a host of its own.
const AGENTS: u64 = 8;

/// Services of each, watched by HTTP. So many that none goes down often enough to flap, which is told otherwise.
const SERVICES: usize = 24;

/// Receivers of each.
const RECEIVERS: usize = 2;

/// Failures in a row that a peer allows itself: less than what opens the breaker, whose patience would only take time.
const FAILURES: u32 = 2;

/// How long the last agent of each host may take to deliver what is left. Attempts that were cut off by a kill count as failures,
/// so a receiver may rest for five minutes after the last of them.
const DRAIN: Duration = Duration::from_secs(400);

/// Numbers as good as random that can be had again.
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let step = |seed: u64| {
            seed.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let seed = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seed| Some(step(seed)));
        (step(seed.unwrap()) >> 33) % bound
    }
}

/// What a receiver did with a request it had read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Taken,
    Error,
    Throttled,
    Reset,
    Hung,
}

/// What happened, in this order.
enum Happened {
    Received {
        receiver: usize,
        key: String,
        body: Vec<u8>,
        answer: Answer,
    },
    Killed,
}

/// What an agent's peers share.
struct Scene {
    dice: Dice,
    healthy: [AtomicBool; SERVICES],
    /// From now on everybody takes everything.
    kind: AtomicBool,
    failures: [AtomicU32; RECEIVERS],
    refused: AtomicU32,
    /// Requests that are being looked at.
    active: AtomicU32,
    happened: Mutex<Vec<Happened>>,
}

/// Serves the health of the services.
fn serve_health(scene: &Arc<Scene>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let scene = Arc::clone(scene);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let number = line
                .split('/')
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .and_then(|n| n.parse().ok());
            let healthy = number.is_none_or(|number: usize| scene.healthy[number].load(Ordering::Relaxed));
            while line.trim_end() != "" {
                line.clear();
                if reader.read_line(&mut line).is_err() {
                    break;
                }
            }
            respond(reader.into_inner(), if healthy { "200 OK" } else { "503 No" }, "");
        }
    });
    address
}

fn respond(mut stream: TcpStream, status: &str, header: &str) {
    let text = format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes());
}

/// Receiver number `receiver`, at an address that nobody else uses, so that it can be closed for a while.
fn serve_receiver(scene: &Arc<Scene>, agent: u64, receiver: usize) -> SocketAddr {
    let bind = move |port| TcpListener::bind(SocketAddr::from(([127, 0, 91, u8::try_from(agent + 1).unwrap()], port)));
    let mut listener = bind(0).unwrap();
    let address = listener.local_addr().unwrap();
    let scene = Arc::clone(scene);
    std::thread::spawn(move || {
        loop {
            let Ok((stream, _)) = listener.accept() else { return };
            scene.active.fetch_add(1, Ordering::SeqCst);
            let taken = {
                let scene = Arc::clone(&scene);
                std::thread::spawn(move || {
                    let answer = answer(&scene, receiver, stream);
                    scene.active.fetch_sub(1, Ordering::SeqCst);
                    answer
                })
            };
            // Now and then nothing listens for a moment, after a success: two failures in a row follow at most.
            let closes = !scene.kind.load(Ordering::Relaxed) && scene.dice.below(8) == 0;
            if closes && taken.join().unwrap() == Some(Answer::Taken) {
                scene.refused.fetch_add(1, Ordering::Relaxed);
                drop(listener);
                std::thread::sleep(Duration::from_millis(150));
                listener = bind(address.port()).unwrap();
            }
        }
    });
    address
}

/// Reads one request and does something with it.
fn answer(scene: &Scene, receiver: usize, stream: TcpStream) -> Option<Answer> {
    let mut reader = BufReader::new(stream);
    let (mut key, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.trim().clone_into(&mut key),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
        line.clear();
    }
    if key.is_empty() {
        // Whoever connected was killed before it asked.
        return None;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let failures = &scene.failures[receiver];
    let fails = !scene.kind.load(Ordering::Relaxed) && failures.load(Ordering::Relaxed) < FAILURES;
    let answer = match if fails { scene.dice.below(10) } else { 9 } {
        0 => Answer::Error,
        1 => Answer::Throttled,
        2 => Answer::Reset,
        3 => Answer::Hung,
        _ => Answer::Taken,
    };
    if answer == Answer::Taken {
        failures.store(0, Ordering::Relaxed);
    } else {
        failures.fetch_add(1, Ordering::Relaxed);
    }
    scene.happened.lock().unwrap().push(Happened::Received {
        receiver,
        key,
        body,
        answer,
    });
    let mut stream = reader.into_inner();
    match answer {
        Answer::Taken => respond(stream, "200 OK", ""),
        Answer::Error => respond(stream, "500 No", ""),
        Answer::Throttled => respond(stream, "429 Slowly", "Retry-After: 1\r\n"),
        Answer::Reset => drop(stream),
        // Until the agent is killed, or loses its patience.
        Answer::Hung => drop(stream.read(&mut [0])),
    }
    Some(answer)
}

/// Waits until the receivers have looked at everything that the agent, which is dead, sent them.
fn settle(scene: &Scene, receivers: &[SocketAddr]) {
    for address in receivers {
        // Connections are accepted in their order; this one says nothing, and is closed when it is looked at.
        let mut marker = wait("a receiver that listens", || TcpStream::connect(address).ok());
        let _ = marker.write_all(b"\r\n");
        let _ = marker.read(&mut [0]);
    }
    wait("receivers without work", || {
        (scene.active.load(Ordering::SeqCst) == 0).then_some(())
    });
}

/// What an agent's life came to.
#[derive(Default)]
struct Counts {
    kills: usize,
    incidents: usize,
    messages: usize,
    received: usize,
    answers: BTreeMap<Answer, usize>,
    again: usize,
    again_after_taken: usize,
    recorded: usize,
    refused: u32,
    superseded: usize,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn kill_9_at_any_moment_loses_nothing_and_keeps_the_order() {
    let kills = number("SENTINEL_KILLS", 200).div_ceil(AGENTS);
    let seed = number("SENTINEL_KILL_SEED", 7);
    let lives: Vec<_> = (0..AGENTS)
        .map(|agent| std::thread::spawn(move || live(agent, kills, seed)))
        .collect();
    let mut sum = Counts::default();
    // All of them end before any failure is reported, so that no agent is left behind.
    let ended: Vec<_> = lives.into_iter().map(std::thread::JoinHandle::join).collect();
    for counts in ended.into_iter().map(Result::unwrap) {
        sum.kills += counts.kills;
        sum.incidents += counts.incidents;
        sum.messages += counts.messages;
        sum.received += counts.received;
        sum.again += counts.again;
        sum.again_after_taken += counts.again_after_taken;
        sum.recorded += counts.recorded;
        sum.refused += counts.refused;
        sum.superseded += counts.superseded;
        for (answer, count) in counts.answers {
            *sum.answers.entry(answer).or_default() += count;
        }
    }
    println!(
        "seed {seed}: {} kills of {AGENTS} agents, {} incidents, {} messages ({} told by another one), {} requests \
         answered {:?}, {} times nobody listened; {} received again, {} of them after a 2xx; {} seen recorded at a kill \
         and none of those received again; nothing lost, order kept",
        sum.kills,
        sum.incidents,
        sum.messages,
        sum.superseded,
        sum.received,
        sum.answers,
        sum.refused,
        sum.again,
        sum.again_after_taken,
        sum.recorded
    );
    assert!(sum.incidents > sum.kills / 2, "incidents kept opening");
    assert!(sum.answers.len() == 5, "every kind of answer was given");
}

/// One agent on a host of its own, killed `kills` times, then left to deliver what is left.
fn live(agent: u64, kills: u64, seed: u64) -> Counts {
    let scene = Arc::new(Scene {
        dice: Dice(AtomicU64::new(seed.wrapping_mul(1000) + agent)),
        healthy: std::array::from_fn(|_| AtomicBool::new(true)),
        kind: AtomicBool::new(false),
        failures: Default::default(),
        refused: AtomicU32::new(0),
        active: AtomicU32::new(0),
        happened: Mutex::default(),
    });
    let mut place = Place::new();
    let receivers = configure(&place, &scene, agent);
    let flipping = Arc::new(AtomicBool::new(true));
    let flipper = flip(&scene, &flipping);
    // Those that the store said were delivered when the agent died: never to be seen again.
    let mut recorded: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..kills {
        place.start();
        std::thread::sleep(Duration::from_micros(scene.dice.below(700_000)));
        place.kill_agent();
        settle(&scene, &receivers);
        let past = {
            let mut happened = scene.happened.lock().unwrap();
            happened.push(Happened::Killed);
            happened.len()
        };
        if scene.dice.below(2) == 0 {
            for key in delivered(&place) {
                recorded.entry(key).or_insert(past);
            }
        }
    }
    flipping.store(false, Ordering::Relaxed);
    flipper.join().unwrap();
    for healthy in &scene.healthy {
        healthy.store(true, Ordering::Relaxed);
    }
    scene.kind.store(true, Ordering::Relaxed);
    place.start();
    drain(&place);
    place.kill_agent();
    let mut counts = judge(&place, &scene, &recorded);
    counts.refused = scene.refused.load(Ordering::Relaxed);
    counts
}

/// Answers with the receivers.
fn configure(place: &Place, scene: &Arc<Scene>, agent: u64) -> Vec<SocketAddr> {
    let health = serve_health(scene);
    let mut text =
        "[defaults]\ninterval = \"300ms\"\nfall = 1\nrise = 1\nstart_grace = \"0s\"\n[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"500ms\"\n"
            .to_owned();
    let receivers: Vec<_> = (0..RECEIVERS)
        .map(|receiver| serve_receiver(scene, agent, receiver))
        .collect();
    for (receiver, address) in receivers.iter().enumerate() {
        let _ = writeln!(text, "[receivers.r{receiver}]\nwebhook.url = \"http://{address}/\"");
    }
    for service in 0..SERVICES {
        let _ = writeln!(text, "[services.s{service}]\nhttp = \"http://{health}/{service}\"");
    }
    place.configure(&text);
    receivers
}

/// Services fail and recover, one after the other.
fn flip(scene: &Arc<Scene>, flipping: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (scene, flipping) = (Arc::clone(scene), Arc::clone(flipping));
    std::thread::spawn(move || {
        let mut next = 0;
        // Five incidents each at most, however slow this machine is: the sixth would be flapping.
        for _ in 0..10 * SERVICES {
            if !flipping.load(Ordering::Relaxed) {
                return;
            }
            scene.healthy[next].fetch_xor(true, Ordering::Relaxed);
            // In turn: each waits for all others until it fails again.
            next = (next + 5) % SERVICES;
            std::thread::sleep(Duration::from_millis(50 + scene.dice.below(250)));
        }
    })
}

/// Waits until no incident is open and no message waits.
fn drain(place: &Place) {
    let json =
        |arguments: &[&str]| -> Value { serde_json::from_slice(&place.ask(arguments).stdout).unwrap_or_default() };
    let begin = Instant::now();
    loop {
        let status = json(&["status", "--json"]);
        let queue = json(&["alerts", "queue", "--json"]);
        let services = status["services"].as_array().cloned().unwrap_or_default();
        let closed = services.len() == SERVICES && services.iter().all(|service| service["incident"].is_null());
        let receivers = queue["receivers"].as_array().cloned().unwrap_or_default();
        let reported = receivers.len() == RECEIVERS
            && receivers
                .iter()
                .all(|receiver| receiver["waiting"] == 0 && receiver["undelivered"] == 0);
        if closed && reported {
            return;
        }
        assert!(begin.elapsed() < DRAIN, "never told: {queue:#}\n{status:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn database(place: &Place) -> Connection {
    Connection::open(place.path("state").join("sentinel.db")).unwrap()
}

/// The keys of messages that are recorded as delivered.
fn delivered(place: &Place) -> Vec<String> {
    let database = database(place);
    // A row that others were put in stands for them: their own keys never go out.
    let sql = "SELECT event FROM outbox WHERE state = 'delivered' AND combined IS NULL";
    let Ok(mut statement) = database.prepare(sql) else {
        return Vec::new();
    };
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A message as the store has it at the end.
struct Stored {
    id: i64,
    event: String,
    incident: i64,
    sequence: u32,
    receiver: usize,
    state: String,
    ambiguous: bool,
    combined: Option<i64>,
}

fn stored(database: &Connection) -> Vec<Stored> {
    let sql = "SELECT id, event, incident, sequence, receiver, state, ambiguous, combined FROM outbox ORDER BY id";
    let mut statement = database.prepare(sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Stored {
            id: row.get(0)?,
            event: row.get(1)?,
            incident: row.get(2)?,
            sequence: row.get(3)?,
            receiver: row.get::<_, String>(4)?[1..].parse().unwrap(),
            state: row.get(5)?,
            ambiguous: row.get(6)?,
            combined: row.get(7)?,
        })
    };
    let rows = statement.query_map([], read).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Compares what was received with what the store knows.
fn judge(place: &Place, scene: &Scene, recorded: &BTreeMap<String, usize>) -> Counts {
    let database = database(place);
    let rows = stored(&database);
    let happened = scene.happened.lock().unwrap();
    let mut counts = Counts {
        messages: rows.len(),
        recorded: recorded.len(),
        ..Counts::default()
    };
    let by_event: BTreeMap<&str, &Stored> = rows.iter().map(|row| (row.event.as_str(), row)).collect();
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last: BTreeMap<(usize, i64), u32> = BTreeMap::new();
    let mut kills_at: Vec<usize> = Vec::new();
    for (at, event) in happened.iter().enumerate() {
        let Happened::Received {
            receiver,
            key,
            body,
            answer,
        } = event
        else {
            counts.kills += 1;
            kills_at.push(at);
            continue;
        };
        counts.received += 1;
        *counts.answers.entry(*answer).or_default() += 1;
        let row = by_event
            .get(key.as_str())
            .unwrap_or_else(|| panic!("{key} is not known to the store"));
        assert_eq!(row.receiver, *receiver, "{key}");
        if let Some(before) = bodies.insert(key, body) {
            counts.again += 1;
            assert_eq!(before, body, "{key} was sent again, and otherwise");
        }
        if let Some(first) = taken.get(key.as_str()) {
            counts.again_after_taken += 1;
            assert!(
                kills_at.iter().any(|kill| kill > first && *kill < at),
                "{key} was sent again although it was taken and nobody was killed"
            );
            assert!(
                row.ambiguous,
                "{key} was taken twice, and the store does not know that it may have been"
            );
        }
        assert!(
            recorded.get(key).is_none_or(|past| at < *past),
            "{key} was sent again although it was recorded as delivered"
        );
        if *answer == Answer::Taken {
            taken.insert(key, at);
        }
        // Within an incident nothing older comes after something newer.
        let whole = rows
            .iter()
            .filter(|part| part.combined == Some(row.id) && part.state == "delivered");
        let own = std::iter::once(*row).filter(|row| row.incident > 0);
        for part in own.chain(whole) {
            let newest = last.entry((*receiver, part.incident)).or_default();
            assert!(
                part.sequence >= *newest,
                "{key}: {}/{} came late",
                part.incident,
                part.sequence
            );
            *newest = part.sequence;
        }
    }
    let mut reported: BTreeSet<(usize, i64)> = BTreeSet::new();
    for row in &rows {
        // What one message said for two may have become part of a digest.
        let mut whole = row;
        while let Some(next) = whole.combined.and_then(|id| rows.iter().find(|row| row.id == id)) {
            whole = next;
        }
        assert!(
            row.state == "delivered" || row.state == "superseded" && row.combined.is_some(),
            "{} of {} ended as {}",
            row.sequence,
            row.incident,
            row.state
        );
        assert!(
            taken.contains_key(whole.event.as_str()),
            "{} was never taken",
            whole.event
        );
        counts.superseded += usize::from(row.combined.is_some());
        reported.insert((row.receiver, row.incident));
    }
    counts.incidents = all_heard(&database, &reported);
    counts
}

/// Every receiver was notified of every incident, or before it that its service flaps: on a machine that is so busy
/// that probes run out of time, that happens. Answers how many there were.
fn all_heard(database: &Connection, reported: &BTreeSet<(usize, i64)>) -> usize {
    let mut statement = database.prepare("SELECT id FROM incidents").unwrap();
    let incidents: Vec<i64> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for incident in &incidents {
        for receiver in 0..RECEIVERS {
            assert!(
                reported.contains(&(receiver, *incident)) || heard_of_flapping(database, receiver, *incident),
                "r{receiver} never heard of incident {incident}, after {} of its service:\n{}",
                before(database, *incident),
                story(database, *incident)
            );
        }
    }
    incidents.len()
}

/// How many incidents its service had before this one.
fn before(database: &Connection, incident: i64) -> i64 {
    let sql =
        "SELECT count(*) FROM incidents WHERE service = (SELECT service FROM incidents WHERE id = ?1) AND id < ?1";
    database.query_row(sql, [incident], |row| row.get(0)).unwrap()
}

/// Whether the receiver was notified, no later than this incident began, that its service goes down too often to tell
/// each time.
fn heard_of_flapping(database: &Connection, receiver: usize, incident: i64) -> bool {
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox AS o JOIN incidents AS i ON i.id = o.incident WHERE o.kind = 'flapping' \
               AND o.receiver = ?1 AND i.id <= ?2 AND i.service = (SELECT service FROM incidents WHERE id = ?2))";
    let values = rusqlite::params![format!("r{receiver}"), incident];
    database.query_row(sql, values, |row| row.get(0)).unwrap()
}

/// What is recorded of an incident, a line each.
fn story(database: &Connection, incident: i64) -> String {
    let sql = "SELECT kind || ': ' || text FROM timeline WHERE incident = ?1 ORDER BY seq";
    let mut statement = database.prepare(sql).unwrap();
    let lines = statement.query_map([incident], |row| row.get::<_, String>(0)).unwrap();
    lines.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}
