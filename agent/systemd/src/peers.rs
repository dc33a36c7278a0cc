//! Asking the units that may have taken another one down, or may start it.

use zbus::Message;

use super::attribution::Peer;
use super::calls::{Calls, Purpose};
use super::facts::{Facts, Properties};
use super::message::{UNIT, list_units, properties};
use super::tracker::Tracker;

/// Peers asked at most. A service has about five; the rest of a huge list decides nothing that matters.
const PEERS_MAX: usize = 32;

/// The answers of the units around one unit, as they come in.
#[derive(Debug)]
pub(super) struct Collecting {
    pub(super) generation: u64,
    peers: Vec<Peer>,
    outstanding: usize,
}

/// One row of `ListUnitsByNames`: name, description, load, active and sub state, following, path, job, its type and path.
type Row<'m> = (
    &'m str,
    &'m str,
    &'m str,
    &'m str,
    &'m str,
    &'m str,
    zbus::wire::ObjectPath<'m>,
    u32,
    &'m str,
    zbus::wire::ObjectPath<'m>,
);

/// What a poll says of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) active_state: String,
    pub(super) job: u32,
    pub(super) job_type: String,
}

/// The rows of an answer to `ListUnitsByNames`.
pub(super) fn listed(message: &Message) -> Option<Vec<Listed>> {
    let body = message.body();
    let (rows,) = body.deserialize::<(Vec<Row<'_>>,)>().ok()?;
    Some(
        rows.into_iter()
            .map(|(id, _, _, active_state, _, _, _, job, job_type, _)| Listed {
                id: id.to_owned(),
                active_state: active_state.to_owned(),
                job,
                job_type: job_type.to_owned(),
            })
            .collect(),
    )
}

impl Collecting {
    /// Asks which units are around `unit`. Those that name it themselves are known only while they are loaded.
    pub(super) async fn begin(unit: &str, tracker: &Tracker, calls: &mut Calls) -> zbus::Result<Self> {
        let generation = tracker.generation;
        let purpose = Purpose::PeersOf {
            unit: unit.to_owned(),
            generation,
        };
        calls.make(properties(unit, UNIT), purpose).await?;
        Ok(Self {
            generation,
            peers: Vec::new(),
            outstanding: 1,
        })
    }

    /// Asks the units around `unit`: their jobs in one call, their times in one call each, all sent at once.
    pub(super) async fn spread(&mut self, unit: &str, facts: &Facts, calls: &mut Calls) -> zbus::Result<()> {
        let names: Vec<&str> = facts
            .bound_to
            .iter()
            .chain(&facts.conflicts)
            .chain(&facts.triggered_by)
            .map(String::as_str)
            .take(PEERS_MAX)
            .collect();
        let generation = self.generation;
        let purpose = Purpose::PeerJobs {
            unit: unit.to_owned(),
            generation,
        };
        calls.make(list_units(&names), purpose).await?;
        for peer in &names {
            let purpose = Purpose::PeerFacts {
                unit: unit.to_owned(),
                generation,
                peer: (*peer).to_owned(),
            };
            calls.make(properties(peer, UNIT), purpose).await?;
        }
        self.outstanding = names.len() + 1;
        Ok(())
    }

    /// Takes over the jobs; `None` when that call failed.
    pub(super) fn jobs(&mut self, rows: Option<Vec<Listed>>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        for row in rows.unwrap_or_default() {
            self.peer(&row.id).job_type = row.job_type;
        }
    }

    /// Takes over the facts of one peer; `None` when that call failed.
    pub(super) fn facts(&mut self, name: &str, answered: Option<&Properties<'_>>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let Some(properties) = answered else {
            return;
        };
        let mut facts = Facts::default();
        facts.merge(properties);
        let peer = self.peer(name);
        peer.state = facts.active_state;
        peer.active_enter = facts.active_enter;
        peer.active_exit = facts.active_exit;
        peer.inactive_exit = facts.inactive_exit;
    }

    /// All peers, once every answer is in. Their times are those of the answers or those seen in passing, whichever
    /// are later: a unit that is not needed any more is unloaded, and then PID 1 has forgotten when it ran.
    pub(super) fn finish(&mut self, seen: impl Fn(&str) -> Option<Facts>) -> Option<Vec<Peer>> {
        if self.outstanding > 0 {
            return None;
        }
        for peer in &mut self.peers {
            if let Some(seen) = seen(&peer.name) {
                peer.active_enter = peer.active_enter.max(seen.active_enter);
                peer.active_exit = peer.active_exit.max(seen.active_exit);
                peer.inactive_exit = peer.inactive_exit.max(seen.inactive_exit);
            }
        }
        Some(std::mem::take(&mut self.peers))
    }

    fn peer(&mut self, name: &str) -> &mut Peer {
        let index = self.peers.iter().position(|peer| peer.name == name).unwrap_or_else(|| {
            self.peers.push(Peer {
                name: name.to_owned(),
                ..Peer::default()
            });
            self.peers.len() - 1
        });
        &mut self.peers[index]
    }
}
