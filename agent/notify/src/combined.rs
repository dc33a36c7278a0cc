//! Messages that stand for others, and messages about receivers: what they say.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_config::Rejected;
use sentinel_engine::{HOST, Resolution, Severity};
use sentinel_store::{Combination, Combine, Notice, Part, Undelivered};
use sentinel_text::clip;
use sentinel_text::clip::clip_middle;
use sentinel_text::span;
use sentinel_text::time::moment;

use super::message::{MEMBERS_MAX, Member, Message};

/// So many services are named in a line; the others are counted.
const NAMES: usize = 5;

/// Room for a name, and for a cause, where several stand in a line, in bytes.
const NAME_MAX: usize = 80;
const CAUSE_MAX: usize = 100;

/// Room for an error in a line, in bytes.
const ERROR_MAX: usize = 500;

/// What is made of `combination` at `wall`, with times of `zone`.
pub(super) fn compose(combination: &Combination, wall: Timestamp, zone: &TimeZone) -> Message {
    let parts: Vec<Message> = combination.parts.iter().map(read).collect();
    match combination.combine {
        Combine::Group => Message::group(&combination.host, &parts, wall),
        Combine::Digest => Message::digest(&combination.host, &parts, &combination.undelivered, wall, zone),
        Combine::Collapse => Message::over_undelivered(&parts, wall),
    }
}

fn read(part: &Part) -> Message {
    let mut message = Message::from_payload(&part.payload, &part.kind, part.created_wall);
    // The outbox knows these even when the payload cannot be read.
    message.data.incident = part.incident.0;
    message.data.sequence = part.sequence;
    message.data.severity = part.severity;
    message
}

impl Message {
    /// `alerts.group`: the beginnings of several incidents, or their ends.
    pub fn group(host: &str, parts: &[Self], wall: Timestamp) -> Self {
        let severity = parts.iter().map(|part| part.data.severity).max().unwrap_or_default();
        let is_over = parts.iter().all(|part| part.data.resolution.is_some());
        let said = if is_over { over(parts) } else { down(parts) };
        let summary = format!("{host}: {said}");
        let mut message = Self::about_alerts("group", host, wall, severity, &summary);
        message.data.members = members(parts);
        message.data.opened_at = parts.iter().map(|part| part.data.opened_at).min().unwrap_or(wall);
        message
    }

    /// `alerts.digest`: `over` came and went while no receiver could be notified, and `undelivered` was never reported.
    pub fn digest(host: &str, over: &[Self], undelivered: &[Undelivered], wall: Timestamp, zone: &TimeZone) -> Self {
        let undelivered_messages: u64 = undelivered.iter().map(|count| count.messages).sum();
        let firsts = undelivered.iter().map(|count| count.first);
        let first = firsts.chain(over.iter().map(|part| part.data.opened_at)).min();
        let lasts = undelivered.iter().map(|count| count.last);
        let last = lasts.chain(over.iter().map(|part| part.timestamp)).max();
        let mut said = Vec::new();
        if undelivered_messages > 0 {
            said.push(format!(
                "{} undeliverable",
                sentinel_text::count(undelivered_messages, "alert")
            ));
        }
        if !over.is_empty() {
            let outages = sentinel_text::count(u64::try_from(over.len()).unwrap_or(u64::MAX), "outage");
            said.push(format!("{outages} over before a message could be sent"));
        }
        let when = period(first.unwrap_or(wall), last.unwrap_or(wall), zone);
        let summary = format!("{host}: {}, {when}", said.join(", "));
        // What was never reported may need somebody; what is over does not.
        let severity = if undelivered_messages > 0 {
            Severity::Warning
        } else {
            Severity::Info
        };
        let mut message = Self::about_alerts("digest", host, wall, severity, &summary);
        message.data.opened_at = first.unwrap_or(wall);
        let counts = undelivered.iter().map(|count| {
            let service = if count.service.is_empty() {
                "(other)"
            } else {
                &count.service
            };
            let summary = format!(
                "{service}: {} ({}) never delivered, {}",
                sentinel_text::count(count.messages, "message"),
                count.kind,
                period(count.first, count.last, zone)
            );
            Member::new(0, service, &count.kind, Severity::Warning, &summary)
        });
        message.data.members = counts.chain(members(over)).take(MEMBERS_MAX).collect();
        message
    }

    /// `incident.healed`, or `incident.resolved` where it did not get well: the beginning and the end of an incident of which
    /// nobody heard, in one. The last of `parts` is its end.
    pub fn over_undelivered(parts: &[Self], wall: Timestamp) -> Self {
        let Some((ending, earlier)) = parts.split_last() else {
            return Self::about_alerts("digest", "", wall, Severity::Info, "");
        };
        let mut message = ending.clone();
        // What was stopped, or is watched no longer, is over and not well.
        let is_well = !matches!(
            ending.data.resolution,
            Some(Resolution::Stopped | Resolution::Unmanaged)
        );
        if is_well {
            "incident.healed".clone_into(&mut message.kind);
            "healed".clone_into(&mut message.data.kind);
        }
        if earlier.iter().any(|part| part.data.kind == "gave_up") {
            // Restarting did not help, and somebody had been called in vain.
            message.data.severity = Severity::Warning;
            let doing =
                "nothing; the outage is over, after restarting had not helped and no receiver could be notified";
            doing.clone_into(&mut message.data.doing);
        }
        message
    }

    /// `alerts.stuck` or `alerts.works`, about `receiver`, which has failed since `since` with `error`.
    pub fn about_receiver(notice: Notice, host: &str, receiver: &str, about: &Trouble<'_>, wall: Timestamp) -> Self {
        let waiting = sentinel_text::count(about.waiting, "message");
        let since = about.since.unwrap_or(wall);
        let lasted = span(wall.duration_since(since).try_into().unwrap_or_default());
        let error = clip(about.error, ERROR_MAX);
        let (word, severity, summary) = match notice {
            Notice::Stuck if !about.asked.is_zero() => (
                "stuck",
                Severity::Warning,
                format!(
                    "{host}: the receiver {receiver} is rate limiting (Retry-After {}), {waiting} queued: {error}",
                    span(about.asked)
                ),
            ),
            Notice::Stuck => (
                "stuck",
                Severity::Warning,
                format!("{host}: the receiver {receiver} has been failing for {lasted}, {waiting} queued: {error}"),
            ),
            Notice::Refused => (
                "stuck",
                Severity::Warning,
                format!(
                    "{host}: the receiver {receiver} rejected a message permanently, so the message is lost there: {error}"
                ),
            ),
            Notice::Works => (
                "works",
                Severity::Info,
                format!("{host}: the receiver {receiver} works again after {lasted}, {waiting} still queued"),
            ),
        };
        let mut message = Self::about_alerts(word, host, wall, severity, &summary);
        message.data.opened_at = since;
        "see `sentinel alerts queue`".clone_into(&mut message.data.doing);
        message
    }

    /// `alerts.notice`: what asks to be watched and is not, as something is wrong with it.
    pub fn about_rejected(host: &str, refused: &[&Rejected], wall: Timestamp) -> Self {
        let first = refused.first().map(ToString::to_string).unwrap_or_default();
        let summary = match refused.len() {
            0 | 1 => format!("{host}: not watched: {first}"),
            count => format!("{host}: {count} mistakes keep services from being watched; the first: {first}"),
        };
        let mut message = Self::about_alerts("notice", host, wall, Severity::Warning, &summary);
        "watched as soon as that is fixed; see `sentinel status`".clone_into(&mut message.data.doing);
        if let [one] = refused {
            message.data.service.clone_from(&one.service);
        } else {
            let member = |refused: &&Rejected| {
                let said = refused.to_string();
                Member::new(0, &refused.service, "notice", Severity::Warning, &said)
            };
            message.data.members = refused.iter().map(member).take(MEMBERS_MAX).collect();
        }
        message
    }

    /// `alerts.notice`: what had failed on this host before the agent looked.
    pub fn about_failed_before(host: &str, failed: &[&str], wall: Timestamp) -> Self {
        let named = failed.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
        let more = match failed.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let count = sentinel_text::count(u64::try_from(failed.len()).unwrap_or(u64::MAX), "service");
        let summary = format!("{host}: {count} had failed before the agent was started: {named}{more}");
        let mut message = Self::about_alerts("notice", host, wall, Severity::Warning, &summary);
        "each is watched as soon as it runs again".clone_into(&mut message.data.doing);
        message
    }

    /// `alerts.notice`: the store was damaged, and is kept at `place`.
    pub fn about_damage(host: &str, place: &str, wall: Timestamp) -> Self {
        let summary = format!(
            "{host}: the agent's store was damaged and is kept as {place}; open incidents, silences and acknowledgements are \
             forgotten"
        );
        let mut message = Self::about_alerts("notice", host, wall, Severity::Warning, &summary);
        let doing = "a new store is used; every restart budget counts as spent until its window has passed";
        doing.clone_into(&mut message.data.doing);
        message
    }

    /// `alerts.notice`: what the store remembers of these services cannot be read.
    pub fn about_unreadable(host: &str, services: &BTreeSet<String>, wall: Timestamp) -> Self {
        let named = services.iter().take(NAMES).map(|name| clip(name, NAME_MAX));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match services.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let summary = format!("{host}: the agent's memory of {named}{more} cannot be read");
        let mut message = Self::about_alerts("notice", host, wall, Severity::Warning, &summary);
        let doing = "their restart budgets count as spent until the window has passed";
        doing.clone_into(&mut message.data.doing);
        message
    }

    /// `alerts.store_failed` or `alerts.store_works`: whether what is decided can be recorded.
    pub fn about_store(host: &str, failed: Option<&str>, wall: Timestamp) -> Self {
        let Some(error) = failed else {
            let summary = format!("{host}: the agent can record what it decides again, and acts again");
            return Self::about_alerts("store_works", host, wall, Severity::Info, &summary);
        };
        let error = clip(error, ERROR_MAX);
        let summary = format!("{host}: the agent cannot record what it decides, so it restarts nothing: {error}");
        let mut message = Self::about_alerts("store_failed", host, wall, Severity::Critical, &summary);
        let doing = "urgent alerts come from memory; the others when the store can be written again";
        doing.clone_into(&mut message.data.doing);
        message
    }
}

/// What is wrong with a receiver.
pub struct Trouble<'a> {
    /// Since when it has failed.
    pub since: Option<Timestamp>,
    /// How long it asks to be left alone from now on.
    pub asked: Duration,
    /// Messages that wait for it.
    pub waiting: u64,
    /// The last failure, for operators; without secrets.
    pub error: &'a str,
}

/// The first of them, each in a line without its host.
fn members(parts: &[Message]) -> Vec<Member> {
    let member = |part: &Message| {
        let data = &part.data;
        Member::new(data.incident, &data.service, &data.kind, data.severity, &said(part))
    };
    parts.iter().take(MEMBERS_MAX).map(member).collect()
}

/// What a message says in its first line, without the host.
fn said(part: &Message) -> String {
    let data = &part.data;
    let said = data.summary.strip_prefix(&format!("{}: ", data.host));
    said.unwrap_or(&data.summary).to_owned()
}

/// What is down, and why: the host's own outage first, which may be what the others come of.
fn down(parts: &[Message]) -> String {
    let is_host = |part: &&Message| part.data.service == HOST;
    let host: Vec<String> = parts.iter().filter(is_host).map(said).collect();
    let services: Vec<&Message> = parts.iter().filter(|part| !is_host(part)).collect();
    let said = match services.as_slice() {
        [] => String::new(),
        [service] => said(service),
        services => format!("{} services are down: {}", services.len(), causes(services)),
    };
    let parts: Vec<String> = host.into_iter().chain([said]).filter(|said| !said.is_empty()).collect();
    parts.join("; ")
}

/// What is over: `2 outages are over: shop, mail`.
fn over(parts: &[Message]) -> String {
    let first = parts.iter().take(NAMES).map(|part| clip(&part.data.service, NAME_MAX));
    let named = first.collect::<Vec<_>>().join(", ");
    let more = match parts.len().saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} outages are over: {named}{more}", parts.len())
}

/// `shop, mail and 7 more: connection refused`, or each with its own cause when it is not the same.
fn causes(services: &[&Message]) -> String {
    let cause = |part: &Message| clip_middle(&part.data.cause.text, CAUSE_MAX);
    let common = services.first().map(|part| cause(part)).unwrap_or_default();
    let is_common = services.iter().all(|part| cause(part) == common);
    let named = services.iter().take(NAMES).map(|part| {
        let (name, cause) = (clip(&part.data.service, NAME_MAX), cause(part));
        if is_common || cause.is_empty() {
            name
        } else {
            format!("{name} ({cause})")
        }
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match services.len().saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let why = if is_common && !common.is_empty() {
        format!(": {common}")
    } else {
        String::new()
    };
    format!("{named}{more}{why}")
}

/// From when to when, by the clocks of `zone` and by UTC.
fn period(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    match (moment(first, zone), moment(last, zone)) {
        (first, last) if first == last => format!("at {first}"),
        (first, last) => format!("from {first} to {last}"),
    }
}

#[cfg(test)]
mod tests;
