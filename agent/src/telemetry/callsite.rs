//! Metadata of events that no macro makes.

use std::sync::OnceLock;

use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

/// A callsite that is known to no subscriber: its events are handed over directly.
struct Silent(OnceLock<Metadata<'static>>);

impl Callsite for Silent {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        // Set before anybody can hold an identifier of this callsite.
        self.0
            .get()
            .unwrap_or_else(|| unreachable!("a callsite without metadata"))
    }
}

/// Metadata of an event with the fields `names`, from the place `(file, line)`.
///
/// `tracing` wants metadata to live as long as the process, so this is never freed; call it once per kind of event.
pub(super) fn metadata(
    name: &'static str,
    target: &'static str,
    level: Level,
    (file, line): (Option<&'static str>, Option<u32>),
    names: &'static [&'static str],
) -> &'static Metadata<'static> {
    let callsite: &'static Silent = Box::leak(Box::new(Silent(OnceLock::new())));
    let fields = FieldSet::new(names, Identifier(callsite));
    callsite
        .0
        .get_or_init(|| Metadata::new(name, target, level, file, line, None, fields, Kind::EVENT))
}
