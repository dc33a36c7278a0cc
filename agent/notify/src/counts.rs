//! What came of attempts to deliver messages, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Delivered;
use super::error::DeliveryError;
use super::retry::Retry;

/// Counts as a receiver keeps them. Three numbers, so they are always there.
#[derive(Debug, Default)]
pub(super) struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
}

/// What came of attempts to deliver messages to one receiver, since it was configured or the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// The receiver took the message.
    pub delivered: u64,
    /// It did not, and is tried again.
    pub failed: u64,
    /// It never will.
    pub rejected: u64,
}

impl Counts {
    /// Counts one attempt.
    pub(super) fn add(&self, result: &Result<Delivered, DeliveryError>) {
        let count = match result {
            Ok(_) => &self.delivered,
            Err(error) if error.retry() == Retry::Never => &self.rejected,
            Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// As they are now.
    pub(super) fn read(&self) -> DeliveryCounts {
        DeliveryCounts {
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
        }
    }
}
