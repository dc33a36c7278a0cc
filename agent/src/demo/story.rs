//! From the first start to the last alert. Every wait has a bound, and ends at once when what is awaited happens.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use sentinel_api::IncidentDetail;
use tokio::time::{sleep, timeout_at};

use super::SERVICE;
use super::agent::LogLine;
use super::error::DemoError;
use super::fault::{FAULTS, Fault};
use super::receiver::{Alert, Post};
use super::report::{Outcome, Sent};
use super::screen::Screen;
use super::stage::{DemoEvent, Stage};
use super::timeline::{self, Entry};

/// Until the agent is up, and until the service is healthy for the first time. Both take a second or two; a busy machine
/// gets much longer.
const START_WITHIN: Duration = Duration::from_secs(30);

/// From the injection of a fault to its last alert: the slowest takes about six seconds.
const HEAL_WITHIN: Duration = Duration::from_secs(45);

/// Until the agent has recorded that the last message arrived, after it did.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

/// How often to ask the agent meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Waits until the agent is up and has looked at the service. Nothing is shown: nothing has happened yet.
pub(super) async fn await_agent(stage: &mut Stage) -> Result<(), DemoError> {
    // The service was never started, which looks like one that was stopped.
    let looked = |demo_event: &DemoEvent| match demo_event {
        DemoEvent::Logged(_, line) if line.event == "stopped" && is_ours(line) => Some(Ok(())),
        _ => None,
    };
    follow(stage, None, "the agent to start", START_WITHIN, looked).await
}

/// Has the agent start the service, and waits until it is healthy.
pub(super) async fn start(stage: &mut Stage, screen: &Screen) -> Result<(), DemoError> {
    stage.start_service().await?;
    let taken = format!("os error {}", Errno::ADDRINUSE.raw_os_error());
    let healthy = |demo_event: &DemoEvent| {
        let DemoEvent::Logged(_, line) = demo_event else {
            return None;
        };
        match line.event.as_str() {
            "healthy" => Some(Ok(())),
            "restart_ended" if line.reason.contains(&taken) => Some(Err(DemoError::PortTaken)),
            "restart_ended" if line.result != "done" => Some(Err(DemoError::NotStarted(line.reason.clone()))),
            _ => None,
        }
    };
    follow(
        stage,
        Some(screen),
        "`demo-service` to be healthy",
        START_WITHIN,
        healthy,
    )
    .await
}

/// Brings about every fault in turn. The outcomes so far are there also when the story breaks off.
pub(super) async fn play(stage: &mut Stage, screen: &Screen, outcomes: &mut Vec<Outcome>) -> Result<(), DemoError> {
    for (index, fault) in FAULTS.into_iter().enumerate() {
        let number = index + 1;
        let text = format!(
            "fault {number} of {}, {}: {SERVICE} {}",
            FAULTS.len(),
            fault.name,
            fault.request
        );
        screen.show("");
        screen.print(Instant::now(), &Entry::action(text));
        let mut seen = Seen::default();
        let suffered = suffer(stage, screen, fault, &mut seen).await;
        outcomes.push(seen.outcome());
        suffered?;
    }
    Ok(())
}

/// What was seen of one fault.
#[derive(Debug, Default)]
struct Seen {
    injected: Option<Instant>,
    opened: Option<Instant>,
    closed: Option<Instant>,
    incident: Option<u64>,
    gave_up: bool,
    arrived: Vec<Alert>,
    /// The agent's own account.
    detail: Option<IncidentDetail>,
}

/// One fault, until its incident is closed, every receiver was notified, and the agent has it on record.
async fn suffer(stage: &mut Stage, screen: &Screen, fault: Fault, seen: &mut Seen) -> Result<(), DemoError> {
    seen.injected = Some(stage.inject(fault).await?);
    let what = format!("the fault `{}` to be healed and notified", fault.name);
    let over = |demo_event: &DemoEvent| {
        seen.note(demo_event);
        if seen.gave_up && seen.was_notified(&["gave_up"]) {
            return Some(Err(DemoError::GaveUp));
        }
        (seen.closed.is_some() && seen.was_notified(&["resolved", "healed"])).then_some(Ok(()))
    };
    let followed = follow(stage, Some(screen), &what, HEAL_WITHIN, over).await;
    let Some(incident) = seen.incident else { return followed };
    // Also when it was not healed: the table shows what is known. What went wrong first is what counts.
    match recorded(stage, incident).await {
        Ok(detail) => {
            seen.detail = Some(detail);
            followed
        }
        Err(error) => followed.and(Err(error)),
    }
}

/// The agent's account of an incident, once the fate of all its messages is known, or when that takes too long.
async fn recorded(stage: &Stage, incident: u64) -> Result<IncidentDetail, DemoError> {
    let failed = |source| DemoError::Control {
        what: format!("for incident {incident}"),
        source,
    };
    let number = incident.to_string();
    let deadline = Instant::now() + RECORD_WITHIN;
    loop {
        let text = stage.client.get(&["incidents", &number], &[]).await.map_err(failed)?;
        let detail: IncidentDetail =
            serde_json::from_str(&text).map_err(|error| failed(crate::cli::ClientError::Garbled(error.to_string())))?;
        let settled = detail.messages.iter().all(|message| message.state == "delivered");
        if settled || Instant::now() > deadline {
            return Ok(detail);
        }
        sleep(ASK_EVERY).await;
    }
}

impl Seen {
    /// Takes in what happens.
    fn note(&mut self, demo_event: &DemoEvent) {
        match demo_event {
            DemoEvent::Logged(at, line) if is_ours(line) => match line.event.as_str() {
                "incident_opened" if self.incident.is_none() => {
                    self.incident = line.incident;
                    self.opened = Some(*at);
                }
                "incident_closed" if self.incident == line.incident => self.closed = Some(*at),
                "gave_up" => self.gave_up = true,
                _ => {}
            },
            DemoEvent::Posted(Post { alert: Ok(alert), .. }) => self.arrived.push(alert.clone()),
            _ => {}
        }
    }

    /// Whether a message of the incident is here that is one of `kinds`.
    fn was_notified(&self, kinds: &[&str]) -> bool {
        let mut messages = self.arrived.iter().map(|alert| &alert.message.data);
        messages.any(|data| Some(data.incident) == self.incident && kinds.contains(&data.kind.as_str()))
    }

    /// The line of the table: the times as they were lived through, everything else by the agent's own account.
    fn outcome(&self) -> Outcome {
        let after = |at: Option<Instant>| Some(at?.saturating_duration_since(self.injected?));
        let Some(detail) = &self.detail else {
            return Outcome::default();
        };
        let healed = detail.summary.resolution.as_deref() == Some("healed");
        let sent = detail.messages.iter().map(|message| Sent {
            kind: message.kind.clone(),
            arrived: message.state == "delivered" && self.arrived.iter().any(|alert| alert.id == message.id),
        });
        Outcome {
            cause: Some(detail.summary.cause.clone()),
            detected: after(self.opened),
            healed: after(self.closed).filter(|_| healed),
            messages: sent.collect(),
        }
    }
}

fn is_ours(line: &LogLine) -> bool {
    line.service.as_deref() == Some(SERVICE)
}

/// Shows what happens until `see` has its answer, for at most `limit`.
async fn follow(
    stage: &mut Stage,
    screen: Option<&Screen>,
    what: &str,
    limit: Duration,
    mut see: impl FnMut(&DemoEvent) -> Option<Result<(), DemoError>>,
) -> Result<(), DemoError> {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let Ok(demo_event) = timeout_at(deadline, stage.next()).await else {
            let what = what.to_owned();
            return Err(DemoError::Late { what, limit });
        };
        if matches!(demo_event, DemoEvent::AgentEnded) {
            return Err(DemoError::AgentEnded(stage.agent.ending().await));
        }
        if let Some(screen) = screen {
            show(screen, &demo_event);
        }
        if let Some(answer) = see(&demo_event) {
            return answer;
        }
    }
}

/// Shows what happened, if it is worth a line.
pub(super) fn show(screen: &Screen, demo_event: &DemoEvent) {
    match demo_event {
        DemoEvent::Logged(at, line) => {
            if let Some(entry) = timeline::logged(line) {
                screen.print(*at, &entry);
            }
        }
        DemoEvent::Posted(post) => screen.print(post.at, &timeline::posted(post)),
        DemoEvent::AgentEnded => {}
    }
}
