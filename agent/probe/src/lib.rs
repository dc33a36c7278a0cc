//! Active checks of a service: HTTP, TCP, command.
//!
//! The engine schedules; [`Prober::round`] asks once when told. To add a kind: one file beside `http`, one arm in
//! `Probe`, one settings struct in [`sentinel_config`].
//!
//! Three rules hold for every kind:
//!
//! * The deadline of a probe covers everything from the name lookup to the last byte, and starts when the probe
//!   starts: waiting for one's turn under the [`Limits`] is the agent's delay, not the service's.
//! * What the agent lacks (descriptors, memory, threads) is [`Verdict::Skipped`], never a failure of the service.
//! * A failure names the phase it came to and says what happened in words for operators.

mod command;
mod error;
mod error_mapping;
mod http;
mod limits;
mod resolver;
mod stage;
mod tcp;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use sentinel_config::question::question_of;
use sentinel_config::{ProbeSettings, Target, is_this_host};
use sentinel_engine::{Answer, FailureKind, ProbeFailure, ProbeOutcome, Question, Verdict};
use tokio::sync::Semaphore;

use command::CommandCheck;
pub use error::ProbeError;
use http::{Clients, HttpCheck};
pub use limits::Limits;
use resolver::Resolver;
use tcp::TcpCheck;

/// Runs probes. One for the whole agent: its clients and limits are shared by all services.
#[derive(Debug)]
pub struct Prober {
    clients: Clients,
    resolver: Resolver,
    permits: Semaphore,
}

/// The probes of one service, ready to be run any number of times. Cheap: connections and trust are shared.
#[derive(Debug)]
pub struct ServiceProbes(Vec<(Question, Probe)>);

impl ServiceProbes {
    /// What is asked with: `http`, `tcp`, `command`, or `several` that are not the same.
    pub fn kind(&self) -> &'static str {
        let mut kinds = self.0.iter().map(|(_, probe)| match probe {
            Probe::Http(_) => "http",
            Probe::Tcp(_) => "tcp",
            Probe::Command(_) => "command",
        });
        match kinds.next() {
            Some(first) if kinds.all(|kind| kind == first) => first,
            // Without any there is nothing to be asked with, and no round.
            _ => "several",
        }
    }

    /// The TCP ports of this very host that are asked.
    pub fn ports(&self) -> BTreeSet<u16> {
        let asked = self.0.iter().filter_map(|(_, probe)| match probe {
            Probe::Http(http) => http.asks(),
            Probe::Tcp(tcp) => Some(tcp.asks()),
            Probe::Command(_) => None,
        });
        asked
            .filter(|(host, _)| is_this_host(host))
            .map(|(_, port)| port)
            .collect()
    }
}

/// One probe, ready to run.
#[derive(Debug)]
enum Probe {
    Http(Box<HttpCheck>),
    Tcp(TcpCheck),
    Command(CommandCheck),
}

impl Prober {
    /// A prober within `limits`. Installs the process-wide TLS provider if there is none yet.
    pub fn new(limits: &Limits) -> Result<Self, ProbeError> {
        let resolver = Resolver::new(limits.lookups);
        Ok(Self {
            clients: Clients::new(resolver.clone()),
            resolver,
            permits: Semaphore::new(limits.in_flight),
        })
    }

    /// Does what can fail once and for all: reads CA files, checks methods, headers and addresses. What is asked is
    /// remembered as a question to `target`.
    pub fn prepare(&self, target: Option<&Target>, settings: &[ProbeSettings]) -> Result<ServiceProbes, ProbeError> {
        let probe = |settings: &ProbeSettings| {
            let probe = match settings {
                ProbeSettings::Http(http) => Probe::Http(Box::new(HttpCheck::new(http, &self.clients)?)),
                ProbeSettings::Tcp(tcp) => Probe::Tcp(TcpCheck::new(tcp, self.resolver.clone())?),
                ProbeSettings::Command(command) => Probe::Command(CommandCheck::new(command)?),
            };
            Ok((question_of(target, settings), probe))
        };
        settings.iter().map(probe).collect::<Result<_, _>>().map(ServiceProbes)
    }

    /// Runs every probe of a service once, all at the same time. Ends at the latest when the longest deadline does,
    /// counted from when the last probe got its turn. Dropping the future abandons the probes and leaves nothing behind.
    pub async fn round(&self, probes: &ServiceProbes) -> ProbeOutcome {
        match probes.0.as_slice() {
            [] => skipped("there is nothing to ask"),
            several => {
                let outcomes = join_all(several.iter().map(|(_, probe)| self.run(probe))).await;
                let answers = several.iter().zip(&outcomes).map(|((question, _), outcome)| Answer {
                    question: question.clone(),
                    verdict: outcome.verdict.clone(),
                });
                ProbeOutcome {
                    answers: answers.collect(),
                    ..combine(outcomes)
                }
            }
        }
    }

    async fn run(&self, probe: &Probe) -> ProbeOutcome {
        let Ok(_permit) = self.permits.acquire().await else {
            return skipped("the agent is stopping");
        };
        // Boxed once it has its turn: thousands wait for theirs after a start, and none of them needs room for what it will ask.
        match probe {
            Probe::Http(http) => Box::pin(http.run()).await,
            Probe::Tcp(tcp) => Box::pin(tcp.run()).await,
            Probe::Command(command) => Box::pin(command.run()).await,
        }
    }
}

/// One outcome out of several, given in configured order: the first failure decides; without one, what could not be
/// asked keeps the round from passing. The status is the first that came; the latency that of the slowest.
fn combine(outcomes: Vec<ProbeOutcome>) -> ProbeOutcome {
    let status_code = outcomes.iter().find_map(|outcome| outcome.status_code);
    let latency = outcomes.iter().map(|outcome| outcome.latency).max().unwrap_or_default();
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Failed(_) => 0,
        Verdict::Skipped(_) => 1,
        Verdict::Passed => 2,
    };
    // `min_by_key` answers the first of equals.
    let verdict = outcomes.into_iter().map(|outcome| outcome.verdict).min_by_key(rank);
    ProbeOutcome {
        verdict: verdict.unwrap_or(Verdict::Passed),
        status_code,
        latency,
        answers: Vec::new(),
    }
}

fn skipped(reason: &str) -> ProbeOutcome {
    ProbeOutcome {
        verdict: Verdict::Skipped(reason.to_owned()),
        status_code: None,
        latency: Duration::ZERO,
        answers: Vec::new(),
    }
}

fn failed(kind: FailureKind, detail: impl Into<String>) -> Verdict {
    Verdict::Failed(ProbeFailure::new(kind, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(verdict: Verdict, status_code: Option<u16>, millis: u64) -> ProbeOutcome {
        ProbeOutcome {
            verdict,
            status_code,
            latency: Duration::from_millis(millis),
            answers: Vec::new(),
        }
    }

    #[test]
    fn first_failure_in_configured_order_decides() {
        let skipped = || Verdict::Skipped("no descriptors".into());
        let tcp = || failed(FailureKind::Refused, "connection refused");
        let http = || failed(FailureKind::Status(500), "status 500");
        let table = [
            ("all pass", vec![Verdict::Passed, Verdict::Passed], Verdict::Passed),
            ("one fails", vec![Verdict::Passed, http()], http()),
            ("two fail: the first", vec![tcp(), http()], tcp()),
            ("a failure outweighs what was skipped", vec![skipped(), http()], http()),
            (
                "what was skipped cannot pass",
                vec![Verdict::Passed, skipped()],
                skipped(),
            ),
        ];
        for (name, verdicts, expected) in table {
            let outcomes = verdicts.into_iter().map(|verdict| outcome(verdict, None, 1)).collect();
            assert_eq!(combine(outcomes).verdict, expected, "{name}");
        }
    }

    #[test]
    fn status_comes_from_the_http_probe_and_latency_from_the_slowest() {
        let combined = combine(vec![
            outcome(failed(FailureKind::Command, "exited with code 1"), None, 7),
            outcome(Verdict::Passed, Some(204), 3),
        ]);
        assert_eq!(combined.status_code, Some(204));
        assert_eq!(combined.latency, Duration::from_millis(7));
    }
}
