//! `sentinel silence` and `sentinel ack`.

use std::collections::BTreeMap;

use sentinel_api::{AckBody, AckResponse, SilenceBody, SilenceEntry, SilencesResponse, StatusResponse};
use sentinel_engine::{HOST, matches};
use sentinel_text::Table;
use sentinel_text::Tone;
use sentinel_text::span_secs;
use sentinel_text::time::{between, local};

use super::View;
use super::args::{SilenceAdd, SilenceCommand};
use super::client::{Client, ClientError, Result, parse};

/// Carries out one of its commands.
pub(super) async fn run(client: &Client, view: &View, command: &SilenceCommand) -> Result<String> {
    match command {
        SilenceCommand::Add(add) => self::add(client, view, add).await,
        SilenceCommand::List => {
            let answer = client.get(&["silences"], &[]).await?;
            if view.json {
                return Ok(answer);
            }
            let SilencesResponse { silences } = parse(&answer)?;
            Ok(list(&silences, view))
        }
        SilenceCommand::Expire { id } => {
            let answer = client.post(&["silences", &id.to_string(), "expire"], &()).await?;
            Ok(if view.json {
                answer
            } else {
                format!("silence {id} is over; alerts still firing are sent now")
            })
        }
    }
}

/// Tells the agent that an operator acknowledges an incident.
pub(super) async fn acknowledge(client: &Client, view: &View, id: u64, text: &str) -> Result<String> {
    let body = AckBody { text: text.to_owned() };
    let answer = client.post(&["incidents", &id.to_string(), "ack"], &body).await?;
    if view.json {
        return Ok(answer);
    }
    let AckResponse { service, by, .. } = parse(&answer)?;
    Ok(format!(
        "incident {id} of `{service}` is acknowledged by {by}: it is not repeated and not escalated"
    ))
}

async fn add(client: &Client, view: &View, add: &SilenceAdd) -> Result<String> {
    let body = SilenceBody {
        services: add.service.clone(),
        severities: add.severity.clone(),
        labels: labels(&add.label)?,
        duration_seconds: add.duration.as_secs(),
        comment: add.comment.clone(),
    };
    let answer = client.post(&["silences"], &body).await?;
    if view.json {
        return Ok(answer);
    }
    let entry: SilenceEntry = parse(&answer)?;
    // Done is done: whether somebody is called like that is only asked to say so.
    let services = client.get(&["status"], &[]).await.and_then(|text| parse(&text));
    let unknown = services.map_or_else(|_| Vec::new(), |status: StatusResponse| unknown(&entry, &status));
    let note = match unknown.as_slice() {
        [] => String::new(),
        names => format!("\nno service is called {} now", names.join(" or ")),
    };
    Ok(format!(
        "silence {} of {} until {}; end it with `sentinel silence expire {}`{note}",
        entry.id,
        what(&entry),
        local(entry.until, &view.zone),
        entry.id
    ))
}

/// The names and patterns that fit no service there is: slips, or services that are yet to come.
fn unknown<'a>(entry: &'a SilenceEntry, status: &StatusResponse) -> Vec<&'a str> {
    let fits = |pattern: &str| {
        pattern == HOST || pattern == "*" || status.services.iter().any(|service| matches(pattern, &service.name))
    };
    let services = entry.services.iter().map(String::as_str);
    services.filter(|pattern| !fits(pattern)).collect()
}

/// Every label must fit, so that of two values for one nothing would be silenced, and of one that is dropped too much.
fn labels(given: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for (name, value) in given {
        if labels.insert(name.clone(), value.clone()).is_some() {
            let problem = format!("the label `{name}` is given twice; its value may be a pattern such as `web-*`");
            return Err(ClientError::Refused(problem));
        }
    }
    Ok(labels)
}

/// A line for each silence.
pub(super) fn list(silences: &[SilenceEntry], view: &View) -> String {
    if silences.is_empty() {
        return "nothing is silenced\n".to_owned();
    }
    let now = sentinel_base::clock::wall();
    let mut table = Table::with_headings(["ID", "WHAT", "STILL", "UNTIL", "BY", "COMMENT"]);
    for entry in silences {
        table.row([
            (Tone::Plain, entry.id.to_string()),
            (Tone::Plain, what(entry)),
            (Tone::Plain, span_secs(between(now, entry.until))),
            (Tone::Plain, local(entry.until, &view.zone)),
            (Tone::Plain, entry.by.clone()),
            (Tone::Plain, entry.comment.clone()),
        ]);
    }
    table.render(view.paint)
}

/// What it is about: `db-*, critical, team=web`.
fn what(entry: &SilenceEntry) -> String {
    let severities = entry.severities.iter().map(|severity| severity.as_str().to_owned());
    let labels = entry.labels.iter().map(|(name, value)| format!("{name}={value}"));
    let lists = [
        entry.services.join(" or "),
        severities.collect::<Vec<_>>().join(" or "),
        labels.collect::<Vec<_>>().join(", "),
    ];
    let parts: Vec<String> = lists.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_given_once() {
        let given = |labels: &[(&str, &str)]| {
            let owned: Vec<_> = labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            self::labels(&owned).map_err(|error| error.to_string())
        };
        assert_eq!(given(&[("team", "web"), ("tier", "1")]).unwrap().len(), 2);
        let error = given(&[("team", "web"), ("team", "data")]).unwrap_err();
        assert!(error.starts_with("the label `team` is given twice"), "{error}");
    }
}
