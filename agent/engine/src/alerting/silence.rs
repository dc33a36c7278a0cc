//! Silences: notifications that somebody muted for a while. What happens goes on being recorded and acted on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::subject::{Match, Subject};
use crate::time::Time;

/// Silences at a time. More are not kept by hand; each is asked about every message.
pub const SILENCES_MAX: usize = 256;

/// The longest comment, in characters.
pub const COMMENT_MAX: usize = 500;

/// The longest silence. What shall be quiet for longer is taken out of the routes.
pub const SILENCE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number, never used twice.
    pub id: u64,
    /// Which messages are muted. Its kinds are empty.
    pub matches: Match,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// Since when.
    pub since: Time,
    /// When it ends by itself.
    pub until: Time,
}

/// Why there is no new silence, or none to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilenceError {
    /// There are [`SILENCES_MAX`] already.
    TooMany,
    /// The comment is longer than [`COMMENT_MAX`].
    CommentTooLong,
    /// There is no such silence, or it is over.
    Unknown,
}

impl fmt::Display for SilenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "there are {SILENCES_MAX} silences already; expire one"),
            Self::CommentTooLong => write!(f, "the comment is longer than {COMMENT_MAX} characters"),
            Self::Unknown => f.write_str("there is no such silence, or it is over"),
        }
    }
}

impl std::error::Error for SilenceError {}

/// The silences in force.
#[derive(Debug, Default)]
pub(super) struct Silences {
    by_id: BTreeMap<u64, Silence>,
    next: u64,
}

impl Silences {
    /// Those that were kept, and the number of the next one.
    pub(super) fn resume(kept: Vec<Silence>, next: u64) -> Self {
        let by_id: BTreeMap<_, _> = kept.into_iter().map(|silence| (silence.id, silence)).collect();
        let after = by_id.keys().next_back().map_or(1, |last| last + 1);
        Self {
            by_id,
            next: next.max(after),
        }
    }

    /// The silence that mutes `subject` for longest.
    pub(super) fn muting(&self, subject: Subject<'_>) -> Option<&Silence> {
        let fitting = self.by_id.values().filter(|silence| silence.matches.fits(subject));
        fitting.max_by_key(|silence| (silence.until, silence.id))
    }

    pub(super) fn add(
        &mut self,
        now: Time,
        matches: Match,
        duration: Duration,
        by: String,
        comment: String,
    ) -> Result<Silence, SilenceError> {
        if self.by_id.len() >= SILENCES_MAX {
            return Err(SilenceError::TooMany);
        }
        if comment.chars().count() > COMMENT_MAX {
            return Err(SilenceError::CommentTooLong);
        }
        let id = self.next.max(1);
        self.next = id + 1;
        let silence = Silence {
            id,
            matches,
            by,
            comment,
            since: now,
            until: now + duration.min(SILENCE_MAX),
        };
        self.by_id.insert(id, silence.clone());
        Ok(silence)
    }

    pub(super) fn remove(&mut self, id: u64) -> Result<Silence, SilenceError> {
        self.by_id.remove(&id).ok_or(SilenceError::Unknown)
    }

    /// Takes out those that are over.
    pub(super) fn take_over(&mut self, now: Time) -> Vec<Silence> {
        let over: Vec<u64> = self
            .by_id
            .values()
            .filter(|silence| silence.until <= now)
            .map(|silence| silence.id)
            .collect();
        over.iter().filter_map(|id| self.by_id.remove(id)).collect()
    }

    /// When the next one ends.
    pub(super) fn next_end(&self) -> Option<Time> {
        self.by_id.values().map(|silence| silence.until).min()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Silence> {
        self.by_id.values()
    }
}
