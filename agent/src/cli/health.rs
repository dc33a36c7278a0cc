//! `sentinel health`, for the health check of a container.

use std::time::Duration;

use sentinel_api::HealthResponse;
use tokio::time::timeout;

use super::View;
use super::client::{Client, parse};

/// Asks the agent whether its loop still turns; what to write, or why it does not count as healthy.
///
/// How its services are doing is no matter: an agent is not healed of what it reports.
pub(super) async fn run(client: &Client, view: &View, limit: Duration) -> Result<String, String> {
    let asked = timeout(limit, client.get(&["health"], &[])).await;
    let answer = asked
        .map_err(|_elapsed| format!("the agent did not answer within {}", sentinel_text::exact_span(limit)))?
        .map_err(|error| error.explain())?;
    if view.json {
        return Ok(answer);
    }
    let health: HealthResponse = parse(&answer).map_err(|error| error.explain())?;
    Ok(match health.services {
        1 => "healthy: 1 service watched".to_owned(),
        services => format!("healthy: {services} services watched"),
    })
}
