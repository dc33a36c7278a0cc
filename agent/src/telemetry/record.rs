//! One `tracing` event, taken out of its borrowed form so that another thread can write it.

use std::error::Error;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

/// Most bytes of one value; what is longer ends in an ellipsis. A value is a name, a number or a sentence, and one that
/// is longer came from outside.
pub(super) const VALUE_MAX: usize = 1024;

/// Most bytes of all values of one event together; the fields after that are left out and `truncated` says so. Bounds
/// the queue in bytes, and a journal entry to what fits one datagram.
pub(super) const RECORD_MAX: usize = 8 * 1024;

/// One event of the log.
#[derive(Debug)]
pub(super) struct Record {
    /// Level, target and place in the source.
    pub(super) metadata: &'static Metadata<'static>,
    /// The sentence, if it has one.
    pub(super) message: Option<String>,
    /// Everything else, in the order given.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// The unit it is about, where that is known. Only for the journal: lines name the service.
    pub(super) unit: Option<String>,
    /// Whether fields were left out for their size.
    pub(super) truncated: bool,
}

/// The value of a field.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    /// Words.
    Text(String),
    /// Something that JSON writes without quotes: a number or a truth value.
    Bare(String),
}

impl Value {
    /// The value as text.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bare(text) => text,
        }
    }
}

impl Record {
    /// Takes what `event` holds.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut collector = Collector {
            record: Self {
                metadata: event.metadata(),
                message: None,
                fields: Vec::with_capacity(event.metadata().fields().len()),
                unit: None,
                truncated: false,
            },
            left: RECORD_MAX,
        };
        event.record(&mut collector);
        collector.record
    }

    /// The text of the field `name`.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Builds a record within its limits.
struct Collector {
    record: Record,
    left: usize,
}

impl Collector {
    fn push(&mut self, field: &Field, value: Value) {
        let size = value.as_str().len();
        let Some(left) = self.left.checked_sub(size) else {
            self.record.truncated = true;
            return;
        };
        self.left = left;
        match value {
            Value::Text(text) if field.name() == "message" => self.record.message = Some(text),
            value => self.record.fields.push((field.name(), value)),
        }
    }

    fn push_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let mut capped = Capped::default();
        // The writer refuses once it is full; what it has by then is the value.
        let _ = capped.write_fmt(text);
        self.push(field, Value::Text(capped.finish()));
    }
}

impl Visit for Collector {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field, format_args!("{value}"));
    }

    /// The whole chain, since this is the edge where it is printed.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.push_text(field, format_args!("{}", Chain(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Bare(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        // JSON knows neither infinities nor NaN.
        self.push(
            field,
            if value.is_finite() {
                Value::Bare(text)
            } else {
                Value::Text(text)
            },
        );
    }
}

/// An error and what caused it, in one line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Takes text up to [`VALUE_MAX`], however long the text turns out to be.
#[derive(Default)]
struct Capped {
    text: String,
    full: bool,
}

impl Capped {
    fn finish(mut self) -> String {
        if self.full {
            self.text.push('…');
        }
        self.text
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = VALUE_MAX - '…'.len_utf8() - self.text.len();
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        let end = (0..=room).rev().find(|at| more.is_char_boundary(*at)).unwrap_or(0);
        self.text.push_str(&more[..end]);
        self.full = true;
        Err(fmt::Error)
    }
}
