//! Which faults are in effect, and putting them there.
//!
//! All of it lives in this process and dies with it: a restart cures every
//! fault but those given as flags.

use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ballast::Ballast;
use crate::deadlock;
use crate::fault::{Fault, FaultError};
use crate::log;

/// The faults in effect that a process can have and still answer.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Active {
    /// `/` and `/health` never answer.
    pub(crate) hang: bool,
    /// The status `/health` answers.
    pub(crate) status: Option<u16>,
    /// How late `/` and `/health` answer, in milliseconds.
    pub(crate) slow_ms: Option<u64>,
    /// How much memory is held for nothing, in MiB.
    pub(crate) memory_mib: usize,
}

/// The faults of this process.
#[derive(Default)]
pub(crate) struct Chaos {
    /// A watch channel, so that requests caught in a hang hear of its end.
    active: watch::Sender<Active>,
    ballast: Ballast,
    /// Faults that wait for their time; those whose flag had a delay.
    scheduled: Mutex<JoinSet<()>>,
}

impl Chaos {
    /// What is in effect now.
    pub(crate) fn active(&self) -> Active {
        Active {
            memory_mib: self.ballast.held_mib(),
            ..*self.active.borrow()
        }
    }

    /// Whether `fault` can be injected on top of what is in effect.
    pub(crate) fn check(&self, fault: Fault) -> Result<(), FaultError> {
        match fault {
            Fault::Memory { mib } if !self.ballast.has_room(mib) => Err(FaultError::MemoryLimit { mib }),
            _ => Ok(()),
        }
    }

    /// Puts a fault into effect. Does not come back from those that end or
    /// block the process.
    pub(crate) fn inject(&self, fault: Fault) {
        log::event("fault", &[("fault", &fault)]);
        match fault {
            Fault::Crash { code } => crash(code),
            Fault::Abort => process::abort(),
            Fault::Hang => self.active.send_modify(|active| active.hang = true),
            Fault::Status { code } => self.active.send_modify(|active| active.status = Some(code)),
            Fault::Slow { delay } => {
                let slow_ms = u64::try_from(delay.as_millis()).ok();
                self.active.send_modify(|active| active.slow_ms = slow_ms);
            }
            Fault::Memory { mib } => self.ballast.grow(mib),
            Fault::Deadlock => {
                if let Err(error) = deadlock::enter() {
                    log::event("fault_failed", &[("fault", &fault), ("error", &error)]);
                }
            }
        }
    }

    /// Runs `injection` unless a reset comes first.
    pub(crate) fn schedule(&self, injection: impl Future<Output = ()> + Send + 'static) {
        self.scheduled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(injection);
    }

    /// Ends every fault that can be ended, and forgets those still to come.
    pub(crate) fn reset(&self) {
        log::event("reset", &[]);
        self.scheduled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        self.ballast.release();
        self.active.send_replace(Active::default());
    }

    /// Makes the caller wait as long as the faults in effect say; forever, in a
    /// hang that nobody resets.
    pub(crate) async fn delay(&self) {
        let mut active = self.active.subscribe();
        // An error would mean that the sender is gone, and it lives in `self`.
        let _ = active.wait_for(|active| !active.hang).await;
        let slow_ms = active.borrow().slow_ms;
        if let Some(slow_ms) = slow_ms {
            tokio::time::sleep(Duration::from_millis(slow_ms)).await;
        }
    }
}

/// Ends the process right here, with nothing cleaned up.
#[expect(
    clippy::disallowed_methods,
    reason = "that nothing is cleaned up is what makes it a crash"
)]
fn crash(code: u8) -> ! {
    process::exit(code.into())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn reset_forgets_what_is_still_to_come() {
        let chaos = Chaos::default();
        let (held, released) = oneshot::channel::<()>();
        chaos.schedule(async move {
            pending::<()>().await;
            drop(held);
        });
        chaos.reset();
        assert!(released.await.is_err(), "the injection is dropped");
    }
}
