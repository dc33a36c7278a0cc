//! A real deadlock.

use std::io;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

/// The classic: two threads take two locks in opposite order. Called on the
/// runtime's only thread, which it blocks for good; comes back only when the
/// second thread could not be started.
///
/// Two threads rather than one lock taken twice, which std does not promise to
/// block on. The barrier makes certain that each holds its first lock before
/// either asks for its second.
pub(crate) fn enter() -> io::Result<()> {
    let left = Arc::new(Mutex::new(()));
    let right = Arc::new(Mutex::new(()));
    let both_hold_one = Arc::new(Barrier::new(2));

    let other = {
        let (left, right) = (Arc::clone(&left), Arc::clone(&right));
        let both_hold_one = Arc::clone(&both_hold_one);
        move || {
            let _right = right.lock();
            both_hold_one.wait();
            let _left = left.lock();
        }
    };
    // The name shows in `ps -L` and in /proc, for whoever diagnoses this.
    thread::Builder::new().name("chaos-deadlock".to_owned()).spawn(other)?;

    let _left = left.lock();
    both_hold_one.wait();
    let _right = right.lock();
    Ok(())
}
