//! Why there is no answer.

use std::error::Error;

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub(crate) struct AskError {
    /// No connection had come about yet.
    pub(crate) connecting: bool,
    /// What went wrong.
    pub(crate) source: Box<dyn Error + Send + Sync>,
}

impl From<hyper::Error> for AskError {
    fn from(error: hyper::Error) -> Self {
        Self {
            connecting: false,
            source: error.into(),
        }
    }
}

impl AskError {
    /// Whether the server may merely have closed a connection that was kept, so that another one is worth a try.
    pub(super) fn may_have_been_closed(&self) -> bool {
        let error = self.source.downcast_ref::<hyper::Error>();
        error.is_some_and(|error| error.is_canceled() || error.is_closed() || error.is_incomplete_message())
    }
}
