//! From what the engine wants sent to the message: one incident, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sentinel_config::template::Link;
use sentinel_engine::{Cause, News, Notification, NotificationKind, Outage, Resolution, Time};
use sentinel_store::OutgoingMessage;
use sentinel_text::clip;
use sentinel_text::scrub;
use sentinel_text::span;

use super::Text;
use super::ending::ended;
use super::message::{Evidence, FailingProbe, Message, MessageCause, MessageData, TimelineLine};
use super::rendered_message::context;
use super::timeline::IncidentTimeline;

/// Room for each part, in bytes of JSON; with timeline and evidence they stay below `PAYLOAD_MAX`.
pub(super) const NAME_MAX: usize = 256;
pub(super) const SUMMARY_MAX: usize = 2048;
const CAUSE_MAX: usize = 2048;
const DOING_MAX: usize = 1024;
const LABEL_MAX: usize = 256;
const LABELS_MAX: usize = 4096;

impl Message {
    /// Sets `notification` in words, with what happened so far. `wall` says when a moment was by the wall clock.
    pub fn new(
        notification: &Notification,
        story: &IncidentTimeline,
        host: &str,
        wall: impl Fn(Time) -> Timestamp,
    ) -> Self {
        let (resolution, duration) = match notification.kind {
            NotificationKind::Healed {
                resolution, duration, ..
            }
            | NotificationKind::Resolved {
                resolution, duration, ..
            } => (Some(resolution), Some(duration)),
            NotificationKind::FlappingEnded { duration, .. }
            | NotificationKind::Update { duration, .. }
            | NotificationKind::Escalated { duration } => (None, Some(duration)),
            NotificationKind::Fired | NotificationKind::GaveUp { .. } | NotificationKind::Flapping { .. } => {
                (None, None)
            }
        };
        let outage = match notification.kind {
            NotificationKind::Healed { outage, .. } | NotificationKind::Resolved { outage, .. } => outage,
            _ => Outage::default(),
        };
        let is_well = matches!(
            resolution,
            Some(Resolution::Healed | Resolution::Recovered | Resolution::Started)
        );
        // What ended as it was asked to is not well again.
        let kind = match notification.kind {
            NotificationKind::Healed {
                resolution: Resolution::Stopped,
                ..
            } => "resolved",
            kind => kind.as_str(),
        };
        let (host, service) = (clip(host, NAME_MAX), clip(notification.service.as_str(), NAME_MAX));
        let cause = clip(&scrub(&notification.cause.to_string()), CAUSE_MAX);
        Self {
            kind: format!("incident.{kind}"),
            timestamp: wall(notification.at),
            data: MessageData {
                incident: notification.incident.0,
                sequence: notification.sequence,
                kind: kind.to_owned(),
                severity: notification.severity,
                summary: clip(
                    &format!("{host}: {}", said(notification, &service, &cause, &wall)),
                    SUMMARY_MAX,
                ),
                cause: MessageCause {
                    kind: notification.cause.kind().to_owned(),
                    text: cause,
                },
                opened_at: wall(notification.opened_at),
                attempts: notification.attempts,
                doing: clip(&scrub(&notification.doing), DOING_MAX),
                failing: notification.failing.as_ref().map(|failing| FailingProbe {
                    now: clip(&scrub(&failing.now), DOING_MAX),
                    since: wall(failing.since),
                    before: failing.before.clone(),
                }),
                resolution,
                duration_seconds: duration.map(seconds),
                down_seconds: outage.down.map(seconds),
                proved_after_seconds: outage.proved.map(seconds),
                started_by: Some(outage.started_by).filter(|by| is_well && by.as_str().is_some()),
                labels: clip_labels(&notification.labels),
                timeline: timeline(story, &wall),
                evidence: evidence(&notification.cause)
                    .into_iter()
                    .chain(story.evidence.values().cloned())
                    .collect(),
                incidents_last_day: story.last_day,
                members: Vec::new(),
                url: None,
                host,
                service,
            },
        }
    }

    /// Says where to read more, as `link` has it. A link that cannot be made of this message keeps nothing else back.
    pub fn add_link(&mut self, link: &Link) {
        match link.render(context(self, &Text::of(self, &TimeZone::UTC))) {
            Ok(url) => self.data.url = Some(url.into()),
            Err(problem) => tracing::warn!(
                service = self.data.service,
                incident = self.data.incident,
                problem,
                "a message goes without its link: [alerts] link cannot be made"
            ),
        }
    }

    /// The same for each of `receivers`, ready for the outbox.
    pub fn outgoing<'a>(
        &self,
        notification: &Notification,
        receivers: impl IntoIterator<Item = &'a String>,
    ) -> Vec<OutgoingMessage> {
        let payload = self.payload();
        receivers
            .into_iter()
            .map(|receiver| OutgoingMessage {
                incident: notification.incident,
                sequence: notification.sequence,
                receiver: receiver.clone(),
                kind: notification.kind.as_str(),
                severity: notification.severity,
                payload: payload.clone(),
                created: notification.at,
                created_wall: self.timestamp,
                not_before: notification.at,
                revises: None,
            })
            .collect()
    }
}

/// What is said of a service, or of the whole host, in one sentence.
pub fn sentence(notification: &Notification, service: &str, cause: &str) -> String {
    match (&notification.cause, notification.kind) {
        (Cause::HostWide { .. }, NotificationKind::Resolved { duration, .. }) => {
            format!("the host-wide outage is over after {}: {cause}", span(duration))
        }
        (
            Cause::HostWide { .. },
            NotificationKind::Update {
                news: News::Grown,
                duration,
            },
        ) => format!("host-wide outage, which has grown within {}: {cause}", span(duration)),
        (Cause::HostWide { .. }, _) => format!("host-wide outage: {cause}"),
        (Cause::Unchecked { reason }, NotificationKind::Fired) => {
            format!("{service} runs, and its health check cannot be run: {}", scrub(reason))
        }
        (
            Cause::Unchecked { .. },
            NotificationKind::Healed {
                resolution: Resolution::Recovered,
                duration,
                ..
            }
            | NotificationKind::Resolved {
                resolution: Resolution::Recovered,
                duration,
                ..
            },
        ) => format!("the health check of {service} runs again after {}", span(duration)),
        (Cause::AskedToStop { after: None }, NotificationKind::Fired) => {
            format!("{service} was asked to stop and still runs")
        }
        (
            Cause::AskedToStop { after: None },
            NotificationKind::Healed {
                resolution: Resolution::Recovered,
                duration,
                ..
            }
            | NotificationKind::Resolved {
                resolution: Resolution::Recovered,
                duration,
                ..
            },
        ) => format!(
            "{service} was asked to stop and still runs after {}, so it is watched as before",
            span(duration)
        ),
        (
            Cause::AskedToStop { after: Some(_) },
            NotificationKind::Healed { .. } | NotificationKind::Resolved { .. },
        ) => {
            format!("{service} {cause}, longer than its stop timeout; to start it: `sentinel restart {service}`")
        }
        (Cause::CrashLoop { .. }, NotificationKind::Fired) => format!("{service} is crash-looping: {cause}"),
        (
            Cause::NeverPassed { .. },
            NotificationKind::Healed {
                resolution, duration, ..
            }
            | NotificationKind::Resolved {
                resolution, duration, ..
            },
        ) if matches!(
            resolution,
            Resolution::Healed | Resolution::Recovered | Resolution::Started
        ) =>
        {
            format!(
                "{service} passed its probes for the first time, after {}",
                span(duration)
            )
        }
        // It runs, or has nothing to do until it is triggered.
        (Cause::TriggerFailed { .. }, NotificationKind::Fired | NotificationKind::Update { .. }) => {
            format!("{service}: {cause}")
        }
        (
            Cause::TriggerFailed { name, .. },
            NotificationKind::Healed {
                resolution, duration, ..
            }
            | NotificationKind::Resolved {
                resolution, duration, ..
            },
        ) if matches!(
            resolution,
            Resolution::Healed | Resolution::Recovered | Resolution::Started
        ) =>
        {
            let done = if resolution == Resolution::Healed {
                "was started and waits"
            } else {
                "waits"
            };
            format!("{service}: {name} {done} again after {}", span(duration))
        }
        // Whether it is down nobody can tell.
        // And a service that reloads for ever may answer all the while.
        (Cause::NeverPassed { .. } | Cause::Busy { .. }, NotificationKind::Fired) => format!("{service}: {cause}"),
        (_, kind) => format!("{service} {}", predicate(kind, notification.attempts, cause)),
    }
}

/// The same, by the wall clock where it says when.
fn said(notification: &Notification, service: &str, cause: &str, wall: impl Fn(Time) -> Timestamp) -> String {
    match (&notification.cause, notification.kind) {
        (Cause::StoppedWith { name, at }, NotificationKind::Fired) => {
            let at = wall(*at).to_zoned(TimeZone::system()).strftime("%H:%M");
            format!(
                "{service} was stopped together with {name} at {at} and is still down; `sentinel restart {service}` starts it"
            )
        }
        (_, NotificationKind::GaveUp { .. }) => {
            format!("{}. Manual action needed", sentence(notification, service, cause))
        }
        _ => sentence(notification, service, cause),
    }
}

/// What is said of the service.
fn predicate(kind: NotificationKind, attempts: u32, cause: &str) -> String {
    match kind {
        NotificationKind::Fired => format!("is down: {cause}"),
        NotificationKind::GaveUp { restarts, window } => {
            let known = restarts > 0;
            let after = match if known { restarts } else { attempts } {
                0 => String::new(),
                1 => " after 1 restart".to_owned(),
                count => format!(" after {count} restarts"),
            };
            let within = if known {
                format!(" in {}", span(window))
            } else {
                String::new()
            };
            format!("is down, gave up{after}{within}: {cause}")
        }
        NotificationKind::Update {
            news: News::StillDown | News::Grown,
            duration,
        } => format!("is still down after {}: {cause}", span(duration)),
        NotificationKind::Update {
            news: News::Acknowledged,
            duration,
        } => format!("is acknowledged, down for {}: {cause}", span(duration)),
        NotificationKind::Update {
            news: News::Restarted { times, within },
            ..
        } => format!(
            "was restarted by something else {times} times in {}, so its attempts are no longer forgotten for that: {cause}",
            span(within)
        ),
        NotificationKind::Escalated { duration } => {
            format!("has been down for {} and is not acknowledged: {cause}", span(duration))
        }
        NotificationKind::Healed {
            resolution,
            duration,
            outage,
        }
        | NotificationKind::Resolved {
            resolution,
            duration,
            outage,
        } => format!("{}: {cause}", ended(resolution, duration, &outage, attempts)),
        NotificationKind::Flapping { incidents, within } => {
            let within = span(within);
            format!("is flapping, it went down {incidents} times within {within}: {cause}")
        }
        NotificationKind::FlappingEnded { incidents, duration } => {
            let duration = span(duration);
            format!("is no longer flapping, it went down {incidents} times in {duration}")
        }
    }
}

/// The story's lines, with a word where some were left out.
fn timeline(story: &IncidentTimeline, wall: impl Fn(Time) -> Timestamp) -> Vec<TimelineLine> {
    let mut lines: Vec<TimelineLine> = story
        .lines
        .iter()
        .map(|(at, text)| TimelineLine::new(wall(*at), &scrub(text)))
        .collect();
    if story.omitted > 0
        && let Some(line) = lines.get_mut(super::timeline::BEGINNING)
    {
        line.text = format!("… {} lines left out …", story.omitted + 1);
    }
    lines
}

/// Seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The fact behind a cause, in the words of whoever stated it.
fn evidence(cause: &Cause) -> Option<Evidence> {
    let (title, text) = match cause {
        // `status 503` names its phase, and the sentence has the rest.
        Cause::Probe(failure) if failure.detail.split(' ').next() == Some(failure.phase.as_str()) => return None,
        Cause::Probe(failure) => ("last probe", format!("{}: {}", failure.phase.as_str(), failure.detail)),
        Cause::Unhealthy { output } => ("its health check says", output.clone()),
        Cause::Unchecked { reason } | Cause::Unusable { reason } => ("its supervisor says", reason.clone()),
        Cause::NeverPassed { detail } if !detail.is_empty() => ("last probe", detail.clone()),
        Cause::TriggerFailed { name, result, .. } => ("systemd says", format!("{name}: {result}")),
        Cause::Other { result } => ("its supervisor's result", result.clone()),
        // The sentence says all of it.
        Cause::Exited { .. }
        | Cause::NotStarted { .. }
        | Cause::Killed { .. }
        | Cause::OomKilled
        | Cause::Watchdog
        | Cause::Timeout
        | Cause::AskedToStop { .. }
        | Cause::StartLimit
        | Cause::Dependency
        | Cause::StoppedWith { .. }
        | Cause::NeverPassed { .. }
        | Cause::CrashLoop { .. }
        | Cause::Busy { .. }
        | Cause::HostWide { .. }
        | Cause::Unknown => return None,
    };
    Some(Evidence::new(title, &scrub(&text)))
}

/// As many labels as there is room for, in order.
fn clip_labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut room = LABELS_MAX;
    labels
        .iter()
        .map(|(key, value)| (clip(key, LABEL_MAX), clip(value, LABEL_MAX)))
        .take_while(|(key, value)| {
            // At worst every letter is escaped; then quotes, colon and comma.
            let cost = 2 * (key.len() + value.len()) + 6;
            let fits = cost <= room;
            room = room.saturating_sub(cost);
            fits
        })
        .collect()
}
#[cfg(test)]
mod tests;
