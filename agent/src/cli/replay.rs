//! `sentinel replay`: what another policy would have made of an incident.

use std::time::Duration;

use jiff::Timestamp;
use sentinel_api::{IncidentDetail, IncidentSummary, IncidentsResponse};
use sentinel_config::ConfigErrors;
use sentinel_engine::{Cause, HOST, Time};
use sentinel_simulation::{self as simulation, Outcome, Past, PastEnd, Policies};
use sentinel_text::time::between;
use sentinel_text::{Table, Tone, chain, span_secs};
use serde_json::{Value, json};

use super::args::{Cli, ReplayArgs};
use super::client::{Client, ClientError, parse};
use super::simulate::{SimulateError, policies, wrong_usage};
use super::{Exit, control_socket, fail, print};
use crate::simulate;

/// Most incidents in one replay: more are no story that anybody compares.
const MAX_INCIDENTS: usize = 100;

/// Carries out the command.
pub(super) async fn run(cli: &Cli, args: &ReplayArgs) -> Exit {
    let details = match fetch(cli, args).await {
        Ok(details) => details,
        Err(error) => return fail(error.exit(), &error.explain()),
    };
    // What is in force; without a configuration that can be read, the documented defaults.
    let now = policies(&cli.config).unwrap_or_else(|_| simulate::defaults());
    let pasts: Vec<Past> = details.iter().map(past).collect();
    let text = simulation::scenario_of(&pasts, &now, wall);
    if text.is_empty() {
        return fail(
            Exit::Failure,
            "there is nothing to replay: only the host as a whole was down",
        );
    }
    if args.print {
        return print(&text);
    }
    match answer(cli, args, &details, &text, now) {
        Ok(text) => print(&text),
        Err(error) => wrong_usage(&chain(&error)),
    }
}

/// The incident, and those near to it, oldest first.
async fn fetch(cli: &Cli, args: &ReplayArgs) -> Result<Vec<IncidentDetail>, ClientError> {
    let client = Client::new(&control_socket(cli))?;
    let detail = async |id: u64| parse::<IncidentDetail>(&client.get(&["incidents", &id.to_string()], &[]).await?);
    let wanted = detail(args.id).await?;
    let IncidentsResponse { incidents } = parse(&client.get(&["incidents"], &[("limit", "1000")]).await?)?;
    let near = |other: &IncidentSummary| is_near(&wanted.summary, other, args.around);
    let mut ids: Vec<u64> = incidents
        .iter()
        .filter(|other| other.id != args.id && near(other))
        .map(|other| other.id)
        .collect();
    // The nearest ones by number.
    ids.sort_by_key(|id| id.abs_diff(args.id));
    ids.truncate(MAX_INCIDENTS - 1);
    let mut details = vec![wanted];
    for id in ids {
        details.push(detail(id).await?);
    }
    details.sort_by_key(|detail| detail.summary.id);
    Ok(details)
}

/// Whether two incidents overlap, or lie no further apart than `around`.
fn is_near(one: &IncidentSummary, other: &IncidentSummary, around: Duration) -> bool {
    let end = |incident: &IncidentSummary| incident.closed_at.unwrap_or(Timestamp::MAX);
    let gap = between(end(one), other.opened_at).max(between(end(other), one.opened_at));
    gap <= around.as_secs_f64()
}

/// What the simulation needs to know of an incident.
fn past(detail: &IncidentDetail) -> Past {
    let summary = &detail.summary;
    let end = match summary.resolution.as_deref() {
        Some("healed" | "recovered" | "started") => PastEnd::Healthy,
        Some("stopped") => PastEnd::Stopped,
        _ => PastEnd::Unknown,
    };
    let attempts = detail.actions.iter().filter(|action| action.attempt > 0);
    Past {
        id: summary.id,
        service: summary.service.as_str().into(),
        cause: serde_json::from_value(detail.cause_facts.clone()).unwrap_or(Cause::Unknown),
        opened: time(summary.opened_at),
        closed: summary.closed_at.map(|at| (time(at), end)),
        attempts: attempts
            .map(|action| (time(action.started_at), action.helped == Some(true)))
            .collect(),
    }
}

/// A moment of the wall clock as the simulation counts, which knows none before the epoch.
fn time(at: Timestamp) -> Time {
    Time::from_epoch(Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default())
}

/// `2026-03-01 11:58:20Z`.
fn wall(at: Time) -> String {
    let at = Timestamp::UNIX_EPOCH
        .checked_add(at.since_epoch())
        .unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Why an incident is not replayed. Of several problems each has a line of its own.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    /// What is known of it makes no scenario.
    #[error("the incident cannot be replayed\n{0}")]
    Incident(ConfigErrors),
    /// The policy is wrong, or the services need one another in a circle.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
}

fn answer(
    cli: &Cli,
    args: &ReplayArgs,
    details: &[IncidentDetail],
    text: &str,
    now: Policies,
) -> Result<String, ReplayError> {
    let scenario = simulate::read("replay", text).map_err(ReplayError::Incident)?;
    let (name, policies) = match &args.policy {
        None => ("replayed".to_owned(), now),
        Some(path) => (path.display().to_string(), policies(path)?),
    };
    let outcome = simulation::run(&scenario, &policies).map_err(SimulateError::Circle)?;
    let (before, after) = (Figures::before(details), Figures::after(&outcome));
    if cli.json {
        let value = json!({
            "incidents": details.iter().map(|detail| detail.summary.id).collect::<Vec<_>>(),
            "then": before.json(),
            "replayed": after.json(),
            "simulation": simulate::json(&outcome, &name, &scenario),
        });
        return Ok(format!("{value:#}"));
    }
    let paint = super::stdout::paint();
    let mut out = String::new();
    if args.story {
        out.push_str(&simulate::render(&outcome, &scenario, paint));
        out.push('\n');
    } else {
        out.push_str(&paint.text(Tone::Strong, &scenario.about));
        out.push_str("\n\n");
    }
    let mut table = Table::with_headings(["", "INCIDENTS", "OPEN FOR", "RESTARTS", "MESSAGES", "PAGES"]);
    table.row(before.row("then"));
    table.row(after.row(&name));
    out.push_str(&table.render(paint));
    out.push('\n');
    out.push_str(&verdict(&before, &after));
    Ok(out)
}

/// `would have paged 1 time, not 6`.
fn verdict(before: &Figures, after: &Figures) -> String {
    let times = |count: usize| if count == 1 { "time" } else { "times" };
    if before.pages == after.pages {
        let count = before.pages;
        return format!("would have paged {count} {}, as it did\n", times(count));
    }
    format!(
        "would have paged {} {}, not {}\n",
        after.pages,
        times(after.pages),
        before.pages
    )
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    incidents: usize,
    /// Seconds, over all incidents.
    open: f64,
    restarts: usize,
    /// To the receiver that got the most.
    messages: usize,
    /// Those of them that want somebody's attention.
    pages: usize,
}

impl Figures {
    /// What history tells.
    fn before(details: &[IncidentDetail]) -> Self {
        let of_services = || details.iter().filter(|detail| detail.summary.service != HOST);
        let messages = |counts: fn(&str) -> bool| {
            let all = || details.iter().flat_map(|detail| &detail.messages);
            let of = |receiver: &str| {
                all()
                    .filter(|message| message.receiver == receiver && counts(&message.kind))
                    .count()
            };
            all().map(|message| of(&message.receiver)).max().unwrap_or_default()
        };
        Self {
            incidents: of_services().count(),
            open: of_services().map(|detail| detail.summary.duration_seconds).sum(),
            restarts: of_services()
                .flat_map(|detail| &detail.actions)
                .filter(|action| action.attempt > 0)
                .count(),
            messages: messages(|_| true),
            pages: messages(is_page),
        }
    }

    /// What the simulation tells.
    fn after(outcome: &Outcome) -> Self {
        let rows = &outcome.summary.rows;
        let kinds = || rows.iter().flat_map(|row| &row.messages);
        Self {
            incidents: rows
                .iter()
                .filter(|row| row.name.as_str() != HOST)
                .map(|row| row.incidents)
                .sum(),
            open: outcome.open_for().as_secs_f64(),
            restarts: outcome.summary.restarts(),
            messages: kinds().count(),
            pages: kinds().filter(|kind| is_page(kind)).count(),
        }
    }

    fn row(&self, name: &str) -> [(Tone, String); 6] {
        [
            (Tone::Strong, name.to_owned()),
            (Tone::Plain, self.incidents.to_string()),
            (Tone::Plain, span_secs(self.open)),
            (Tone::Plain, self.restarts.to_string()),
            (Tone::Plain, self.messages.to_string()),
            (Tone::Plain, self.pages.to_string()),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "incidents": self.incidents,
            "open_seconds": (self.open * 1000.0).round() / 1000.0,
            "restarts": self.restarts,
            "messages": self.messages,
            "pages": self.pages,
        })
    }
}

/// Whether a message of this kind wants somebody's attention; the others are good news.
fn is_page(kind: &str) -> bool {
    !matches!(kind, "healed" | "resolved" | "flapping_ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(opened: &str, closed: Option<&str>) -> IncidentSummary {
        IncidentSummary {
            id: 1,
            service: "shop".to_owned(),
            cause: String::new(),
            cause_kind: String::new(),
            opened_at: opened.parse().unwrap(),
            closed_at: closed.map(|at| at.parse().unwrap()),
            duration_seconds: 0.0,
            down_seconds: None,
            proved_after_seconds: None,
            resolution: None,
            attempts: 0,
        }
    }

    #[test]
    fn near_is_overlapping_or_not_far_apart() {
        let wanted = incident("2026-03-01T12:00:00Z", Some("2026-03-01T12:10:00Z"));
        let quarter = Duration::from_secs(15 * 60);
        for (other, near, why) in [
            (incident("2026-03-01T12:05:00Z", None), true, "it overlaps"),
            (incident("2026-03-01T12:24:00Z", None), true, "it began soon after"),
            (incident("2026-03-01T12:26:00Z", None), false, "it began long after"),
            (
                incident("2026-03-01T10:00:00Z", Some("2026-03-01T11:46:00Z")),
                true,
                "it ended shortly before",
            ),
            (
                incident("2026-03-01T10:00:00Z", Some("2026-03-01T11:44:00Z")),
                false,
                "it ended long before",
            ),
            (incident("2026-03-01T10:00:00Z", None), true, "it is still open"),
        ] {
            assert_eq!(is_near(&wanted, &other, quarter), near, "{why}");
            assert_eq!(is_near(&other, &wanted, quarter), near, "{why}, seen from there");
        }
    }
}
