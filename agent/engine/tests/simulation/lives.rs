//! Lives a seed, and asks every invariant about everything that passes in it.

use std::ops::AddAssign;

use sentinel_engine::{Command, Time};

use super::host::Sim;
use super::invariants::INVARIANTS;
use super::ledger::Ledger;
use super::story;
use super::tape::Entry;

/// Lines of the transcript shown with a violation.
const TAIL: usize = 60;
/// Entries of the tape that are kept for that.
const KEPT: usize = 1_000;

/// What simulated lives amounted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub lives: u64,
    /// Time that passed, without that of suspended hosts.
    pub hours: f64,
    pub restarts: u64,
    pub messages: u64,
    pub kills: u64,
    pub reloads: u64,
    pub events: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.hours += other.hours;
        self.restarts += other.restarts;
        self.messages += other.messages;
        self.kills += other.kills;
        self.reloads += other.reloads;
        self.events += other.events;
    }
}

impl Totals {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Event(_) => self.events += 1,
            Entry::Acted(_) => self.restarts += 1,
            Entry::AgentDied => self.kills += 1,
            Entry::Reloaded(..) => self.reloads += 1,
            Entry::Decided(Command::Notify(_)) => self.messages += 1,
            _ => {}
        }
    }
}

/// How a life is lived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// When it begins.
    pub epoch: Time,
    /// What the wall clock shows then.
    pub wall: Time,
    /// Whether all that passes is kept, and not only the last of it.
    pub whole: bool,
}

/// Lives through `seed`; a violation comes with the end of its story.
pub fn live(seed: u64, how: Circumstances, totals: &mut Totals) -> Result<Vec<(Time, Entry)>, String> {
    let mut sim = Sim::new(seed, how.epoch);
    sim.wall = how.wall;
    let mut ledger = Ledger::new(sim.policy.clone());
    let mut judged = 0;
    let mut goes_on = true;
    while goes_on {
        goes_on = sim.step();
        if !goes_on {
            // Silence must not hide what should have happened.
            sim.tape.push(sim.end, Entry::Settled { durable: false });
        }
        for (index, (at, entry)) in sim.tape.entries.iter().enumerate().skip(judged) {
            for (name, invariant) in INVARIANTS {
                invariant(&ledger, *at, entry).map_err(|reason| {
                    let story = tail(&sim.tape.entries[..=index], if how.whole { usize::MAX } else { TAIL });
                    let (host, services) = (&sim.policy, &sim.services);
                    format!("{story}\nseed {seed}, invariant {name}: {reason}\n{host:?}\n{services:#?}")
                })?;
            }
            ledger.apply(*at, entry);
            totals.count(entry);
        }
        judged = sim.tape.entries.len();
        if !how.whole && judged > 4 * KEPT {
            sim.tape.entries.drain(..judged - KEPT);
            judged = KEPT;
        }
    }
    totals.lives += 1;
    totals.hours += (sim.end.since(how.epoch).saturating_sub(sim.slept)).as_secs_f64() / 3600.0;
    Ok(sim.tape.entries)
}

/// The last lines of a story.
fn tail(entries: &[(Time, Entry)], lines: usize) -> String {
    let reported = entries.iter().rev().filter_map(|(at, entry)| story::line(*at, entry));
    let lines: Vec<_> = reported.take(lines).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
