//! The control API: HTTP/1.1 and JSON over a Unix socket.
//!
//! | route | answers |
//! | --- | --- |
//! | `GET /v1/version` | [`Version`](sentinel_api::Version) |
//! | `GET /v1/status[?service=NAME]` | [`StatusResponse`](sentinel_api::StatusResponse) |
//! | `GET /v1/incidents[?service=NAME&limit=N]` | [`IncidentsResponse`](sentinel_api::IncidentsResponse), newest first |
//! | `GET /v1/incidents/ID` | [`IncidentDetail`](sentinel_api::IncidentDetail) |
//! | `GET /v1/alerts/queue[?limit=N]` | [`QueueResponse`](sentinel_api::QueueResponse): receivers, and messages that wait |
//! | `POST /v1/services/NAME/restart`, `/pause`, `/resume` | 202 and [`OperatorResponse`](sentinel_api::OperatorResponse) |
//! | `POST /v1/services/NAME/deploy`, `/deployed` | the same: it is left alone between the two |
//! | `GET /v1/silences` | [`SilencesResponse`](sentinel_api::SilencesResponse) |
//! | `POST /v1/silences` | 201 and [`SilenceEntry`](sentinel_api::SilenceEntry) |
//! | `POST /v1/silences/ID/expire` | [`SilenceEntry`](sentinel_api::SilenceEntry) |
//! | `POST /v1/incidents/ID/ack` | [`AckResponse`](sentinel_api::AckResponse) |
//! | `POST /v1/reload` | [`ReloadResponse`](sentinel_api::ReloadResponse), or 409 with everything that is wrong |
//!
//! Errors are [`ErrorResponse`](sentinel_api::ErrorResponse) with the status that fits. Whoever may open the socket may do all of this: the
//! socket's mode and group are the permission. [`sentinel_driver::control`] is the way to the driver, which alone knows and decides.

mod alerts;
mod bounded;
mod errors;
mod routes;
mod socket;
mod status;
#[cfg(test)]
mod tests;

pub use routes::{Access, ServerInfo, router};
pub use socket::{ControlSocket, ServerError};
