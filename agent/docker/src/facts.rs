//! What the Engine says of a container, reduced to what matters.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use sentinel_config::question::question;
use sentinel_engine::{HealthCheck, RunId};

use super::answers::{self, Healthcheck, Inspected, State};
use super::checks::{self, Health};
use super::inventory::depends_on;

/// Docker's defaults of a health check: time from one to the next, which is also how long each may take, and how many fail.
const CHECK_EVERY: Duration = Duration::from_secs(30);
const CHECK_RETRIES: u32 = 3;

/// What Docker takes for the time to stop when the container says nothing (`docker stop` of the Engine's API).
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that counts: as good as without end, and no moment is out of reach with it.
const STOP_TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How much of what Docker says is kept: a line, not a log.
const OUTPUT_MAX: usize = 300;

/// Characters of an id that stand for it, as Docker itself shortens it.
const SHORT: usize = 12;

/// A container, as the Engine described it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) id: String,
    /// Its name now, without the slash under which the API has it.
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) exit_code: i32,
    pub(super) oom_killed: bool,
    /// Why it could not be started, in Docker's words.
    pub(super) error: String,
    /// When its last run began; `None` when it never ran. As text too: that is what tells runs apart.
    pub(super) started: Option<Timestamp>,
    pub(super) started_text: String,
    /// When its last run ended.
    pub(super) finished: Option<Timestamp>,
    pub(super) created: Option<Timestamp>,
    /// Services of its Compose project that Compose starts before it.
    pub(super) waits_for: Vec<String>,
    pub(super) health: Health,
    /// What its health check runs, as the image or the container says.
    pub(super) health_test: Vec<String>,
    /// How long its check may be `starting`.
    pub(super) health_within: Duration,
    pub(super) policy: RestartPolicy,
    /// Restarts by that policy since the last start by hand.
    pub(super) restarts: i64,
    pub(super) stop_timeout: Duration,
    /// The number of the signal that `docker stop` sends, when it is not SIGTERM.
    pub(super) stop_signal: Option<i32>,
    /// `--rm`: Docker removes it when it ends.
    pub(super) auto_remove: bool,
}

/// `State.Status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    /// Docker could not remove it, and has given it up.
    Dead,
    /// A word of a later version.
    #[default]
    Other,
}

/// `HostConfig.RestartPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// With the number of retries; 0 is without end.
    OnFailure(i64),
}

impl Facts {
    /// Takes over what the Engine answered. Whatever is missing or out of range counts as not there.
    pub(super) fn of(answer: Inspected) -> Self {
        let (state, config) = (answer.state, answer.config);
        Self {
            id: answer.id,
            name: answer.name.trim_start_matches('/').to_owned(),
            status: status(&state),
            exit_code: state.exit_code.unwrap_or(-1),
            oom_killed: state.oom_killed,
            error: clip(&state.error),
            started: moment(&state.started_at),
            finished: moment(&state.finished_at),
            created: moment(&answer.created),
            waits_for: depends_on(&config.labels),
            started_text: state.started_at,
            health: state.health.map(|health| checks::judge(&health)).unwrap_or_default(),
            health_within: health_within(&config.healthcheck),
            health_test: config.healthcheck.test,
            policy: policy(&answer.host_config.restart_policy),
            restarts: answer.restart_count,
            stop_timeout: config.stop_timeout.map_or(STOP_TIMEOUT, stop_timeout),
            stop_signal: match &config.stop_signal {
                serde_json::Value::String(name) => signal_number(name),
                other => other.as_i64().and_then(|number| i32::try_from(number).ok()),
            },
            auto_remove: answer.host_config.auto_remove,
        }
    }

    /// Which run this is: the container's id and when it was started. `None` when it never ran.
    pub(super) fn run_id(&self) -> Option<RunId> {
        self.started
            .map(|_| RunId::from(format!("{}@{}", short(&self.id), self.started_text)))
    }

    /// Its own check, by what that asks. One that has not failed often enough passes as little as one that has.
    pub(super) fn check(&self) -> Option<HealthCheck> {
        (self.health != Health::Unchecked).then(|| HealthCheck {
            question: question(self.health_test.iter().map(String::as_str)),
            passes: self.health == Health::Healthy,
        })
    }

    /// Whether its last run has not ended, whatever is being done to it.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
    }
}

/// The id as operators know it.
pub(super) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

fn status(state: &State) -> Status {
    match state.status.as_str() {
        // Both at once is how the Engine says paused in older versions.
        _ if state.paused => Status::Paused,
        // The words after the first are podman's.
        "created" | "configured" | "initialized" => Status::Created,
        "running" => Status::Running,
        "paused" => Status::Paused,
        "restarting" => Status::Restarting,
        "removing" | "stopping" => Status::Removing,
        "exited" | "stopped" => Status::Exited,
        "dead" => Status::Dead,
        word => {
            answers::unknown("state", word);
            // What is beside the word has been there in all versions.
            if state.running { Status::Running } else { Status::Other }
        }
    }
}

/// How long the Engine waits for a container that it stops: `docker run --stop-timeout`.
fn stop_timeout(seconds: i64) -> Duration {
    u64::try_from(seconds).map_or(STOP_TIMEOUT_MAX, |seconds| {
        Duration::from_secs(seconds).min(STOP_TIMEOUT_MAX)
    })
}

/// Within this a check passes, or has failed often enough: what Docker counts failures after, and so many rounds.
fn health_within(check: &Healthcheck) -> Duration {
    let nanos = |value: i64| {
        u64::try_from(value)
            .ok()
            .filter(|nanos| *nanos > 0)
            .map(Duration::from_nanos)
    };
    let every = nanos(check.interval).unwrap_or(CHECK_EVERY);
    let round = every.saturating_add(nanos(check.timeout).unwrap_or(CHECK_EVERY));
    let retries = u32::try_from(check.retries).ok().filter(|count| *count > 0);
    let rounds = round.saturating_mul(retries.unwrap_or(CHECK_RETRIES));
    nanos(check.start_period).unwrap_or_default().saturating_add(rounds)
}

fn policy(policy: &answers::RestartPolicy) -> RestartPolicy {
    match policy.name.as_str() {
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure(policy.maximum_retry_count),
        "no" | "" => RestartPolicy::No,
        word => {
            answers::unknown("restart policy", word);
            RestartPolicy::No
        }
    }
}

/// A moment as the Engine writes it. Before it ever happened that is the year 1.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .ok()
        .filter(|moment| *moment > Timestamp::UNIX_EPOCH)
}

/// A signal as it stands in events (`9`) or in a container's configuration (`SIGTERM`, `RTMIN+3`).
pub(super) fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known: HashMap<&str, i32> = HashMap::from([
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("TERM", 15),
        ("WINCH", 28),
        ("PWR", 30),
        ("RTMIN", 34),
        ("RTMAX", 64),
    ]);
    if let Some(number) = known.get(name) {
        return Some(*number);
    }
    let offset = |base: i32, rest: &str| rest.parse::<i32>().ok().map(|offset| base + offset);
    match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
        (Some(rest), _) => offset(34, rest),
        (_, Some(rest)) => rest.parse::<i32>().ok().map(|offset| 64 - offset),
        _ => None,
    }
}

/// One printable line, not too long.
pub(super) fn clip(text: &str) -> String {
    let line: Vec<&str> = text
        .split(|character: char| character.is_control() || character.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    let line = line.join(" ");
    if line.chars().count() <= OUTPUT_MAX {
        return line;
    }
    let mut clipped: String = line.chars().take(OUTPUT_MAX - 1).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10 answers, less what nobody reads.
    const ANSWER: &str = r#"{
        "Id": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "RestartCount": 2,
        "State": {
            "Status": "running", "Running": true, "Paused": false, "Restarting": false, "OOMKilled": false,
            "ExitCode": 0, "Error": "", "StartedAt": "2026-11-22T16:00:00.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": { "Status": "unhealthy", "FailingStreak": 3, "Log": [
                { "Start": "2026-11-22T16:00:10Z", "End": "2026-11-22T16:00:10Z", "ExitCode": 1, "Output": "first" },
                { "Start": "2026-11-22T16:00:20Z", "End": "2026-11-22T16:00:20Z", "ExitCode": 1, "Output": "no\n\tanswer\u0007 " }
            ] }
        },
        "HostConfig": { "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 5 }, "AutoRemove": false },
        "Config": { "StopSignal": "SIGQUIT", "StopTimeout": 3 }
    }"#;

    #[test]
    fn an_answer_of_the_engine_is_understood() {
        let facts = Facts::of(serde_json::from_str(ANSWER).unwrap());
        assert_eq!(facts.status, Status::Running);
        assert_eq!(facts.health, Health::Unhealthy("no answer".into()));
        assert_eq!(facts.policy, RestartPolicy::OnFailure(5));
        assert_eq!((facts.restarts, facts.stop_signal), (2, Some(3)));
        assert_eq!(facts.stop_timeout, Duration::from_secs(3));
        assert_eq!(facts.finished, None);
        let run = facts.run_id().unwrap();
        assert_eq!(run.as_str(), "0123456789ab@2026-11-22T16:00:00.123456789Z");
    }

    #[test]
    fn a_stop_timeout_without_end_is_a_long_one() {
        for (seconds, expected) in [
            ("-1", 365 * 86_400),
            ("9223372036854775807", 365 * 86_400),
            ("3", 3),
            ("null", 10),
        ] {
            let answer = ANSWER.replace(r#""StopTimeout": 3"#, &format!(r#""StopTimeout": {seconds}"#));
            let facts = Facts::of(serde_json::from_str(&answer).unwrap());
            assert_eq!(facts.stop_timeout, Duration::from_secs(expected), "{seconds}");
        }
    }

    #[test]
    fn an_empty_answer_is_no_reason_to_fail() {
        let facts = Facts::of(Inspected::default());
        assert_eq!(facts.status, Status::Other);
        assert_eq!(facts.run_id(), None);
    }

    /// States of Docker 20.10 to 28.5 and of podman 4.3 to 5.8, and one of a version to come.
    #[test]
    fn words_of_any_engine_mean_something() {
        for (state, expected) in [
            (r#"{"Status":"created"}"#, Status::Created),
            (r#"{"Status":"running","Running":true,"Paused":true}"#, Status::Paused),
            (
                r#"{"Status":"restarting","Running":true,"Restarting":true}"#,
                Status::Restarting,
            ),
            (r#"{"Status":"stopped"}"#, Status::Exited),
            (r#"{"Status":"initialized"}"#, Status::Created),
            (r#"{"Status":"stopping","Running":true}"#, Status::Removing),
            (r#"{"Status":"migrating","Running":true}"#, Status::Running),
            (r#"{"Status":"migrating"}"#, Status::Other),
            ("{}", Status::Other),
        ] {
            assert_eq!(status(&serde_json::from_str(state).unwrap()), expected, "{state}");
        }
    }

    #[test]
    fn signals_have_numbers() {
        for (text, number) in [
            ("9", Some(9)),
            ("SIGTERM", Some(15)),
            ("QUIT", Some(3)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("nonsense", None),
        ] {
            assert_eq!(signal_number(text), number, "{text}");
        }
    }

    #[test]
    fn output_is_one_line() {
        assert_eq!(clip("a\n\n b\u{1b}[31m"), "a b [31m");
        assert_eq!(clip(&"x".repeat(1000)).chars().count(), OUTPUT_MAX);
    }
}
