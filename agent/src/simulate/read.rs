//! From text to a scenario: the keys are checked as those of a configuration are, and then what they say together.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_engine::{OperatorRequest, ServiceName};

use super::deed::{Deed, ServiceDeed};
use super::inputs::{EventInput, ExpectInput, ScenarioInput, ServiceInput, StartsInput};
use super::keys::{DEEDS, ROOT};
use super::order;
use super::scenario::{Expect, Scenario, Start, Supervision, Toy};
use crate::config::{self, ConfigErrors, Findings, join, nearest};

/// What happens, with repetitions written out, is at most this much.
const MAX_DEEDS: usize = 100_000;

/// systemd's defaults: five starts within ten seconds, 100 ms apart.
const SUPERVISOR: Supervision = Supervision {
    restarts: 4,
    delay: Duration::from_millis(100),
};

impl Scenario {
    /// Reads a scenario; `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its line.
    pub fn read(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        config::document(name, text, &ROOT, |input: ScenarioInput, findings| {
            check(input, &mut Reader { findings })
        })
    }
}

fn check(input: ScenarioInput, reader: &mut Reader<'_>) -> Option<Scenario> {
    let toys: BTreeMap<ServiceName, Toy> = input
        .services
        .iter()
        .map(|(name, input)| (name.as_str().into(), reader.toy(name, input)))
        .collect();
    if toys.is_empty() && !reader.findings.is_bad("services") {
        reader
            .findings
            .wrong("", "no services: nothing can happen; add [services.NAME]");
    }
    for (name, toy) in &toys {
        let path = join(&join("services", name.as_str()), "after");
        for (index, dependency) in toy.after.iter().enumerate() {
            reader.knows(&format!("{path}[{index}]"), dependency.as_str(), &toys);
        }
    }
    let edges = toys.iter().map(|(name, toy)| (name, toy.after.as_slice()));
    if let Some(name) = order::circle(edges) {
        let path = join(&join("services", name.as_str()), "after");
        reader.findings.wrong(&path, "goes in a circle");
    }
    let duration = reader.required("", "duration", input.duration)?.0;
    let script = reader.script(input.events, duration, &toys);
    let expect = reader.expect(input.expect, &toys);
    Some(Scenario {
        about: input.about,
        duration,
        toys,
        script,
        expect,
    })
}

/// Turns inputs into parts of a scenario, and reports what is wrong with them.
struct Reader<'a> {
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn toy(&mut self, name: &str, input: &ServiceInput) -> Toy {
        let path = join("services", name);
        let start = self.start(&join(&path, "starts"), &input.starts);
        let (has_probes, has_target) = (input.probes.unwrap_or(true), input.target.unwrap_or(true));
        if !has_probes && !has_target {
            self.findings
                .wrong(&path, "nothing to watch: neither `probes` nor a `target`");
        }
        Toy {
            after: input.after.iter().map(|name| name.as_str().into()).collect(),
            start,
            supervision: input.supervisor.as_ref().map(|input| Supervision {
                restarts: input.restarts.unwrap_or(SUPERVISOR.restarts),
                delay: input.delay.map_or(SUPERVISOR.delay, |span| span.0),
            }),
            has_probes,
            has_target,
        }
    }

    /// How a start goes, as the table at `path` says.
    fn start(&mut self, path: &str, starts: &StartsInput) -> Start {
        let ways = [
            starts.how.as_deref().map(|how| match how {
                "deaf" => Start::Deaf,
                "refused" => Start::Refused,
                _ => Start::Well,
            }),
            starts.slowly.map(|span| Start::Slowly(span.0)),
            starts.dies_after.map(|span| Start::DiesAfter(span.0)),
        ];
        let mut ways = ways.into_iter().flatten();
        let start = ways.next().unwrap_or(Start::Well);
        if ways.next().is_some() {
            let message = "says more than one of `how`, `slowly` and `dies_after`";
            self.findings.wrong(path, message);
        }
        start
    }

    /// What happens, in order of time.
    fn script(
        &mut self,
        events: Vec<EventInput>,
        duration: Duration,
        toys: &BTreeMap<ServiceName, Toy>,
    ) -> Vec<(Duration, Deed)> {
        let mut script = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let path = format!("events[{index}]");
            let (every, times) = (event.every.map(|span| span.0), event.times);
            if times.is_some() && every.is_none() {
                self.findings
                    .wrong(&join(&path, "times"), "means nothing without `every`");
            }
            let at = self.required(&path, "at", event.at).map(|span| span.0);
            let deeds = self.deeds(&path, event, toys);
            let Some(at) = at else { continue };
            if at > duration {
                let message = "comes after the end; see `duration`";
                self.findings.wrong(&join(&path, "at"), message);
            }
            let mut next = Some(at);
            let mut left = if every.is_some() { times.unwrap_or(u32::MAX) } else { 1 };
            while let Some(at) = next.filter(|at| *at <= duration && left > 0) {
                if script.len() + deeds.len() > MAX_DEEDS {
                    let message = format!("more than {MAX_DEEDS} things happen by now");
                    self.findings.wrong(&path, message);
                    break;
                }
                script.extend(deeds.iter().map(|deed| (at, deed.clone())));
                left -= 1;
                next = every.and_then(|every| at.checked_add(every));
            }
        }
        // Stable: what is written first happens first.
        script.sort_by_key(|(at, _)| *at);
        script
    }

    /// What one event does: exactly one thing, to one service or several.
    fn deeds(&mut self, path: &str, event: EventInput, toys: &BTreeMap<ServiceName, Toy>) -> Vec<Deed> {
        let mut found: Vec<(&str, Vec<Deed>)> = Vec::new();
        let plain = [
            ("kill", event.kill, ServiceDeed::Kill),
            ("hang", event.hang, ServiceDeed::Hang),
            ("answer", event.answer, ServiceDeed::Answer),
            ("fix", event.fix, ServiceDeed::Mend),
            ("stop", event.stop, ServiceDeed::Stop),
            ("start", event.start, ServiceDeed::Start),
            ("restart", event.restart, ServiceDeed::Ask(OperatorRequest::Restart)),
            ("resume", event.resume, ServiceDeed::Ask(OperatorRequest::Resume)),
            ("acknowledge", event.acknowledge, ServiceDeed::Acknowledge),
        ];
        for (word, names, deed) in plain {
            if let Some(names) = names {
                let deeds = names.iter().map(|name| self.on(path, word, name, deed.clone(), toys));
                found.push((word, deeds.collect()));
            }
        }
        let exit = event.exit.map(|exit| {
            let deed = ServiceDeed::Exit(exit.code.unwrap_or(1));
            ("exit", exit.service, deed)
        });
        let fail = event.fail.map(|fail| {
            let deed = ServiceDeed::Fail(fail.status.unwrap_or(500));
            ("fail", fail.service, deed)
        });
        let pause = event.pause.map(|pause| {
            let duration = pause.duration.map(|span| span.0);
            let deed = ServiceDeed::Ask(OperatorRequest::Pause { duration });
            ("pause", pause.service, deed)
        });
        let starts = event.starts.map(|input| {
            let deed = ServiceDeed::Starts(self.start(&join(path, "starts"), &input.starts));
            ("starts", input.service, deed)
        });
        for (word, name, deed) in [exit, fail, pause, starts].into_iter().flatten() {
            let at = join(path, word);
            let name = self.required(&at, "service", name);
            let deed = name.map(|name| self.on(&at, "service", &name, deed, toys));
            found.push((word, deed.into_iter().collect()));
        }
        if let Some(silence) = event.silence {
            let at = join(path, "silence");
            if let Some(name) = &silence.service {
                self.knows(&join(&at, "service"), name, toys);
            }
            let duration = self.required(&at, "for", silence.duration);
            let name = silence.service.as_deref().map(ServiceName::from);
            let deed = duration.map(|span| Deed::Silence(name, span.0));
            found.push(("silence", deed.into_iter().collect()));
        }
        let host = [
            ("lose_sight", event.lose_sight.map(|span| Deed::LoseSight(span.0))),
            ("kill_agent", event.kill_agent.map(|span| Deed::KillAgent(span.0))),
            ("reboot", event.reboot.map(|span| Deed::Reboot(span.0))),
            ("suspend", event.suspend.map(|span| Deed::Suspend(span.0))),
        ];
        found.extend(host.into_iter().filter_map(|(word, deed)| Some((word, vec![deed?]))));
        if found.is_empty() && !self.findings.is_bad(path) {
            let known: Vec<_> = DEEDS.iter().map(|key| format!("`{}`", key.name)).collect();
            let message = format!("does not say what happens: one of {}", known.join(", "));
            self.findings.wrong(path, message);
        }
        if let [(first, _), (second, _), ..] = &found[..] {
            let message = format!("says both `{first}` and `{second}`; an event is one thing");
            self.findings.wrong(path, message);
        }
        found.into_iter().flat_map(|(_, deeds)| deeds).collect()
    }

    fn on(&mut self, path: &str, word: &str, name: &str, deed: ServiceDeed, toys: &BTreeMap<ServiceName, Toy>) -> Deed {
        self.knows(&join(path, word), name, toys);
        Deed::Service(name.into(), deed)
    }

    fn expect(&mut self, input: ExpectInput, toys: &BTreeMap<ServiceName, Toy>) -> Expect {
        for name in input.end.keys() {
            self.knows(&join("expect.end", name), name, toys);
        }
        Expect {
            max_restarts: input.max_restarts,
            max_messages: input.max_messages,
            max_downtime: input.max_downtime.map(|span| span.0),
            end: input
                .end
                .into_iter()
                .map(|(name, state)| (name.as_str().into(), state))
                .collect(),
        }
    }

    /// Reports a name that no service has.
    fn knows(&mut self, key: &str, name: &str, toys: &BTreeMap<ServiceName, Toy>) {
        if !toys.contains_key(name) {
            let suggestion = nearest(name, toys.keys().map(ServiceName::as_str)).map(str::to_owned);
            let message = format!("there is no [{}]", join("services", name));
            self.findings
                .wrong_at(self.findings.place_of(key), key, message, suggestion);
        }
    }

    /// Reports a key that is missing, unless it is there and wrong.
    fn required<T>(&mut self, path: &str, name: &str, value: Option<T>) -> Option<T> {
        let key = join(path, name);
        if value.is_none() && !self.findings.is_bad(&key) {
            self.findings.wrong(path, format!("`{name}` is missing"));
        }
        value
    }
}
