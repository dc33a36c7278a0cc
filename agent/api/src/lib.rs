//! What goes over the control socket, shared by the agent and the command line, and what `--json` prints.
//!
//! Fields are only ever added. Readers ignore what they do not know; moments are RFC 3339 in UTC; spans are seconds.

mod alerts;
mod incidents;
mod operator;
mod queue;
mod status;

pub use alerts::{AckBody, AckResponse, SilenceBody, SilenceEntry, SilencesResponse};
pub use incidents::{
    ActionEntry, EvidenceEntry, IncidentDetail, IncidentSummary, IncidentsResponse, MessageEntry, TimelineEntry,
};
pub use operator::{DeployBody, ErrorResponse, OperatorResponse, PAUSE_MAX, PauseBody, ReloadResponse};
pub use queue::{QueueResponse, QueuedMessage, ReceiverStatus};
pub use status::{
    AcknowledgedStatus, FlappingStatus, HealthResponse, HoldStatus, MaintenanceStatus, ModeWord, ObservedStatus,
    ProbeStatus, RejectedStatus, ServiceStatus, StatusResponse, UnseenStatus, Version, Waiting, WebStatus,
};
