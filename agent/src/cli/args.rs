//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use sentinel_api::PAUSE_MAX;
use sentinel_engine::Severity;

use super::names::NameKind;
use crate::version::LONG;

/// Where the configuration is, unless said otherwise.
const CONFIG: &str = "/etc/sentinel/sentinel.toml";

/// Exit codes, as every `--help` ends.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 failure (invalid configuration, unknown service, not healed); \
                          2 wrong usage; 3 the agent cannot be reached.";

/// Those of `sentinel health`: a health check of Docker or Kubernetes knows no others.
const HEALTH_CODES: &str = "Exit codes: 0 the agent works; 1 it does not: it cannot be reached, or stands still; \
                            2 wrong usage. The state of its services does not matter here.";

/// Keeps the services of this host up, and sends only the alerts that an operator needs.
#[derive(Clone, Debug, Parser)]
#[command(name = "sentinel", version = LONG.as_str(), after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", env = "SENTINEL_CONFIG", default_value = CONFIG)]
    pub config: PathBuf,

    /// The agent's control socket, instead of the one in the configuration.
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Answer in JSON.
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the agent.
    Run(RunArgs),
    /// Check the configuration, and show what would be watched.
    Check(CheckArgs),
    /// Propose a configuration for what runs: systemd services and containers; TOML, ready to be looked over and used.
    Discover(DiscoverArgs),
    /// Demonstrate the agent on this machine: fail a service in several ways, and heal it.
    Demo(DemoArgs),
    /// Run a command during which a service is left alone; ends with the command's exit code.
    Deploy(DeployArgs),
    /// Check this host's prerequisites and print fixes; changes nothing, sends nothing. Run as root, it
    /// judges as the agent's user; exit code 1 when anything fails.
    Doctor,
    /// Ask the agent whether it works, as the health check of a container does.
    #[command(after_help = HEALTH_CODES)]
    Health(HealthArgs),
    /// Print the polkit rule that allows the agent's user to restart the configured units, and nothing else.
    PolkitRules(PolkitRulesArgs),
    /// Play a scenario on a virtual clock, and show what the agent would do.
    Simulate(SimulateArgs),
    /// Explain and test how alerts are routed and delivered.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Replay what led to an incident, under another policy.
    Replay(ReplayArgs),
    /// List names for the completions of shells; nothing when the agent cannot be reached.
    #[command(hide = true)]
    Names {
        /// The kind of name.
        kind: NameKind,
    },
    /// Ask a running agent.
    #[command(flatten)]
    Control(ControlCommand),
}

/// `sentinel check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Show only what is wrong.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// What a running agent can be asked, over its control socket.
#[derive(Clone, Debug, Subcommand)]
pub enum ControlCommand {
    /// Show every service, or one in full.
    Status {
        /// Only this service, with everything known of it.
        name: Option<String>,
    },
    /// List incidents, or show one from beginning to end.
    Incidents {
        /// The incident to show.
        id: Option<u64>,
        /// Only those of this service.
        #[arg(long, value_name = "NAME", conflicts_with = "id")]
        service: Option<String>,
        /// At most this many, newest first.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Restart a service now, whatever its budget says.
    Restart {
        /// The service.
        name: String,
    },
    /// Leave a service alone: probe it, but neither restart it nor send alerts.
    Pause {
        /// The service.
        name: String,
        /// For how long, such as `30m` or `2h`; until resumed when left out.
        #[arg(long = "for", value_name = "DURATION", value_parser = pause_duration)]
        duration: Option<Duration>,
    },
    /// End the pause of a service.
    Resume {
        /// The service.
        name: String,
    },
    /// Mute notifications for a while; services are still healed, and incidents recorded.
    Silence {
        /// What to do.
        #[command(subcommand)]
        command: SilenceCommand,
    },
    /// Acknowledge an incident: it is not repeated and not escalated, and its receivers are notified of that.
    Ack {
        /// The incident.
        id: u64,
        /// What is being done about it.
        #[arg(default_value = "")]
        text: String,
    },
    /// Reload the configuration; if it is invalid, the old one stays in force.
    Reload,
}

/// `sentinel alerts`.
#[derive(Clone, Debug, Subcommand)]
pub enum AlertsCommand {
    /// Explain which receivers would get a message, and why.
    Route(RouteArgs),
    /// Send a test message through every receiver, or one, without the agent; exit code 1 when any fails.
    Test {
        /// Only this receiver.
        receiver: Option<String>,
    },
    /// Show every receiver and how it answers, and the messages that wait.
    Queue {
        /// At most this many messages.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

/// `sentinel alerts route`.
#[derive(Clone, Debug, Args)]
pub struct RouteArgs {
    /// The service; `(host)` for the host itself.
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// The severity; by default that of the service for this kind of message.
    #[arg(long, value_parser = severity)]
    pub severity: Option<Severity>,
    /// The kind of message.
    #[arg(long, default_value = "fired", value_parser = ["fired", "gave_up", "healed", "flapping"])]
    pub kind: String,
    /// A label besides, or instead of, those that the service has.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
}

/// `sentinel silence`.
#[derive(Clone, Debug, Subcommand)]
pub enum SilenceCommand {
    /// Mute some notifications; alerts still firing when it ends are sent then.
    Add(SilenceAdd),
    /// Show what is muted, by whom and until when.
    List,
    /// End a silence now.
    Expire {
        /// The silence.
        id: u64,
    },
}

/// `sentinel silence add`.
#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["service", "label", "severity"])))]
pub struct SilenceAdd {
    /// A service, or a pattern such as `db-*`; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub service: Vec<String>,
    /// A label the service must have; its value may be a pattern. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// Only this severity; may be repeated.
    #[arg(long, value_parser = severity)]
    pub severity: Vec<Severity>,
    /// For how long, such as `30m` or `2h`.
    #[arg(long = "for", value_name = "DURATION", value_parser = pause_duration)]
    pub duration: Duration,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
}

/// `sentinel run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Run as root in a container although the host's bus is there. Whoever gets into the container then owns the host.
    #[arg(long)]
    pub root_on_host_bus: bool,
}

/// `sentinel health`.
#[derive(Clone, Debug, Args)]
pub struct HealthArgs {
    /// How long the answer may take.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "5s")]
    pub timeout: Duration,
}

/// `sentinel polkit-rules`.
#[derive(Clone, Debug, Args)]
pub struct PolkitRulesArgs {
    /// Put it in place, as root: /etc/polkit-1/rules.d/60-sentinel.rules. Done by sentinel.service itself when it starts and
    /// reloads. Only from files that only root can write; variables SENTINEL__... do not count.
    #[arg(long)]
    pub install: bool,
}

/// `sentinel deploy`.
#[derive(Clone, Debug, Args)]
pub struct DeployArgs {
    /// The service.
    pub name: String,
    /// How long the agent waits at most for the end, should this command die.
    #[arg(long = "for", value_name = "DURATION", value_parser = pause_duration, default_value = "15m")]
    pub duration: Duration,
    /// Run the command although the agent cannot be reached.
    #[arg(long)]
    pub anyway: bool,
    /// The command, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// `sentinel demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Stay up afterwards.
    #[arg(long)]
    pub keep: bool,
}

/// `sentinel discover`.
#[derive(Clone, Debug, Args)]
pub struct DiscoverArgs {
    /// Connect to the ports found on this host's loopback, and ask them for `/health`, `/healthz` and `/` over HTTP, one
    /// second each. Without it nothing is sent to any service.
    #[arg(long)]
    pub probe: bool,
}

/// `sentinel simulate`.
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// A scenario that comes with the agent (see `--list`), or a TOML file.
    #[arg(required_unless_present = "list")]
    pub scenario: Option<String>,
    /// The configuration whose policy is tried; without one, the documented defaults.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// List the scenarios that come with the agent.
    #[arg(long, conflicts_with_all = ["scenario", "policy", "print"])]
    pub list: bool,
    /// Print the scenario itself, to begin one's own with.
    #[arg(long, conflicts_with = "policy")]
    pub print: bool,
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    let found = all.into_iter().find(|severity| severity.as_str() == text);
    found.ok_or_else(|| "must be info, warning or critical".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `sentinel replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The incident to play.
    pub id: u64,
    /// The configuration whose policy is tried; without one, the one in force.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Take in the incidents that were this near to it, of any service: a storm, or one service again and again.
    #[arg(long, value_name = "DURATION", value_parser = replay_duration, default_value = "15m")]
    pub around: Duration,
    /// Print the whole timeline, not only the summary.
    #[arg(long)]
    pub story: bool,
    /// Print the scenario, to change it and play it with `sentinel simulate`.
    #[arg(long, conflicts_with_all = ["policy", "story"])]
    pub print: bool,
}

/// As much as a scenario can be long.
fn replay_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(7 * 24 * 60 * 60) {
        return Err("must be at most 7 days".to_owned());
    }
    Ok(duration)
}

/// A duration of a second at least and 366 days at most; what is beyond whole seconds is dropped.
fn pause_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match duration.as_secs() {
        0 => Err("must be at least a second".to_owned()),
        seconds if seconds > PAUSE_MAX.as_secs() => Err("must be at most 366 days".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            "sentinel --json --socket /s status web",
            "sentinel status web --json --socket /s",
        ] {
            let cli = parse(line).unwrap();
            assert!(cli.json);
            assert_eq!(cli.socket, Some("/s".into()));
            assert!(
                matches!(cli.command, Command::Control(ControlCommand::Status { name: Some(name) }) if name == "web")
            );
        }
    }

    #[test]
    fn a_pause_takes_a_duration_of_at_least_a_second() {
        let cli = parse("sentinel pause web --for 2h30m").unwrap();
        assert!(
            matches!(cli.command, Command::Control(ControlCommand::Pause { duration: Some(duration), .. }) if duration.as_secs() == 9000)
        );
        assert!(matches!(
            parse("sentinel pause web").unwrap().command,
            Command::Control(ControlCommand::Pause { duration: None, .. })
        ));
        for wrong in ["soon", "0s", "10ms", "-1h", "367days", "99999999999999999999y"] {
            assert!(parse(&format!("sentinel pause web --for={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_usage_ends_with_2() {
        for line in [
            "sentinel",
            "sentinel nothing",
            "sentinel incidents x",
            "sentinel incidents --limit 0",
            "sentinel restart",
            "sentinel deploy web",
            "sentinel deploy web true",
            "sentinel silence add --for 1h --comment why",
            "sentinel silence add --service db --comment why",
            "sentinel silence add --service db --for 1h",
            "sentinel silence add --service db --for 1h --comment why --severity bad",
            "sentinel silence expire",
            "sentinel ack",
            "sentinel alerts route",
            "sentinel alerts route --service web --kind resolved",
            "sentinel alerts route --service web --label team",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
