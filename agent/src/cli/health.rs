//! `sentinel health`, for the health check of a container.

use std::time::Duration;

use sentinel_api::HealthResponse;
use sentinel_text::exact_span;
use tokio::time::timeout;

use super::View;
use super::client::{Client, ClientError, parse};

/// Why an agent does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub(super) enum HealthError {
    /// Its loop does not turn, or not often enough.
    #[error("the agent did not answer within {}", exact_span(*.0))]
    Late(Duration),
    /// It says so itself, or nobody could be asked.
    #[error("{}", .0.explain())]
    Client(#[from] ClientError),
}

/// Asks the agent whether its loop still turns; what to write, or why it does not count as healthy.
///
/// How its services are doing is no matter: an agent is not healed of what it reports.
pub(super) async fn run(client: &Client, view: &View, limit: Duration) -> Result<String, HealthError> {
    let asked = timeout(limit, client.get(&["health"], &[])).await;
    let answer = asked.map_err(|_elapsed| HealthError::Late(limit))??;
    if view.json {
        return Ok(answer);
    }
    let health: HealthResponse = parse(&answer)?;
    Ok(match health.services {
        1 => "healthy: 1 service watched".to_owned(),
        services => format!("healthy: {services} services watched"),
    })
}
