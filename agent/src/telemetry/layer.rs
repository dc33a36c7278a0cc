//! The way from `tracing` to the sink.

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::record::Record;
use super::sink::Sink;

/// Hands every event to the sink. Spans are not logged: a line says everything by itself.
pub(super) struct RecordLayer {
    sink: Sink,
}

impl RecordLayer {
    pub(super) const fn new(sink: Sink) -> Self {
        Self { sink }
    }
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.sink.write(Record::of(event));
    }
}
