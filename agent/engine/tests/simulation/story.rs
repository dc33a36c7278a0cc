//! The tape as a transcript that operators can read.

use sentinel_engine::{Command, Event, ReportKind, Time};

use super::tape::Entry;

/// A line of the transcript; `None` for what would only be noise in it.
pub fn line(at: Time, entry: &Entry) -> Option<String> {
    let text = match entry {
        Entry::AgentStarted(start) if start.store_lost => "--- the agent starts, its store was lost".to_owned(),
        Entry::AgentStarted(_) => "--- the agent starts".to_owned(),
        Entry::Reloaded(policy, services, changed) => {
            let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
            format!("--- reload: {names:?}, changed {changed:?}, {policy:?}")
        }
        Entry::RulesChanged(rules) => format!("* notified are {:?}", rules.receivers),
        Entry::Silenced { id, service, until } => format!("* silence {id} of {service:?} until {until:?}"),
        Entry::Expired(id) => format!("* silence {id} is ended"),
        Entry::Acknowledged(id) => format!("* incident {id} is acknowledged"),
        Entry::AgentDied => "--- the agent is killed".to_owned(),
        Entry::Event(event) => event_in_words(event),
        Entry::Decided(command) => decided(command)?,
        Entry::Acted(action) => format!("==> {} {} ({})", action.kind.as_str(), action.service, action.id),
        Entry::Woken | Entry::Recorded | Entry::Settled { .. } | Entry::Shown(_) => return None,
    };
    Some(format!("{:>12.3} {text}", at.since_epoch().as_secs_f64()))
}

fn event_in_words(event: &Event) -> String {
    match event {
        Event::ProbeCompleted {
            service,
            round,
            outcome,
        } => format!("    {service} probe {}: {:?}", round.0, outcome.verdict),
        Event::TargetObserved { service, observation } => {
            let run = observation.run.as_ref().map_or("-", |run| run.as_str());
            format!(
                "    {service} seen: {:?}, run {run}, {:?}",
                observation.state, observation.supervisor
            )
        }
        Event::ActionBegun { action, service } => format!("<-- {service} ({action}) begins"),
        Event::ActionFinished {
            action,
            service,
            result,
        } => format!("<== {service} ({action}): {result}"),
        event => format!("    {event:?}"),
    }
}

fn decided(command: &Command) -> Option<String> {
    match command {
        Command::Report(report) => match &report.kind {
            ReportKind::StateChanged { to, .. } => Some(format!("  . {} is {}", report.service, to.as_str())),
            what => Some(format!("  . {} {}: {what}", report.service, what.name())),
        },
        Command::RestartTarget(action) => Some(format!(
            "  > {} {} ({}), attempt {}, expected {:?}",
            action.kind.as_str(),
            action.service,
            action.id,
            action.attempt,
            action.expected.as_ref().map(sentinel_engine::RunId::as_str)
        )),
        Command::Notify(outgoing) => {
            let message = &outgoing.notification;
            let receivers: Vec<_> = outgoing.receivers.keys().map(String::as_str).collect();
            Some(format!(
                "  ! {} {} of incident {} to {}",
                message.service,
                message.kind.as_str(),
                message.incident,
                receivers.join(", ")
            ))
        }
        Command::EndSilence { silence, by } => Some(format!("  - silence {} ends: {by:?}", silence.id)),
        Command::SaveSilence(silence) => Some(format!("  - silence {} of {}", silence.id, silence.matches)),
        Command::RunProbes { .. }
        | Command::Save { .. }
        | Command::SaveHost(_)
        | Command::SaveNotificationLog(_)
        | Command::ForgetNotificationLog(_) => None,
    }
}
