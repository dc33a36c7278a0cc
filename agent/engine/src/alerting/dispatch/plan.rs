//! The decision.

use std::collections::BTreeMap;

use super::row::{Earlier, MessageKind, Row, Standing};
use super::{DispatchPolicy, Health, expiry};
use crate::policy::Severity;
use crate::time::Time;

/// While the breaker is open, so many failures lie between two tries with another message than the oldest.
const ANOTHER_EVERY: u32 = 6;

/// What to do next for a receiver. Rows are named by their number in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Give these up, and count them for a digest.
    Expire {
        /// Which.
        rows: Vec<i64>,
    },
    /// Forget these: others say more.
    Supersede {
        /// Which.
        rows: Vec<i64>,
        /// Why.
        stale: Stale,
    },
    /// No receiver heard of an incident that is over: say so in one message instead of two.
    Collapse {
        /// What is no longer said.
        rows: Vec<i64>,
        /// Its end, which tells everything.
        ending: i64,
    },
    /// This one was being sent by somebody who is gone: count that as a failed attempt, of which it is unknown whether it
    /// arrived. Were it sent again at once, a message that ends the agent would do so for ever, with everything behind it.
    CutOff {
        /// Which.
        row: i64,
    },
    /// Send this one.
    Send {
        /// Which.
        row: i64,
        /// Why this one.
        why: Why,
    },
    /// Put these in one message: the beginnings of several incidents, or their ends.
    SendGroup {
        /// Which, oldest first; at least two.
        rows: Vec<i64>,
        /// That of the most urgent.
        severity: Severity,
    },
    /// Say in one message what was never delivered, and what was over before it could be.
    SendDigest {
        /// Messages of incidents that are over, oldest first.
        rows: Vec<i64>,
    },
    /// Nothing before this time.
    Wait {
        /// When to look again.
        until: Time,
        /// Why not now.
        why: Waiting,
    },
    /// Nothing until a message is added.
    Idle,
}

/// Why a message says nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// A newer one waits behind it.
    Newer,
    /// A later one was delivered already.
    Overtaken,
    /// The outage was shorter than what is reported.
    Short,
}

/// Why this message is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is its turn.
    Due,
    /// The breaker is open, and it is the oldest.
    Probe,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The receiver asked to be left alone (`Retry-After`).
    Asked,
    /// The breaker is open.
    Probe,
    /// An outage is over, and its messages go one by one.
    Pace,
    /// The receiver rests for a moment after a failure.
    Rest,
    /// What waits was tried, and is tried again then.
    Retry,
    /// What waits gathers company.
    Company,
    /// The last digest was not long ago.
    Digest,
}

impl Plan {
    /// The reason as a word. A closed set.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Expire { .. } => "expired",
            Self::Supersede { stale, .. } => match stale {
                Stale::Newer => "newer",
                Stale::Overtaken => "overtaken",
                Stale::Short => "short",
            },
            Self::Collapse { .. } => "over_undelivered",
            Self::CutOff { .. } => "interrupted",
            Self::Send { why, .. } => match why {
                Why::Due => "due",
                Why::Probe => "probe",
            },
            Self::SendGroup { .. } => "group",
            Self::SendDigest { .. } => "digest",
            Self::Wait { why, .. } => why.as_str(),
            Self::Idle => "idle",
        }
    }
}

impl Waiting {
    /// The word used by the API. A closed set.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Probe => "breaker",
            Self::Pace => "pace",
            Self::Rest => "rest",
            Self::Retry => "retry",
            Self::Company => "company",
            Self::Digest => "digest_gap",
        }
    }
}

/// Decides what to do next for a receiver.
///
/// `rows` are the first messages that wait, in the order of their places; `undelivered` says that some were given up
/// that no digest reported yet. Bookkeeping comes first, one kind at a time: carry it out and ask again.
pub fn plan(rows: &[Row], health: &Health, undelivered: bool, now: Time, policy: &DispatchPolicy) -> Plan {
    let queue = Queue::new(rows, health, now, policy);
    queue
        .expire()
        .or_else(|| queue.supersede())
        .or_else(|| queue.collapse())
        .or_else(|| queue.cut_off())
        .or_else(|| queue.gate(undelivered))
        .or_else(|| queue.probe(undelivered))
        .or_else(|| queue.digest(undelivered))
        .or_else(|| queue.group())
        .or_else(|| queue.due())
        .unwrap_or_else(|| queue.wait(undelivered))
}

/// Messages that keep an order among each other. The first is sent before the second is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sequence {
    /// One incident's.
    Incident(u64),
    /// What the agent says of receivers.
    Agent,
    /// A message of its own.
    Alone(i64),
}

struct Queue<'a> {
    /// Each in its order.
    threads: BTreeMap<Sequence, Vec<&'a Row>>,
    health: &'a Health,
    now: Time,
    policy: &'a DispatchPolicy,
}

impl<'a> Queue<'a> {
    fn new(rows: &'a [Row], health: &'a Health, now: Time, policy: &'a DispatchPolicy) -> Self {
        let mut threads: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let thread = match (row.kind, row.incident.0) {
                (MessageKind::Group, _) => Sequence::Alone(row.id),
                (_, 0) => Sequence::Agent,
                (_, incident) => Sequence::Incident(incident),
            };
            threads.entry(thread).or_default().push(row);
        }
        for rows in threads.values_mut() {
            rows.sort_by_key(|row| (row.sequence, row.id));
        }
        Self {
            threads,
            health,
            now,
            policy,
        }
    }

    fn expire(&self) -> Option<Plan> {
        let mut rows = Vec::new();
        for thread in self.threads.values() {
            let over = |(n, row): (usize, &&Row)| expiry::is_over(row, n > 0, self.now).then_some(row.id);
            rows.extend(thread.iter().enumerate().filter_map(over));
        }
        some(rows).map(|rows| Plan::Expire { rows })
    }

    fn supersede(&self) -> Option<Plan> {
        let rows = || self.threads.values().flatten();
        let pending = |row: &&&Row| row.standing != Standing::Merged;
        let overtaken = rows().filter(pending).filter(|row| row.overtaken).map(|row| row.id);
        let plan = |rows, stale| some(rows).map(|rows| Plan::Supersede { rows, stale });
        plan(overtaken.collect(), Stale::Overtaken).or_else(|| {
            let earlier = |thread: &'_ Vec<&'a Row>| {
                let (_, earlier) = thread.split_last()?;
                Some(earlier.to_vec())
            };
            let newer = self.threads.values().filter_map(earlier).flatten();
            let updates = newer.filter(|row| row.kind == MessageKind::Update && row.standing == Standing::Pending);
            plan(updates.map(|row| row.id).collect(), Stale::Newer)
        })
    }

    fn collapse(&self) -> Option<Plan> {
        self.threads.values().find_map(|thread| {
            let (ending, earlier) = thread.split_last()?;
            let first = earlier.first()?;
            let plain = |row: &&Row| {
                use MessageKind::{Fired, GaveUp, Update};
                matches!(row.kind, Fired | GaveUp | Update)
            };
            let undelivered = matches!(first.kind, MessageKind::Fired | MessageKind::GaveUp)
                && earlier.iter().all(plain)
                && first.earlier == Earlier::Nothing
                && ending.kind == MessageKind::Resolved
                && thread.iter().all(|row| row.is_undelivered());
            if !undelivered {
                return None;
            }
            let mut rows: Vec<i64> = earlier.iter().map(|row| row.id).collect();
            if ending.created.since(first.created) < self.policy.least {
                rows.push(ending.id);
                let stale = Stale::Short;
                return Some(Plan::Supersede { rows, stale });
            }
            let ending = ending.id;
            Some(Plan::Collapse { rows, ending })
        })
    }

    /// The receiver as a whole may have to be left alone.
    fn gate(&self, undelivered: bool) -> Option<Plan> {
        if self.threads.is_empty() && !undelivered {
            return Some(Plan::Idle);
        }
        let (until, why) = self.health.gate(self.policy, self.now)?;
        Some(Plan::Wait { until, why })
    }

    fn cut_off(&self) -> Option<Plan> {
        let mut rows = self.threads.values().flatten();
        let row = rows.find(|row| row.standing == Standing::Interrupted)?.id;
        Some(Plan::CutOff { row })
    }

    /// While the breaker is open, only the oldest message is tried, whatever its own time. Now and then it is another one,
    /// with those that were tried less first: it may be that message that the receiver fails at, and nothing else.
    fn probe(&self, undelivered: bool) -> Option<Plan> {
        if !self.health.is_open(self.policy) {
            return None;
        }
        let place = |row: &&Row| (row.place, row.id);
        let oldest = self.heads().map(|(head, _)| head).min_by_key(place);
        let others = self.heads().map(|(head, _)| head).filter(|head| Some(*head) != oldest);
        let another = others.min_by_key(|row| (row.attempts / ANOTHER_EVERY, place(row)));
        let is_others_turn = self.health.failures.is_multiple_of(ANOTHER_EVERY);
        Some(match another.filter(|_| is_others_turn).or(oldest) {
            Some(row) => Plan::Send {
                row: row.id,
                why: Why::Probe,
            },
            None if undelivered => Plan::SendDigest { rows: Vec::new() },
            None => Plan::Idle,
        })
    }

    fn digest(&self, undelivered: bool) -> Option<Plan> {
        if self.health.failures > 0 {
            return None;
        }
        let over = |head: &&Row| head.kind == MessageKind::Healed && head.is_undelivered();
        let mut rows: Vec<&Row> = Vec::new();
        if self.health.recovering {
            rows = self.heads().map(|(head, _)| head).filter(over).collect();
            rows.sort_by_key(|row| row.place);
        }
        let last = self.health.digested_at;
        let long_ago = last.is_none_or(|at| self.now.since(at) >= self.policy.digest_every);
        if rows.len() < 2 && !(undelivered && long_ago) {
            return None;
        }
        let rows = rows.into_iter().map(|row| row.id).collect();
        Some(Plan::SendDigest { rows })
    }

    fn group(&self) -> Option<Plan> {
        self.group_of(Self::takes_company)
            .or_else(|| self.group_of(Self::ends_with_others))
    }

    fn group_of(&self, fits: impl Fn(&Self, &Row, &[&Row]) -> bool) -> Option<Plan> {
        let mut rows: Vec<&Row> = self
            .heads()
            .filter(|(head, rest)| fits(self, head, rest))
            .map(|(head, _)| head)
            .collect();
        // Those that have not waited for long go with the first whose wait is over.
        if !rows.iter().any(|row| self.is_due(row)) {
            return None;
        }
        rows.retain(|row| self.is_due(row) || row.attempts == 0);
        if rows.len() < 2 {
            return None;
        }
        rows.sort_by_key(|row| row.place);
        rows.truncate(self.policy.group_max);
        let severity = rows.iter().map(|row| row.severity).max().unwrap_or_default();
        let rows = rows.into_iter().map(|row| row.id).collect();
        Some(Plan::SendGroup { rows, severity })
    }

    /// Whether a first message may go together with those of other incidents; `rest` waits behind it.
    fn takes_company(&self, head: &Row, rest: &[&Row]) -> bool {
        head.kind == MessageKind::Fired
            && head.earlier == Earlier::Nothing
            && head.is_undelivered()
            && (head.patient || self.health.recovering)
            && rest.iter().all(|row| row.kind == MessageKind::Update)
    }

    /// Whether an end may go together with those of other incidents. One that began by itself ends by itself, at once.
    fn ends_with_others(&self, head: &Row, rest: &[&Row]) -> bool {
        head.kind == MessageKind::Resolved
            && head.is_undelivered()
            && (head.together || self.health.recovering)
            && rest.is_empty()
    }

    /// The most urgent conversation first, then the oldest.
    fn due(&self) -> Option<Plan> {
        let ready = self
            .heads()
            .filter(|(head, rest)| self.is_due(head) || self.is_pressed(head, rest));
        let urgency = |head: &Row, rest: &[&Row]| rest.iter().map(|row| row.severity).fold(head.severity, Ord::max);
        let (head, _) =
            ready.max_by_key(|(head, rest)| (urgency(head, rest), std::cmp::Reverse((head.place, head.id))))?;
        let why = Why::Due;
        Some(Plan::Send { row: head.id, why })
    }

    fn is_due(&self, row: &Row) -> bool {
        self.due_at(row) <= self.now
    }

    fn due_at(&self, row: &Row) -> Time {
        if row.kind == MessageKind::Resolved && row.together && row.attempts == 0 {
            row.not_before.max(row.created + self.policy.group_wait)
        } else {
            row.not_before
        }
    }

    /// Whether something waits behind `head` that must not wait for company.
    #[allow(clippy::unused_self, reason = "read beside `is_due`")]
    fn is_pressed(&self, head: &Row, rest: &[&Row]) -> bool {
        head.attempts == 0 && rest.iter().any(|row| row.kind != MessageKind::Update)
    }

    fn wait(&self, undelivered: bool) -> Plan {
        let next = self.heads().map(|(head, _)| head).min_by_key(|head| self.due_at(head));
        let own = next.map(|head| {
            let why = if head.attempts > 0 {
                Waiting::Retry
            } else {
                Waiting::Company
            };
            (self.due_at(head), why)
        });
        // While it fails, the digest waits for a message to arrive first.
        let last = self
            .health
            .digested_at
            .filter(|_| undelivered && self.health.failures == 0);
        let digest = last.map(|at| (at + self.policy.digest_every, Waiting::Digest));
        let soonest = own.into_iter().chain(digest).min_by_key(|(until, _)| *until);
        soonest.map_or(Plan::Idle, |(until, why)| Plan::Wait { until, why })
    }

    /// The message of each conversation that is next, with those behind it.
    fn heads(&self) -> impl Iterator<Item = (&'a Row, &[&'a Row])> {
        self.threads.values().filter_map(|rows| {
            let (head, rest) = rows.split_first()?;
            (head.standing == Standing::Pending).then_some((*head, rest))
        })
    }
}

/// `None` for no rows.
fn some(rows: Vec<i64>) -> Option<Vec<i64>> {
    (!rows.is_empty()).then_some(rows)
}
