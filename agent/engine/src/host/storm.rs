//! When much fails at once, the cause is rarely the services: restarts stop for a while, and one alert speaks for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::ids::{IncidentId, ServiceName};
use crate::probe::ProbePhase;
use crate::time::Time;

/// Counts services that go down, and notices a storm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outages {
    /// Who went down within the window, and when last.
    recent: BTreeMap<ServiceName, Time>,
}

impl Outages {
    /// `service` went down; answers everybody who did within `window`, if they are at least `threshold`.
    pub(crate) fn record(
        &mut self,
        service: &ServiceName,
        threshold: usize,
        window: Duration,
        now: Time,
    ) -> Option<BTreeSet<ServiceName>> {
        self.recent.retain(|_, at| now.since(*at) < window);
        self.recent.insert(service.clone(), now);
        if self.recent.len() < threshold {
            return None;
        }
        Some(std::mem::take(&mut self.recent).into_keys().collect())
    }
}

/// So many services of a storm are named; the others are counted.
const NAMES: usize = 5;

/// A storm that has doubled since receivers were notified of it is reported again, but no sooner than this after.
const GROWTH_GAP: Duration = Duration::from_secs(5);

/// One that has grown less is reported again when it has not grown for this long: three rounds of probes.
const GROWTH_REST: Duration = Duration::from_secs(30);

/// A storm: a host-wide incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Storm {
    /// Its number.
    pub(crate) id: IncidentId,
    /// When it began.
    pub(crate) opened_at: Time,
    /// Until when nothing is restarted.
    pub(crate) until: Time,
    /// Who went down in it.
    pub(crate) services: BTreeSet<ServiceName>,
    /// The likely common cause.
    pub(crate) cause: Cause,
    /// Messages sent of it.
    pub(crate) messages: u32,
    /// How many services receivers were notified of.
    #[serde(default, alias = "told")]
    pub(crate) notified: usize,
    /// When that was.
    #[serde(default, alias = "told_at")]
    pub(crate) notified_at: Time,
    /// When the last service joined.
    #[serde(default)]
    pub(crate) grew_at: Time,
}

impl Storm {
    /// `services` went down in it, or are down in it already.
    pub(crate) fn join(&mut self, services: impl IntoIterator<Item = ServiceName>, now: Time) {
        let before = self.services.len();
        self.services.extend(services);
        if self.services.len() > before {
            self.grew_at = now;
        }
    }

    /// When receivers are to be notified how far it has grown; `None` while they know.
    pub(crate) fn growth_due(&self) -> Option<Time> {
        let down = self.services.len();
        if down <= self.notified {
            None
        } else if down >= self.notified.saturating_mul(2) {
            Some(self.notified_at + GROWTH_GAP)
        } else {
            Some((self.notified_at + GROWTH_GAP).max(self.grew_at + GROWTH_REST))
        }
    }

    /// Its cause, with how many services went down in it so far, and the first of them.
    pub(crate) fn cause_now(&self, likely: String) -> Cause {
        Cause::HostWide {
            services: self.services.len(),
            names: self.services.iter().take(NAMES).cloned().collect(),
            likely,
        }
    }
}

/// One of the services of a storm.
pub(crate) struct Victim<'a> {
    pub(crate) name: &'a ServiceName,
    pub(crate) cause: &'a Cause,
    /// The dependencies of it that are down.
    pub(crate) waits_for: BTreeSet<ServiceName>,
}

/// What the services of a storm have in common, in words.
pub(crate) fn common_cause(victims: &[Victim<'_>]) -> String {
    let all = |holds: &dyn Fn(&Cause) -> bool| victims.iter().all(|victim| holds(victim.cause));
    let probe = |phase| move |cause: &Cause| matches!(cause, Cause::Probe(failure) if failure.phase == phase);
    if let Some(root) = shared_root(victims) {
        return format!("`{root}`, which they depend on, is down");
    }
    if all(&probe(ProbePhase::Dns)) {
        return "names do not resolve on this host".into();
    }
    if all(&probe(ProbePhase::Tls)) {
        return "TLS fails for all of them: the clock, or the host's certificates".into();
    }
    if all(&probe(ProbePhase::Timeout)) {
        return "none of them answers in time: the network, the disk, or an overloaded host".into();
    }
    if all(&|cause| *cause == Cause::OomKilled) {
        return "the host is out of memory".into();
    }
    let first = victims.first().map(|victim| victim.cause);
    match first {
        Some(cause) if all(&|other| other == cause) => format!("all of them: {cause}"),
        Some(cause) if all(&|other| other.kind() == cause.kind()) => format!("all of them: {}", cause.kind()),
        _ => "no common cause is known".into(),
    }
}

/// A dependency that is down, and explains every other service of the storm.
fn shared_root(victims: &[Victim<'_>]) -> Option<ServiceName> {
    let candidates: BTreeSet<&ServiceName> = victims.iter().flat_map(|victim| &victim.waits_for).collect();
    let explains = |root: &ServiceName| {
        victims
            .iter()
            .all(|victim| victim.name == root || victim.waits_for.contains(root))
    };
    candidates.into_iter().find(|root| explains(root)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{FailureKind, ProbeFailure};

    fn probe(kind: FailureKind) -> Cause {
        Cause::Probe(ProbeFailure::new(kind, "x"))
    }

    /// A service, its cause, and what it depends on that is down.
    type Row<'a> = (&'a str, Cause, &'a [&'a str]);

    #[test]
    fn the_common_cause_is_named_where_there_is_one() {
        let kill = Cause::Killed {
            signal: 9,
            core_dumped: false,
        };
        let table: [(&[Row<'_>], &str); 6] = [
            (
                &[("a", probe(FailureKind::Dns), &[]), ("b", probe(FailureKind::Dns), &[])],
                "names do not resolve on this host",
            ),
            (
                &[
                    ("db", kill.clone(), &[]),
                    ("a", probe(FailureKind::Status(500)), &["db"]),
                    ("b", kill.clone(), &["db"]),
                ],
                "`db`, which they depend on, is down",
            ),
            (
                &[("a", kill.clone(), &[]), ("b", kill.clone(), &[])],
                "all of them: killed by signal KILL",
            ),
            (
                &[
                    ("a", Cause::Exited { code: 1 }, &[]),
                    ("b", Cause::Exited { code: 2 }, &[]),
                ],
                "all of them: exited",
            ),
            (
                &[
                    ("a", probe(FailureKind::Timeout), &[]),
                    ("b", probe(FailureKind::Timeout), &[]),
                ],
                "none of them answers in time: the network, the disk, or an overloaded host",
            ),
            (
                &[("a", kill, &[]), ("b", probe(FailureKind::Dns), &[])],
                "no common cause is known",
            ),
        ];
        for (victims, expected) in table {
            let names: Vec<ServiceName> = victims.iter().map(|(name, _, _)| (*name).into()).collect();
            let victims: Vec<_> = victims
                .iter()
                .zip(&names)
                .map(|((_, cause, waits_for), name)| Victim {
                    name,
                    cause,
                    waits_for: waits_for.iter().map(|name| (*name).into()).collect(),
                })
                .collect();
            assert_eq!(common_cause(&victims), expected);
        }
    }

    #[test]
    fn a_storm_that_grows_is_reported_when_it_has_doubled_or_come_to_rest() {
        let at = |seconds| Time::from_epoch(Duration::from_secs(seconds));
        let names = |count: usize| (0..count).map(|n| ServiceName::from(format!("s{n:04}").as_str()));
        let mut storm = Storm {
            id: IncidentId(1),
            opened_at: at(0),
            until: at(120),
            services: BTreeSet::new(),
            cause: Cause::Unknown,
            messages: 1,
            notified: 3,
            notified_at: at(0),
            grew_at: at(0),
        };
        storm.join(names(3), at(0));
        assert_eq!(storm.growth_due(), None, "all of them were told");
        storm.join(names(4), at(2));
        assert_eq!(storm.growth_due(), Some(at(32)), "one more can wait for others");
        storm.join(names(4), at(9));
        assert_eq!(storm.growth_due(), Some(at(32)), "nobody joined");
        storm.join(names(6), at(9));
        assert_eq!(storm.growth_due(), Some(at(5)), "twice as many");
        let cause = |storm: &Storm| storm.cause_now("why".into()).to_string();
        assert_eq!(
            cause(&storm),
            "6 services went down at once (s0000, s0001, s0002, s0003, s0004 and 1 more): why"
        );
    }

    #[test]
    fn three_services_within_the_window_are_a_storm_and_one_service_thrice_is_not() {
        let window = Duration::from_secs(60);
        let at = |seconds| Time::from_epoch(Duration::from_secs(seconds));
        let storm = |story: &[(&str, u64)]| {
            let mut outages = Outages::default();
            story
                .iter()
                .any(|(name, second)| outages.record(&(*name).into(), 3, window, at(*second)).is_some())
        };
        assert!(storm(&[("a", 0), ("b", 30), ("c", 59)]));
        assert!(!storm(&[("a", 0), ("b", 30), ("c", 61)]));
        assert!(!storm(&[("a", 0), ("a", 10), ("a", 20)]));
    }
}
