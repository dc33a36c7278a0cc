//! A receiver that hangs for an hour, on a virtual clock: what it does to the others, and what it is told afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::alerting::dispatch::{
    Breaker, DispatchPolicy, Earlier, Health, MessageKind, Plan, Row, Standing, plan,
};
use sentinel_engine::{HostPolicy, IncidentId, Notification, Severity, Time};
use sentinel_simulation::{Actor, World};

/// An attempt to deliver takes no longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// How a receiver behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// Takes everything.
    Well,
    /// Accepts and stays silent.
    Hangs,
}

/// The outbox of one receiver as the store keeps it, and its worker.
#[derive(Default)]
struct Post {
    rows: Vec<Row>,
    /// What became of the messages of an incident that are no longer in `rows`.
    reported: BTreeMap<IncidentId, Earlier>,
    /// The rows that are part of a combined one.
    parts: BTreeMap<i64, Vec<i64>>,
    health: Health,
    next: i64,
    /// The row being sent, and until when.
    flight: Option<(i64, Time)>,
    attempts: Vec<Time>,
    /// When what was delivered, and how many messages it stood for.
    delivered: Vec<(Time, MessageKind, usize)>,
}

/// A beginning that is recorded at `now` and has not been tried.
fn row(now: Time) -> Row {
    Row {
        id: 0,
        place: 0,
        incident: IncidentId(0),
        sequence: 1,
        kind: MessageKind::Fired,
        severity: Severity::Warning,
        created: now,
        not_before: Time::ZERO,
        attempts: 0,
        ambiguous: false,
        patient: false,
        standing: Standing::Pending,
        earlier: Earlier::Nothing,
        overtaken: false,
        together: false,
    }
}

impl Post {
    fn add(&mut self, mut row: Row) -> i64 {
        self.next += 1;
        let id = self.next;
        row.id = id;
        row.place = if row.place == 0 { id } else { row.place };
        self.rows.push(row);
        self.rows.sort_by_key(|row| (row.place, row.id));
        id
    }

    fn deliver(&mut self, message: &Notification) {
        self.add(Row {
            incident: message.incident,
            sequence: message.sequence,
            kind: MessageKind::from_word(message.kind.as_str()),
            severity: message.severity,
            ..row(message.at)
        });
    }

    /// Works as long as there is something to do at `now`; answers when to look again.
    fn work(&mut self, now: Time, mood: Mood) -> Option<Time> {
        let policy = DispatchPolicy::default();
        loop {
            if let Some((row, until)) = self.flight {
                if until > now {
                    return Some(until);
                }
                self.flight = None;
                self.land(row, now, mood);
            }
            for row in &mut self.rows {
                row.earlier = self.reported.get(&row.incident).copied().unwrap_or(Earlier::Nothing);
            }
            match plan(&self.rows, &self.health, false, now, &policy) {
                Plan::Send { row, .. } => {
                    self.attempts.push(now);
                    let takes = if mood == Mood::Well { Duration::ZERO } else { DEADLINE };
                    self.flight = Some((row, now + takes));
                }
                Plan::Collapse { rows, ending } => {
                    self.rows.retain(|row| !rows.contains(&row.id));
                    self.row(ending).kind = MessageKind::Healed;
                }
                Plan::SendGroup { rows, severity } => self.combine(MessageKind::Group, &rows, severity, now),
                Plan::SendDigest { rows } => self.combine(MessageKind::Digest, &rows, Severity::Info, now),
                Plan::Supersede { rows, .. } | Plan::Expire { rows } => self.rows.retain(|row| !rows.contains(&row.id)),
                Plan::CutOff { row } => unreachable!("nobody ends while {row} is sent"),
                Plan::Wait { until, .. } => return Some(until),
                Plan::Idle => {
                    self.health.drained();
                    return None;
                }
            }
        }
    }

    fn combine(&mut self, kind: MessageKind, rows: &[i64], severity: Severity, now: Time) {
        for row in rows {
            self.row(*row).standing = Standing::Merged;
        }
        let id = self.add(Row {
            place: rows[0],
            kind,
            severity,
            ..row(now)
        });
        self.parts.insert(id, rows.to_vec());
    }

    fn land(&mut self, id: i64, now: Time, mood: Mood) {
        let policy = DispatchPolicy::default();
        if mood == Mood::Hangs {
            let row = self.row(id);
            row.attempts += 1;
            row.ambiguous = true;
            row.not_before = now + Duration::from_secs(1);
            self.health.failed(&policy, now, None);
            return;
        }
        self.health.succeeded(&policy, now);
        let parts = self.parts.remove(&id).unwrap_or_default();
        let kind = self.row(id).kind;
        self.delivered.push((now, kind, parts.len().max(1)));
        for row in &self.rows {
            if row.id == id || parts.contains(&row.id) {
                self.reported.insert(row.incident, Earlier::Delivered);
            }
        }
        self.rows.retain(|row| row.id != id && !parts.contains(&row.id));
    }

    fn row(&mut self, id: i64) -> &mut Row {
        self.rows.iter_mut().find(|row| row.id == id).expect("a row that waits")
    }
}

/// Services of which one crashes every minute, and one is down from the middle on.
fn world() -> World {
    let actors = (0..20).map(|n| Actor::new(&format!("s{n}")).with(|policy| policy.notify_after = Duration::ZERO));
    let policy = HostPolicy {
        tokens: 1000,
        storm_services: 1000,
        ..HostPolicy::default()
    };
    World::with_policy(actors, policy)
}

/// Lets a host run for two hours, whose receiver hangs for the second one if it `hangs`; then for ten minutes more.
fn two_hours(hangs: bool) -> (World, Post) {
    let mut world = world();
    let mut post = Post::default();
    let mut seen = 0;
    for second in 0..7800_u64 {
        if second > 600 && second % 60 == 0 && second < 7200 {
            world.kill(&format!("s{}", second / 60 % 20));
        }
        world.run(1);
        for message in &world.messages()[seen..] {
            post.deliver(message);
        }
        seen = world.messages().len();
        let hour = (3600..7200).contains(&second);
        post.work(world.now, if hangs && hour { Mood::Hangs } else { Mood::Well });
    }
    (world, post)
}

#[test]
fn a_receiver_that_hangs_for_an_hour_changes_nothing_else_and_gets_a_digest_afterwards() {
    let (well, other) = two_hours(false);
    let (world, post) = two_hours(true);
    assert_eq!(world.requests.rounds, well.requests.rounds, "probes are on schedule");
    assert_eq!(world.actions(), well.actions(), "and so are restarts");
    assert!(world.actions().len() > 100, "there was something to do");

    let hour = |at: &Time| (3600..7200).contains(&at.since_epoch().as_secs());
    let recorded = world.messages().into_iter().filter(|message| hour(&message.at)).count();
    let tries = post.attempts.iter().filter(|at| hour(at)).count();
    assert!((40..70).contains(&tries), "about one try a minute, not {tries}");
    let after: Vec<_> = post
        .delivered
        .iter()
        .filter(|(at, ..)| at.since_epoch().as_secs() >= 7200)
        .collect();
    let stood_for: usize = after.iter().map(|(.., count)| count).sum();
    println!(
        "{recorded} messages recorded in the hour, {tries} tries, {} messages afterwards: {after:?}",
        after.len()
    );
    assert!(after.len() <= 6, "a digest, not a flood: {after:?}");
    assert!(
        after
            .iter()
            .any(|(_, kind, parts)| *kind == MessageKind::Digest && *parts > 20),
        "{after:?}"
    );
    assert!(
        after
            .windows(2)
            .all(|pair| pair[1].0.since(pair[0].0) >= Duration::from_secs(1))
    );
    assert!(post.rows.is_empty(), "everything is told: {:?}", post.rows);
    // The pairs that no receiver heard of are one message each.
    assert!(stood_for * 2 >= recorded, "{stood_for} of {recorded}");
    assert_eq!(
        post.health.breaker(&DispatchPolicy::default(), world.now),
        Breaker::Closed
    );
    assert!(
        other.delivered.len() > stood_for,
        "in quiet times each is told by itself"
    );
}

/// However many waves there are, and however they come: a message for each `group_wait` that something begins in, and each
/// incident is told no later than that after it began.
#[test]
fn wave_after_wave_of_incidents_is_a_message_for_each_group_wait() {
    const GROUP_WAIT: Duration = Duration::from_secs(10);
    let mut post = Post::default();
    let mut incidents = 0;
    for second in 0..330_u64 {
        let now = Time::from_epoch(Duration::from_secs(1000 + second));
        // One each second, and fifty at once every half minute.
        let begin = if second >= 300 {
            0
        } else {
            1 + 49 * u64::from(second % 30 == 12)
        };
        for _ in 0..begin {
            incidents += 1;
            post.add(Row {
                incident: IncidentId(incidents),
                not_before: now + GROUP_WAIT,
                patient: true,
                ..row(now)
            });
        }
        post.work(now, Mood::Well);
        let late = |row: &Row| now.since(row.created) > GROUP_WAIT;
        assert!(!post.rows.iter().any(late), "nobody waits longer: {:?}", post.rows);
    }
    let reported: usize = post.delivered.iter().map(|(.., count)| count).sum();
    assert_eq!(u64::try_from(reported).unwrap(), incidents, "each is told");
    let gaps = post.delivered.windows(2).map(|pair| pair[1].0.since(pair[0].0));
    assert!(gaps.min() >= Some(GROUP_WAIT), "{:?}", post.delivered);
    assert!(post.delivered.len() <= 30, "{:?}", post.delivered);
}
