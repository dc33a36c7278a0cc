//! What is logged, by the thread that logs it.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing::Level;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

thread_local! {
    /// Nothing until this thread has asked.
    static LOGGED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to where [`logged`] reads.
struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.get_or_insert_default().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every line that this thread logged since it last asked; the first time it is none.
///
/// One subscriber for all threads alike, though what the others log is dropped: with a subscriber of one thread only, what
/// another one without any logs first is logged by nobody ever after.
pub(crate) fn logged() -> String {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(|| ThisThread)
            .finish();
        // What no operator asked for costs next to nothing.
        let asked = dynamic_filter_fn(|_, _| LOGGED.try_with(|logged| logged.borrow().is_some()).unwrap_or(false));
        tracing::subscriber::set_global_default(subscriber.with(asked)).unwrap();
    });
    String::from_utf8(LOGGED.replace(Some(Vec::new())).unwrap_or_default()).unwrap()
}
