//! Memory that is held for the sake of holding it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::fault::MEMORY_MAX_MIB;
use crate::log;

const MIB: usize = 1024 * 1024;

/// Memory this process grew by, in blocks of one MiB.
#[derive(Clone, Default)]
pub(crate) struct Ballast(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    /// How much is to be held, in MiB; what is held grows up to it.
    target: usize,
    blocks: Vec<Vec<u8>>,
}

impl Ballast {
    /// How much is held right now, in MiB.
    pub(crate) fn held_mib(&self) -> usize {
        self.lock().blocks.len()
    }

    /// Whether `mib` more stays within the limit.
    pub(crate) fn has_room(&self, mib: usize) -> bool {
        self.lock().target.saturating_add(mib) <= MEMORY_MAX_MIB
    }

    /// Begins to grow by `mib`, and never beyond the limit.
    ///
    /// It grows on a thread of its own: touching a gigabyte takes a while, and
    /// the service is meant to grow here, not to hang.
    pub(crate) fn grow(&self, mib: usize) {
        {
            let mut held = self.lock();
            held.target = held.target.saturating_add(mib).min(MEMORY_MAX_MIB);
        }
        let ballast = self.clone();
        let grow = move || while ballast.add_block() {};
        if let Err(error) = thread::Builder::new().name("chaos-memory".to_owned()).spawn(grow) {
            log::event("fault_failed", &[("fault", &"memory"), ("error", &error)]);
        }
    }

    /// Lets go of everything. A growth under way sees the new target and ends.
    pub(crate) fn release(&self) {
        *self.lock() = Held::default();
    }

    /// Adds one block; false when there is enough, or no more to be had.
    fn add_block(&self) -> bool {
        let mut held = self.lock();
        if held.blocks.len() >= held.target {
            return false;
        }
        let mut block = Vec::new();
        // `try_reserve`, as a plain allocation that fails would abort.
        if let Err(error) = block.try_reserve_exact(MIB) {
            held.target = held.blocks.len();
            log::event("fault_failed", &[("fault", &"memory"), ("error", &error)]);
            return false;
        }
        // Writing touches every page, and anything but zero keeps the
        // allocator from handing out untouched zero pages.
        block.resize(MIB, 0xA5);
        held.blocks.push(block);
        true
    }

    /// A panic under this lock leaves whole blocks behind, never half a state.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
