//! The control API: HTTP/1.1 and JSON over a Unix socket.
//!
//! | route | answers |
//! | --- | --- |
//! | `GET /v1/version` | [`api::Version`] |
//! | `GET /v1/status[?service=NAME]` | [`api::StatusResponse`] |
//! | `GET /v1/incidents[?service=NAME&limit=N]` | [`api::IncidentsResponse`], newest first |
//! | `GET /v1/incidents/ID` | [`api::IncidentDetail`] |
//! | `GET /v1/alerts/queue[?limit=N]` | [`api::QueueResponse`]: receivers, and messages that wait |
//! | `POST /v1/services/NAME/restart`, `/pause`, `/resume` | 202 and [`api::OperatorResponse`] |
//! | `POST /v1/services/NAME/deploy`, `/deployed` | the same: it is left alone between the two |
//! | `GET /v1/silences` | [`api::SilencesResponse`] |
//! | `POST /v1/silences` | 201 and [`api::SilenceEntry`] |
//! | `POST /v1/silences/ID/expire` | [`api::SilenceEntry`] |
//! | `POST /v1/incidents/ID/ack` | [`api::AckResponse`] |
//! | `POST /v1/reload` | [`api::ReloadResponse`], or 409 with everything that is wrong |
//!
//! Errors are [`api::ErrorResponse`] with the status that fits. Whoever may open the socket may do all of this: the
//! socket's mode and group are the permission. [`control`] is the way to the driver, which alone knows and decides.

mod alerts;
pub mod api;
mod bounded;
mod control;
mod errors;
mod routes;
mod socket;
mod status;
#[cfg(test)]
mod tests;

pub use control::{
    AlertRefusal, AlertRequest, ControlHandle, ControlRequest, HistoryError, IncidentQuery, ReloadRefused, ReloadReply,
    StatusView, channel,
};
pub use routes::{Access, ServerInfo, router};
pub use socket::{ControlSocket, ServerError};
