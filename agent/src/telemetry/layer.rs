//! The way from `tracing` to the sink.

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::record::Record;
use super::sink::Sink;

/// Hands every event to the sink. Spans are not logged, as a line says everything by itself; but the `unit` of the one
/// around an event is a field of its own in the journal.
pub(super) struct RecordLayer {
    sink: Sink,
}

/// The unit that a span is about.
struct Unit(String);

impl RecordLayer {
    pub(super) const fn new(sink: Sink) -> Self {
        Self { sink }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RecordLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = FindUnit(None);
        attributes.record(&mut found);
        if let (Some(unit), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().insert(Unit(unit));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut record = Record::of(event);
        let mut around = context.event_scope(event).into_iter().flatten();
        record.unit = around.find_map(|span| span.extensions().get::<Unit>().map(|unit| unit.0.clone()));
        self.sink.write(record);
    }
}

struct FindUnit(Option<String>);

impl Visit for FindUnit {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "unit" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
