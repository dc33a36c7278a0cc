//! `sentinel names`, which the completions of the shells ask: what can stand where a name is expected.

use clap::ValueEnum;
use sentinel_api::{IncidentsResponse, QueueResponse, SilencesResponse, StatusResponse};

use super::client::{Client, Result, parse};

/// Incidents offered, newest first: whoever means an older one has its number from a list.
const INCIDENTS_MAX: &str = "50";

/// Longest description beside a name, in characters: it stands on one line of a terminal.
const ABOUT_MAX: usize = 60;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NameKind {
    /// Services.
    Services,
    /// Receivers.
    Receivers,
    /// Incidents, by number.
    Incidents,
    /// Incidents that are open.
    OpenIncidents,
    /// Silences, by number.
    Silences,
}

/// A name a line; after a tab what it stands for, where that helps.
pub(super) async fn run(client: &Client, kind: NameKind) -> Result<String> {
    Ok(match kind {
        NameKind::Services => {
            let answer: StatusResponse = parse(&client.get(&["status"], &[]).await?)?;
            lines(answer.services.into_iter().map(|service| (service.name, service.state)))
        }
        NameKind::Receivers => {
            let answer: QueueResponse = parse(&client.get(&["alerts", "queue"], &[("limit", "1")]).await?)?;
            lines(
                answer
                    .receivers
                    .into_iter()
                    .map(|receiver| (receiver.name, String::new())),
            )
        }
        NameKind::Incidents | NameKind::OpenIncidents => {
            let answer = client.get(&["incidents"], &[("limit", INCIDENTS_MAX)]).await?;
            let mut incidents = parse::<IncidentsResponse>(&answer)?.incidents;
            incidents.retain(|incident| kind == NameKind::Incidents || incident.closed_at.is_none());
            let described = incidents.into_iter().map(|incident| {
                (
                    incident.id.to_string(),
                    format!("{}: {}", incident.service, incident.cause),
                )
            });
            lines(described)
        }
        NameKind::Silences => {
            let answer: SilencesResponse = parse(&client.get(&["silences"], &[]).await?)?;
            lines(
                answer
                    .silences
                    .into_iter()
                    .map(|silence| (silence.id.to_string(), silence.comment)),
            )
        }
    })
}

fn lines(names: impl Iterator<Item = (String, String)>) -> String {
    names.fold(String::new(), |mut text, (name, about)| {
        text.push_str(&sentinel_text::printable(&name));
        if !about.is_empty() {
            let about: String = about.chars().take(ABOUT_MAX).collect();
            text.push('\t');
            // What is said of an incident is untrusted, and a shell takes it line by line.
            text.push_str(&sentinel_text::printable(&about).replace('\t', " "));
        }
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_whatever_is_said_of_it() {
        let names = [("web", "healthy"), ("7", "web: said\n\tmuch \u{1b}[31m"), ("team", "")];
        let text = lines(
            names
                .into_iter()
                .map(|(name, about)| (name.to_owned(), about.to_owned())),
        );
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert!(text.starts_with("web\thealthy\n7\tweb: said"), "{text:?}");
        assert!(text.ends_with("\nteam\n") && !text.contains('\u{1b}'), "{text:?}");
        assert_eq!(text.matches('\t').count(), 2, "{text:?}");
    }
}
