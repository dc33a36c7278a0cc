//! What the Engine tells by itself: the events that it remembers, and those that come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;

use super::answers::{self, EventMessage};
use super::client::{ANSWER_WITHIN, Client, LIST_WITHIN};
use super::error::{CallError, SessionError};
use super::identity::Identity;
use super::tracker::Happened;
use super::wire::Reply;

/// Events that the Engine keeps in memory (`eventsLimit` of moby's `daemon/events/events.go`).
const REMEMBERED: usize = 256;

/// Events that matter. `exec_...` comes with every run of a health check, and must not come at all.
const EVENTS: [&str; 12] = [
    "create",
    "start",
    "die",
    "oom",
    "kill",
    "stop",
    "restart",
    "destroy",
    "rename",
    "health_status",
    "pause",
    "unpause",
];

/// The same for podman, beside those. It looks for the words by which it knows events itself, which are not those that it
/// tells, so that it is asked for all of them.
const PODMAN_EVENTS: [&str; 2] = ["died", "remove"];

/// What events are about, for Docker.
const TYPES: [&str; 11] = [
    "builder",
    "config",
    "container",
    "daemon",
    "image",
    "network",
    "node",
    "plugin",
    "secret",
    "service",
    "volume",
];

/// Something that happened, as the Engine told it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) id: String,
    pub(super) identity: Identity,
    pub(super) happened: Happened,
    pub(super) at: Timestamp,
}

/// What the Engine remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) heard: Vec<Heard>,
    /// When something happened to what, of all kinds of events.
    pub(super) marks: Vec<Mark>,
}

/// What distinguishes an event from all others: its time and what it happened to.
pub(super) type Mark = (Timestamp, String);

impl History {
    /// Whether it is all that happened since the Engine was started.
    pub(super) fn is_whole(&self) -> bool {
        self.marks.len() < REMEMBERED
    }
}

fn mark(message: &EventMessage) -> Option<Mark> {
    let at = Timestamp::from_nanosecond(i128::from(message.time_nano?)).ok()?;
    Some((at, message.actor.id.clone()))
}

impl Heard {
    /// `None` of what nobody here cares for, which comes of engines that do not filter as they are asked.
    pub(super) fn of(message: EventMessage) -> Option<Self> {
        let kind = message.action.split(':').next().unwrap_or_default();
        let matters = EVENTS.contains(&kind) || PODMAN_EVENTS.contains(&kind);
        if message.typ != "container" || !matters {
            if !TYPES.contains(&message.typ.as_str()) {
                answers::unknown("type of event", &message.typ);
            }
            return None;
        }
        let (at, id) = mark(&message)?;
        let attributes = message.actor.attributes;
        Some(Self {
            identity: Identity::of(&id, attributes.get("name").map_or("", String::as_str), &attributes),
            happened: Happened::of(kind, |key| attributes.get(key).cloned()),
            id,
            at,
        })
    }
}

impl Client {
    /// Everything that the Engine remembers until then: its last [`REMEMBERED`] events, of all kinds, since it was started.
    pub(super) async fn history(&self, until: Timestamp) -> Result<History, CallError> {
        let path = format!(
            "/events?since={}&until={}",
            seconds(Timestamp::UNIX_EPOCH),
            seconds(until)
        );
        let collected = async {
            let mut history = History::default();
            let mut reply = self.open(&path).await?;
            while let Some(event) = reply.event().await? {
                let Some(event) = self.understand(&event) else { continue };
                history.marks.extend(mark(&event));
                history.heard.extend(Heard::of(event));
            }
            Ok::<_, CallError>(history)
        };
        self.ask(LIST_WITHIN, collected).await
    }

    /// Whether events can be heard.
    pub(super) async fn sends_events(&self) -> Result<(), CallError> {
        let now = seconds(sentinel_base::clock::wall());
        let path = format!("/events?since={now}&until={now}");
        let asked = async {
            let mut reply = self.open(&path).await?;
            while reply.event().await?.is_some() {}
            Ok::<_, CallError>(())
        };
        self.ask(ANSWER_WITHIN, asked).await
    }

    /// Hands on everything that happens from `since` on, until it cannot any more; answers why. Sets `behind` when
    /// whoever takes the events is slower than they come: the Engine then drops some without a word.
    pub(super) async fn follow(
        &self,
        since: Timestamp,
        to: &mpsc::Sender<Heard>,
        behind: &Arc<AtomicBool>,
    ) -> SessionError {
        let filters = if self.is_podman() {
            serde_json::json!({ "type": ["container"] })
        } else {
            serde_json::json!({ "type": ["container"], "event": EVENTS })
        };
        let filters = filters.to_string();
        let filters = utf8_percent_encode(&filters, NON_ALPHANUMERIC);
        let path = format!("/events?since={}&filters={filters}", seconds(since));
        // The head comes at once, also where nothing happens; podman sends it with the first event.
        let opened = self.open(&path).await;
        match opened {
            Ok(reply) => self.relay(reply, to, behind).await,
            Err(error) => error.into(),
        }
    }

    async fn relay(&self, mut events: Reply, to: &mpsc::Sender<Heard>, behind: &Arc<AtomicBool>) -> SessionError {
        loop {
            let heard = match events.event().await {
                Ok(Some(event)) => self.understand(&event).and_then(Heard::of),
                Ok(None) => return SessionError::EventsEnded,
                Err(error) => return error.into(),
            };
            let Some(heard) = heard else {
                continue;
            };
            match to.try_send(heard) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(heard)) => {
                    behind.store(true, Ordering::Relaxed);
                    if to.send(heard).await.is_err() {
                        return SessionError::NotHeard;
                    }
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return SessionError::NotHeard,
            }
        }
    }

    /// Takes an event apart. One that makes no sense is skipped and counted: it must not cost the sight of the others.
    fn understand(&self, event: &[u8]) -> Option<EventMessage> {
        let understood = serde_json::from_slice(event).ok();
        if understood.is_none() && event.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let count = self.skipped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(count, "skipped an event of Docker that makes no sense");
        }
        understood
    }
}

/// A moment as the API takes it. Zero would mean that none is given.
fn seconds(moment: Timestamp) -> String {
    format!("{}.{:09}", moment.as_second().max(1), moment.subsec_nanosecond().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(message: &str) -> Option<(Happened, String)> {
        let heard = Heard::of(serde_json::from_str(message).unwrap())?;
        Some((heard.happened, heard.id))
    }

    #[test]
    fn events_of_any_engine_are_heard_or_skipped() {
        let of = |typ: &str, action: &str| {
            format!(
                r#"{{"Type":"{typ}","Action":"{action}","Actor":{{"ID":"a","Attributes":{{"name":"web","exitCode":"3"}}}},
                    "scope":"local","timeNano":1790000000000000000}}"#
            )
        };
        assert_eq!(
            heard(&of("container", "die")),
            Some((Happened::Die { code: 3 }, "a".to_owned()))
        );
        assert_eq!(
            heard(&of("container", "remove")),
            Some((Happened::Destroy, "a".to_owned()))
        );
        let died = r#"{"Type":"container","Action":"died","Actor":{"ID":"a","Attributes":{"containerExitCode":"137"}},"timeNano":1}"#;
        assert_eq!(heard(died), Some((Happened::Die { code: 137 }, "a".to_owned())));
        // podman's `kill` names no signal, and its `health_status` no state.
        assert_eq!(
            heard(&of("container", "kill")),
            Some((Happened::Kill { signal: None }, "a".to_owned()))
        );
        assert_eq!(
            heard(&of("container", "health_status")),
            Some((Happened::Other, "a".to_owned()))
        );
        // In podman's history, and whatever else may come.
        for (typ, action) in [
            ("system", "refresh"),
            ("container", "checkpoint"),
            ("pod", "start"),
            ("", ""),
        ] {
            assert_eq!(heard(&of(typ, action)), None, "{typ} {action}");
        }
        assert_eq!(heard(r#"{"Type":"container","Action":"die","timeNano":"soon"}"#), None);
    }
}
