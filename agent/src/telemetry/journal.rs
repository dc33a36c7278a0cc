//! Events as journald entries with native fields.
//!
//! An entry's `MESSAGE` is the very line that stdout would get, so that whatever finds a line in one log finds it in the
//! other. Each field `name` is `SENTINEL_NAME` beside it, raw, and `MESSAGE_ID` tells the kind of event.
//!
//! `tracing-journald` writes the entries. It prefixes every field or none, so each kind of event gets a twin whose fields
//! carry the journal's names, and that twin is what it sees. It sends on a blocking socket: use it only on the log's
//! own thread.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use std::{env, fmt};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Metadata, Value};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use super::message_id::QUALIFIERS;
use super::record::Record;
use super::{callsite, logfmt, message_id};

/// Saying hello to journald can block when it hangs with a full queue; the agent starts without it then.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// What `journalctl -t` finds the entries by.
const SYSLOG_IDENTIFIER: &str = "sentinel";

/// Whether stdout is connected to journald, as `JOURNAL_STREAM` (see systemd.exec(5)) tells.
pub fn owns_stdout() -> bool {
    let Ok(stream) = env::var("JOURNAL_STREAM") else {
        return false;
    };
    rustix::fs::fstat(io::stdout().as_fd()).is_ok_and(|stat| names(&stream, stat.st_dev, stat.st_ino))
}

/// Whether `stream`, `DEVICE:INODE` in decimal, names this file. The variable is inherited by children whose output
/// goes elsewhere, so its presence says nothing.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    stream
        .split_once(':')
        .is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

/// A connection to journald.
pub(super) struct Journal {
    dispatch: Dispatch,
    twins: HashMap<Identifier, &'static Metadata<'static>>,
}

impl Journal {
    /// Connects, within a second.
    pub(super) fn connect() -> io::Result<Self> {
        let (connected, answer) = sync_channel(1);
        thread::Builder::new().name("journald".to_owned()).spawn(move || {
            let _ = connected.send(tracing_journald::layer());
        })?;
        let layer = match answer.recv_timeout(CONNECT_DEADLINE) {
            Ok(layer) => layer?,
            Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let layer = layer
            .with_field_prefix(None)
            .with_syslog_identifier(SYSLOG_IDENTIFIER.to_owned())
            .with_priority_mappings(PriorityMappings {
                info: Priority::Informational,
                debug: Priority::Debug,
                ..PriorityMappings::new()
            });
        Ok(Self::over(layer))
    }

    /// Sends through `layer`.
    fn over(layer: impl Layer<Registry> + Send + Sync) -> Self {
        // OFF: no macro anywhere may think that this dispatcher wants its events. Twins are handed to it directly,
        // which no filter sees.
        Self {
            dispatch: Dispatch::new(Registry::default().with(layer).with(LevelFilter::OFF)),
            twins: HashMap::new(),
        }
    }

    /// Sends `record`. May block for as long as journald does.
    pub(super) fn send(&mut self, record: &Record) {
        let twin = *self
            .twins
            .entry(record.metadata.callsite())
            .or_insert_with(|| twin(record.metadata));
        let line = logfmt::line(record, false);
        let id = record.message_id();
        let values: Vec<Option<&str>> = twin
            .fields()
            .iter()
            .map(|field| match field.name() {
                MESSAGE => Some(line.as_str()),
                MESSAGE_ID => id,
                UNIT => record.native(UNIT).or(record.unit.as_deref()),
                name => record.native(name),
            })
            .collect();
        let values: Vec<Option<&dyn Value>> = values
            .iter()
            .map(|value| value.as_ref().map(|value| value as &dyn Value))
            .collect();
        self.dispatch
            .event(&Event::new(twin, &twin.fields().value_set_all(&values)));
    }
}

const MESSAGE: &str = "message";
const MESSAGE_ID: &str = "MESSAGE_ID";
const UNIT: &str = "SENTINEL_UNIT";
const PREFIX: &str = "SENTINEL_";

impl Record {
    /// The number of this kind of event.
    pub(super) fn message_id(&self) -> Option<&'static str> {
        let qualifier = QUALIFIERS.iter().find_map(|name| self.field(name));
        message_id(self.field("event")?, qualifier)
    }

    /// The value of the journal's field `name`.
    fn native(&self, name: &str) -> Option<&str> {
        let name = name.strip_prefix(PREFIX)?;
        self.fields
            .iter()
            .find(|(own, _)| native_name(own) == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The twin of an event's metadata: same place and level, the journal's field names.
///
/// Made once per place that logs, and kept for ever, as `tracing` demands of metadata.
fn twin(of: &'static Metadata<'static>) -> &'static Metadata<'static> {
    let own = of.fields().iter().filter(|field| field.name() != MESSAGE);
    let mut names: Vec<&'static str> = vec![MESSAGE, MESSAGE_ID, UNIT];
    for name in own.map(|field| format!("{PREFIX}{}", native_name(field.name()))) {
        if !names.contains(&name.as_str()) {
            names.push(name.leak());
        }
    }
    callsite::metadata(
        of.name(),
        of.target(),
        *of.level(),
        (of.file(), of.line()),
        names.leak(),
    )
}

/// `name` as part of a journal field: upper case, digits and underscores.
pub(super) fn native_name(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Subscriber;
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::Context;

    use super::*;

    /// Keeps the records of what it sees.
    #[derive(Clone, Default)]
    struct Keep(Arc<Mutex<Vec<Record>>>);

    impl<S: Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Record::of(event));
        }
    }

    #[test]
    fn an_event_has_native_fields_its_line_and_its_kind() {
        let (logged, sent) = (Keep::default(), Keep::default());
        with_default(Registry::default().with(logged.clone()), || {
            for code in [500_u64, 503] {
                tracing::warn!(
                    service = "shop",
                    status_code = code,
                    event = "unhealthy",
                    cause = "a\nb",
                    incident = None::<u64>
                );
            }
        });
        let mut journal = Journal::over(sent.clone());
        for record in logged.0.lock().unwrap().iter() {
            journal.send(record);
        }
        let sent = sent.0.lock().unwrap();
        let [first, second] = sent.as_slice() else {
            panic!("{sent:?}");
        };
        assert_eq!(
            first.message.as_deref(),
            Some(r#"service=shop status_code=500 event=unhealthy cause="a\nb" level=warn"#)
        );
        assert_eq!(first.field("SENTINEL_SERVICE"), Some("shop"));
        assert_eq!(first.field("SENTINEL_STATUS_CODE"), Some("500"));
        assert_eq!(first.field("SENTINEL_CAUSE"), Some("a\nb"));
        assert_eq!(first.field("SENTINEL_INCIDENT"), None);
        assert_eq!(first.field("MESSAGE_ID"), message_id("unhealthy", None));
        assert_eq!(*first.metadata.level(), tracing::Level::WARN);
        assert!(first.metadata.file().unwrap().ends_with("journal.rs"));
        assert_eq!(second.field("SENTINEL_STATUS_CODE"), Some("503"));
        assert!(
            std::ptr::eq(first.metadata, second.metadata),
            "one twin for each place that logs"
        );
    }

    #[test]
    fn journal_stream_names_one_file() {
        assert!(names("12:345", 12, 345));
        for other in ["12:346", "13:345", "12", "", "12:345:6", "a:b", ":", "12:-345"] {
            assert!(!names(other, 12, 345), "{other}");
        }
    }

    #[test]
    fn field_names_are_what_journald_accepts() {
        assert_eq!(native_name("status_code"), "STATUS_CODE");
        assert_eq!(native_name("otel.name-x"), "OTEL_NAME_X");
    }
}
