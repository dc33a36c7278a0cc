//! What came back, whoever asked.

use std::error::Error;

use hyper::HeaderMap;
use hyper::body::Bytes;

use super::direct;

/// An answer whose head has come.
#[derive(Debug)]
pub(super) enum Reply {
    /// Through a client.
    Pooled(reqwest::Response),
    /// Over a connection of its own.
    Direct(direct::Reply),
}

impl Reply {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Pooled(reply) => reply.status().as_u16(),
            Self::Direct(reply) => reply.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Pooled(reply) => reply.headers(),
            Self::Direct(reply) => reply.headers(),
        }
    }

    /// The next part of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, AskError> {
        match self {
            Self::Pooled(reply) => reply.chunk().await.map_err(AskError::from),
            Self::Direct(reply) => reply.chunk().await,
        }
    }
}

/// Why there is no answer, or not all of it.
#[derive(Debug)]
pub(in crate::probe) struct AskError {
    /// No connection had come about yet.
    pub(in crate::probe) connecting: bool,
    /// What went wrong.
    pub(in crate::probe) source: Box<dyn Error + Send + Sync>,
}

impl From<reqwest::Error> for AskError {
    fn from(error: reqwest::Error) -> Self {
        Self {
            connecting: error.is_connect(),
            source: error.into(),
        }
    }
}

impl From<hyper::Error> for AskError {
    fn from(error: hyper::Error) -> Self {
        Self {
            connecting: false,
            source: error.into(),
        }
    }
}
