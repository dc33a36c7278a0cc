//! `[services.*]`, with what they inherit from `[defaults]`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use sentinel_engine::{Mode, Policy, RestartOn, RestartWord, Service, ServiceName};

use super::{order, probes, target};
use crate::discovery::Origin;
use crate::findings::{Findings, join};
use crate::inputs::{RecoveryInput, ServiceInput};
use crate::rules;
use crate::settings::ServiceSettings;
use crate::target::{Reach, Target};

/// The unit of the Docker daemon, as every distribution has it.
const DOCKER: &str = "docker.service";

/// A probe's deadline, unless `timeout` says otherwise or `interval` is shorter.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// Lines of a log that fit a message and mostly hold the reason.
const DEFAULT_LOG_LINES: u32 = 10;

pub(super) fn settings(
    inputs: BTreeMap<String, ServiceInput>,
    defaults: &ServiceInput,
    agent_mode: Mode,
    notify_after: Duration,
    findings: &mut Findings,
) -> Vec<ServiceSettings> {
    let inputs: BTreeMap<_, _> = inputs
        .into_iter()
        .map(|(name, input)| (name, input.inherit(defaults)))
        .collect();
    order::check(&inputs, findings);
    let enabled: HashSet<String> = inputs
        .iter()
        .filter(|(name, input)| input.enabled != Some(false) && !is_bare(name, input, findings))
        .map(|(name, _)| name.clone())
        .collect();
    let mut services = Vec::new();
    for (name, mut input) in inputs {
        if is_bare(&name, &input, findings) && input.enabled != Some(false) {
            findings.warn(
                &join("services", &name),
                "nothing to watch, unless labels of a container or a unit file say so; add `unit`, `container`, `compose` or \
                 `process`, or a probe (`http`, `tcp`, `command`)",
            );
        }
        input.after = order::watched(&name, input.after, &enabled, findings);
        let service = findings.about(&[&name], |findings| {
            service(&name, input, agent_mode, notify_after, findings)
        });
        if enabled.contains(&name) {
            services.push(service);
        }
    }
    let targets = services
        .iter()
        .filter_map(|service| Some((service.service.name.as_str(), service.target.as_ref()?)));
    target::check_unique(targets, findings);
    follow_docker(&mut services);
    note_dependents(&mut services);
    services
}

/// Whether it says nothing of what is to be watched. That may be found on the host, beneath these keys; until it is,
/// the service is not there.
fn is_bare(name: &str, input: &ServiceInput, findings: &Findings) -> bool {
    let targets = [&input.unit, &input.container, &input.compose];
    let target = targets.iter().any(|target| target.is_some()) || input.process.is_some();
    let probe = input.http.is_some() || input.tcp.is_some() || input.command.is_some();
    !target && !probe && !findings.is_bad(&join("services", name))
}

/// Containers come after the Docker daemon without saying so, when that is watched: its incident speaks for theirs.
/// What the daemon itself comes after does not, as that would be a circle.
fn follow_docker(services: &mut [ServiceSettings]) {
    let daemon = services
        .iter()
        .find(|settings| settings.target == Some(Target::Unit(DOCKER.to_owned())))
        .map(|settings| settings.service.name.clone());
    let Some(daemon) = daemon else {
        return;
    };
    let mut before = HashSet::from([daemon.clone()]);
    let mut next = vec![daemon.clone()];
    while let Some(name) = next.pop() {
        let found = services.iter().find(|settings| settings.service.name == name);
        let after = found.map(|settings| settings.service.after.clone()).unwrap_or_default();
        next.extend(after.into_iter().filter(|name| before.insert(name.clone())));
    }
    for settings in services {
        let contained = matches!(settings.target, Some(Target::Container(_)));
        let service = &mut settings.service;
        if contained && !before.contains(&service.name) && !service.after.contains(&daemon) {
            service.after.push(daemon.clone());
        }
    }
}

/// Notes at each service which others come after it and may be restarted with it. Services that are only observed may
/// not.
fn note_dependents(services: &mut [ServiceSettings]) {
    let mut dependents: HashMap<ServiceName, Vec<ServiceName>> = HashMap::new();
    for service in services.iter().map(|settings| &settings.service) {
        if service.policy.mode == Mode::Heal {
            for dependency in &service.after {
                dependents
                    .entry(dependency.clone())
                    .or_default()
                    .push(service.name.clone());
            }
        }
    }
    for settings in services {
        settings.reach.dependents = dependents.remove(&settings.service.name).unwrap_or_default();
    }
}

fn service(
    name: &str,
    mut input: ServiceInput,
    agent_mode: Mode,
    notify_after: Duration,
    findings: &mut Findings,
) -> ServiceSettings {
    let path = join("services", name);
    let mode = mode(&input, agent_mode);
    let policy = policy(&input, mode, notify_after);
    check_recovery(&path, &input.recovery, &policy, findings);
    if policy.fall_of != 0 && policy.fall_of < policy.fall {
        let (fall, of) = (policy.fall, policy.fall_of);
        findings.wrong(
            &join(&path, "fall_of"),
            format!("must not be smaller than `fall`: {fall} of {of} can never fail"),
        );
    }
    let timeout = input.timeout.unwrap_or_else(|| DEFAULT_TIMEOUT.min(policy.interval));
    let relation = Relation {
        path: &path,
        shorter: "timeout",
        longer: "interval",
        words: "must not be longer than",
    };
    relation.check(timeout <= policy.interval, (timeout, policy.interval), findings);
    let target = target::target(&path, &mut input, mode, findings);
    let probes = probes::probes(&path, &mut input, timeout, findings);
    match (&target, probes.is_empty()) {
        (Some(Target::Container(_)), true) if !findings.is_bad(&path) => {
            findings.warn(
                &path,
                "no probe: running is taken for healthy, unless the container has a health check of its own; \
                 add `http`, `tcp` or `command`",
            );
        }
        (Some(_), true) if !findings.is_bad(&path) => {
            findings.warn(
                &path,
                "no probe: running is taken for healthy; add `http`, `tcp` or `command`",
            );
        }
        _ => {}
    }
    ServiceSettings {
        service: Service {
            name: name.into(),
            has_target: target.is_some(),
            has_probes: !probes.is_empty(),
            after: input.after.iter().map(|name| name.as_str().into()).collect(),
            labels: input.labels.into(),
            policy,
        },
        probes,
        reach: Reach {
            may_affect: may_affect(&path, input.may_affect, target.as_ref(), findings),
            dependents: Vec::new(),
        },
        log_lines: input.log_lines.unwrap_or(DEFAULT_LOG_LINES),
        origin: Origin::default(),
        target,
    }
}

/// The patterns of `may_affect`, which say something about units only.
fn may_affect(path: &str, input: Option<Vec<String>>, target: Option<&Target>, findings: &mut Findings) -> Vec<String> {
    let key = join(path, "may_affect");
    if !matches!(target, Some(Target::Unit(_))) && findings.has(&key) && !findings.is_bad(path) {
        findings.wrong(&key, "means nothing without `unit`");
    }
    let patterns = input.unwrap_or_default();
    patterns
        .iter()
        .filter_map(|text| rules::unit_pattern(text).ok())
        .collect()
}

/// The policy of a service that says nothing itself.
pub(super) fn default_policy(defaults: &ServiceInput, agent_mode: Mode, notify_after: Duration) -> Policy {
    policy(defaults, mode(defaults, agent_mode), notify_after)
}

fn mode(input: &ServiceInput, agent_mode: Mode) -> Mode {
    match agent_mode {
        Mode::Observe => Mode::Observe,
        Mode::Heal => input.mode.unwrap_or_default(),
    }
}

fn policy(input: &ServiceInput, mode: Mode, notify_after: Duration) -> Policy {
    let default = Policy::default();
    let recovery = &input.recovery;
    Policy {
        mode,
        interval: input.interval.unwrap_or(default.interval),
        fall: input.fall.unwrap_or(default.fall),
        fall_of: input.fall_of.unwrap_or(default.fall_of),
        rise: input.rise.unwrap_or(default.rise),
        start_grace: input.start_grace.unwrap_or(default.start_grace),
        settle: input.settle.unwrap_or(default.settle),
        backoff: recovery.backoff.unwrap_or(default.backoff),
        backoff_max: recovery.backoff_max.unwrap_or(default.backoff_max),
        jitter: recovery.jitter.unwrap_or(default.jitter),
        burst: recovery.burst.unwrap_or(default.burst),
        window: recovery.window.unwrap_or(default.window),
        half_open: recovery.half_open.unwrap_or(default.half_open),
        verify: recovery.verify.unwrap_or(default.verify),
        min_uptime: recovery.min_uptime.unwrap_or(default.min_uptime),
        reset_after: recovery.reset_after.unwrap_or(default.reset_after),
        restart_on: input.restart_on.as_ref().map_or(default.restart_on, |words| {
            RestartOn::new(words.iter().filter_map(|word| RestartWord::parse(word)))
        }),
        before_first_pass: recovery.before_first_pass.unwrap_or(default.before_first_pass),
        on_clean_exit: recovery.on_clean_exit.unwrap_or(default.on_clean_exit),
        on_dependency_return: recovery.on_dependency_return.unwrap_or(default.on_dependency_return),
        retry_oneshot: recovery.retry_oneshot.unwrap_or(default.retry_oneshot),
        notify_after,
        severity: input.severity.unwrap_or(default.severity),
    }
}

fn check_recovery(path: &str, written: &RecoveryInput, policy: &Policy, findings: &mut Findings) {
    let path = join(path, "recovery");
    let relation = Relation {
        path: &path,
        shorter: "backoff",
        longer: "backoff_max",
        words: "must not be longer than",
    };
    relation.check(
        policy.backoff <= policy.backoff_max,
        (policy.backoff, policy.backoff_max),
        findings,
    );
    let relation = Relation {
        path: &path,
        shorter: "min_uptime",
        longer: "verify",
        words: "must be shorter than",
    };
    relation.check(
        policy.min_uptime < policy.verify,
        (policy.min_uptime, policy.verify),
        findings,
    );
    let (spread, window) = (shortest_spread(policy), policy.window);
    let is_chosen = written.backoff.or(written.backoff_max).or(written.window).is_some() || written.burst.is_some();
    if is_chosen && spread > window {
        let (burst, spread, window) = (policy.burst, rules::spell(spread), rules::spell(window));
        let message =
            format!("never gives up: {burst} attempts take at least {spread}, longer than the window of {window}");
        findings.warn(&path, message);
    }
}

/// The least time from the first to the last attempt of a burst, by backoff alone.
fn shortest_spread(policy: &Policy) -> Duration {
    let mut gap = policy.backoff.min(policy.backoff_max);
    let mut sum = Duration::ZERO;
    for _ in 1..policy.burst {
        sum = sum.saturating_add(gap);
        gap = gap.saturating_mul(2).min(policy.backoff_max);
    }
    Duration::from_secs(sum.mul_f64((1.0 - policy.jitter).clamp(0.0, 1.0)).as_secs())
}

/// Two durations of which one bounds the other.
struct Relation<'a> {
    path: &'a str,
    shorter: &'a str,
    longer: &'a str,
    words: &'a str,
}

impl Relation<'_> {
    /// Reports, when it does not hold, at the key that was written; if both were, at the one that should be shorter.
    fn check(&self, holds: bool, (short, long): (Duration, Duration), findings: &mut Findings) {
        let (shorter, longer) = (
            self.written(self.shorter, findings),
            self.written(self.longer, findings),
        );
        let is_bad = |key: &Option<String>| key.as_ref().is_some_and(|key| findings.is_bad(key));
        let is_guessed = [self.shorter, self.longer]
            .iter()
            .any(|name| findings.is_bad(&join(self.path, name)));
        if holds || is_bad(&shorter) || is_bad(&longer) || is_guessed {
            return;
        }
        let origin = |key: &Option<String>| if key.is_some() { "" } else { " (the default)" };
        let message = format!(
            "`{}`, {}{}, {} `{}`, {}{}",
            self.shorter,
            rules::spell(short),
            origin(&shorter),
            self.words,
            self.longer,
            rules::spell(long),
            origin(&longer),
        );
        let key = shorter.or(longer).unwrap_or_else(|| self.path.to_owned());
        findings.wrong(&key, message);
    }

    /// The key as the service or `[defaults]` has it.
    fn written(&self, name: &str, findings: &Findings) -> Option<String> {
        let own = join(self.path, name);
        let table = if self.path.ends_with(".recovery") {
            "defaults.recovery"
        } else {
            "defaults"
        };
        let inherited = join(table, name);
        [own, inherited].into_iter().find(|key| findings.has(key))
    }
}
