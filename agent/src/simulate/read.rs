//! From text to a scenario: the keys are checked as those of a configuration are, and then what they say together.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_config::{ConfigErrors, Findings, join, nearest};
use sentinel_engine::{OperatorRequest, ServiceName};
use sentinel_simulation::{Expect, Scenario, ScriptedEvent, ServiceEvent, ServiceModel, Start, Supervision, circle};

use super::inputs::{EventInput, ExpectInput, ScenarioInput, ServiceInput, StartsInput};
use super::keys::{EFFECTS, ROOT};

/// What happens, with repetitions written out, is at most this much.
const MAX_EVENTS: usize = 100_000;

/// systemd's defaults: five starts within ten seconds, 100 ms apart.
const SUPERVISOR: Supervision = Supervision {
    restarts: 4,
    delay: Duration::from_millis(100),
    interval: Duration::from_secs(10),
};

/// Reads a scenario; `name` is what messages call it.
///
/// # Errors
///
/// Everything that is wrong with it, each with its line.
pub fn read(name: &str, text: &str) -> Result<Scenario, ConfigErrors> {
    sentinel_config::document(name, text, &ROOT, |input: ScenarioInput, findings| {
        check(input, &mut Reader { findings })
    })
}

fn check(input: ScenarioInput, reader: &mut Reader<'_>) -> Option<Scenario> {
    let models: BTreeMap<ServiceName, ServiceModel> = input
        .services
        .iter()
        .map(|(name, input)| (name.as_str().into(), reader.model(name, input)))
        .collect();
    if models.is_empty() && !reader.findings.is_bad("services") {
        reader
            .findings
            .wrong("", "no services: nothing can happen; add [services.NAME]");
    }
    for (name, model) in &models {
        let path = join(&join("services", name.as_str()), "after");
        for (index, dependency) in model.after.iter().enumerate() {
            reader.knows(&format!("{path}[{index}]"), dependency.as_str(), &models);
        }
    }
    let edges = models.iter().map(|(name, model)| (name, model.after.as_slice()));
    if let Some(name) = circle(edges) {
        let path = join(&join("services", name.as_str()), "after");
        reader.findings.wrong(&path, "goes in a circle");
    }
    let duration = reader.required("", "duration", input.duration)?.0;
    let script = reader.script(input.events, duration, &models);
    let expect = reader.expect(input.expect, &models);
    Some(Scenario {
        about: input.about,
        duration,
        services: models,
        script,
        expect,
    })
}

/// Turns inputs into parts of a scenario, and reports what is wrong with them.
struct Reader<'a> {
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn model(&mut self, name: &str, input: &ServiceInput) -> ServiceModel {
        let path = join("services", name);
        let start = self.start(&join(&path, "starts"), &input.starts);
        let (has_probes, has_target) = (input.probes.unwrap_or(true), input.target.unwrap_or(true));
        if !has_probes && !has_target {
            self.findings
                .wrong(&path, "nothing to watch: neither `probes` nor a `target`");
        }
        ServiceModel {
            after: input.after.iter().map(|name| name.as_str().into()).collect(),
            start,
            supervision: input.supervisor.as_ref().map(|input| Supervision {
                restarts: input.restarts.unwrap_or(SUPERVISOR.restarts),
                delay: input.delay.map_or(SUPERVISOR.delay, |span| span.0),
                ..SUPERVISOR
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
        models: &BTreeMap<ServiceName, ServiceModel>,
    ) -> Vec<(Duration, ScriptedEvent)> {
        let mut script = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let path = format!("events[{index}]");
            let (every, times) = (event.every.map(|span| span.0), event.times);
            if times.is_some() && every.is_none() {
                self.findings
                    .wrong(&join(&path, "times"), "means nothing without `every`");
            }
            let at = self.required(&path, "at", event.at).map(|span| span.0);
            let events = self.events(&path, event, models);
            let Some(at) = at else { continue };
            if at > duration {
                let message = "comes after the end; see `duration`";
                self.findings.wrong(&join(&path, "at"), message);
            }
            let mut next = Some(at);
            let mut left = if every.is_some() { times.unwrap_or(u32::MAX) } else { 1 };
            while let Some(at) = next.filter(|at| *at <= duration && left > 0) {
                if script.len() + events.len() > MAX_EVENTS {
                    let message = format!("more than {MAX_EVENTS} things happen by now");
                    self.findings.wrong(&path, message);
                    break;
                }
                script.extend(events.iter().map(|action| (at, action.clone())));
                left -= 1;
                next = every.and_then(|every| at.checked_add(every));
            }
        }
        // Stable: what is written first happens first.
        script.sort_by_key(|(at, _)| *at);
        script
    }

    /// What one event does: exactly one thing, to one service or several.
    fn events(
        &mut self,
        path: &str,
        event: EventInput,
        models: &BTreeMap<ServiceName, ServiceModel>,
    ) -> Vec<ScriptedEvent> {
        let mut found: Vec<(&str, Vec<ScriptedEvent>)> = Vec::new();
        let plain = [
            ("kill", event.kill, ServiceEvent::Kill),
            ("hang", event.hang, ServiceEvent::Hang),
            ("answer", event.answer, ServiceEvent::Answer),
            ("fix", event.fix, ServiceEvent::Fix),
            ("stop", event.stop, ServiceEvent::Stop),
            ("start", event.start, ServiceEvent::Start),
            (
                "restart",
                event.restart,
                ServiceEvent::Operator(OperatorRequest::Restart),
            ),
            ("resume", event.resume, ServiceEvent::Operator(OperatorRequest::Resume)),
            ("acknowledge", event.acknowledge, ServiceEvent::Acknowledge),
        ];
        for (word, names, action) in plain {
            if let Some(names) = names {
                let events = names
                    .iter()
                    .map(|name| self.on(path, word, name, action.clone(), models));
                found.push((word, events.collect()));
            }
        }
        let exit = event.exit.map(|exit| {
            let action = ServiceEvent::Exit(exit.code.unwrap_or(1));
            ("exit", exit.service, action)
        });
        let fail = event.fail.map(|fail| {
            let action = ServiceEvent::Fail(fail.status.unwrap_or(500));
            ("fail", fail.service, action)
        });
        let pause = event.pause.map(|pause| {
            let duration = pause.duration.map(|span| span.0);
            let action = ServiceEvent::Operator(OperatorRequest::Pause { duration });
            ("pause", pause.service, action)
        });
        let starts = event.starts.map(|input| {
            let action = ServiceEvent::Starts(self.start(&join(path, "starts"), &input.starts));
            ("starts", input.service, action)
        });
        for (word, name, action) in [exit, fail, pause, starts].into_iter().flatten() {
            let at = join(path, word);
            let name = self.required(&at, "service", name);
            let action = name.map(|name| self.on(&at, "service", &name, action, models));
            found.push((word, action.into_iter().collect()));
        }
        if let Some(silence) = event.silence {
            let at = join(path, "silence");
            if let Some(name) = &silence.service {
                self.knows(&join(&at, "service"), name, models);
            }
            let duration = self.required(&at, "for", silence.duration);
            let name = silence.service.as_deref().map(ServiceName::from);
            let action = duration.map(|span| ScriptedEvent::Silence(name, span.0));
            found.push(("silence", action.into_iter().collect()));
        }
        let host = [
            (
                "lose_connection",
                event.lose_connection.map(|span| ScriptedEvent::LoseConnection(span.0)),
            ),
            (
                "kill_agent",
                event.kill_agent.map(|span| ScriptedEvent::KillAgent(span.0)),
            ),
            ("reboot", event.reboot.map(|span| ScriptedEvent::Reboot(span.0))),
            ("suspend", event.suspend.map(|span| ScriptedEvent::Suspend(span.0))),
        ];
        found.extend(
            host.into_iter()
                .filter_map(|(word, action)| Some((word, vec![action?]))),
        );
        if found.is_empty() && !self.findings.is_bad(path) {
            let known: Vec<_> = EFFECTS.iter().map(|key| format!("`{}`", key.name)).collect();
            let message = format!("does not say what happens: one of {}", known.join(", "));
            self.findings.wrong(path, message);
        }
        if let [(first, _), (second, _), ..] = &found[..] {
            let message = format!("says both `{first}` and `{second}`; an event is one thing");
            self.findings.wrong(path, message);
        }
        found.into_iter().flat_map(|(_, events)| events).collect()
    }

    fn on(
        &mut self,
        path: &str,
        word: &str,
        name: &str,
        action: ServiceEvent,
        models: &BTreeMap<ServiceName, ServiceModel>,
    ) -> ScriptedEvent {
        self.knows(&join(path, word), name, models);
        ScriptedEvent::Service(name.into(), action)
    }

    fn expect(&mut self, input: ExpectInput, models: &BTreeMap<ServiceName, ServiceModel>) -> Expect {
        for name in input.end.keys() {
            self.knows(&join("expect.end", name), name, models);
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
    fn knows(&mut self, key: &str, name: &str, models: &BTreeMap<ServiceName, ServiceModel>) {
        if !models.contains_key(name) {
            let suggestion = nearest(name, models.keys().map(ServiceName::as_str)).map(str::to_owned);
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
