//! How long a message is news. By the engine's clock: a wall clock that jumps must not throw messages away.

use std::time::Duration;

use super::row::{Earlier, MessageKind, Row, Standing};
use crate::time::Time;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// After this long an alert is no news any more.
const ALERT: Duration = HOUR.saturating_mul(24);

/// An update that is older says nothing of how things are.
const UPDATE: Duration = HOUR;

/// The end of an incident whose beginning was reported is news for longer: without it, it looks open for ever. So is a
/// digest, which stands for messages that were given up already.
const ENDING: Duration = HOUR.saturating_mul(24 * 7);

/// Whether `row` is to be given up at `now`. `follows` says that earlier messages of its conversation still wait.
///
/// The end of an incident is given up with its beginning: whoever never heard that something is down is not told that it
/// is over, whether the beginning expired or was refused for good. `gave_up` stands for itself and is sent all the same.
pub(super) fn is_over(row: &Row, follows: bool, now: Time) -> bool {
    if row.standing == Standing::Merged {
        // It expires with the message that it is part of.
        return false;
    }
    let lost = row.kind == MessageKind::Resolved && row.earlier == Earlier::Lost && !follows && !row.ambiguous;
    lost || now.since(row.created) > limit(row)
}

fn limit(row: &Row) -> Duration {
    match row.kind {
        MessageKind::Update => UPDATE,
        MessageKind::Resolved if row.earlier == Earlier::Delivered => ENDING,
        MessageKind::Digest => ENDING,
        _ => ALERT,
    }
}
