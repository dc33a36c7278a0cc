//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Where the configuration is, unless said otherwise.
const CONFIG: &str = "/etc/sentinel/sentinel.toml";

/// Exit codes, as every `--help` ends.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 the answer is no (wrong configuration, unknown service, not healed); \
                          2 wrong usage; 3 the agent cannot be reached.";

/// Keeps the services of this host up, and tells people only what they need to know.
#[derive(Clone, Debug, Parser)]
#[command(name = "sentinel", version, after_help = EXIT_CODES, propagate_version = true)]
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
    Run,
    /// Check the configuration, and show what would be watched.
    Check,
    /// Show the whole story on this machine: fail a service in several ways, and heal it.
    Demo(DemoArgs),
    /// Run a command during which a service is left alone; ends with the command's exit code.
    Deploy(DeployArgs),
    /// Play a scenario on a virtual clock, and show what the agent would do.
    Simulate(SimulateArgs),
    /// Ask a running agent.
    #[command(flatten)]
    Ask(Ask),
}

/// What a running agent can be asked, over its control socket.
#[derive(Clone, Debug, Subcommand)]
pub enum Ask {
    /// Show every service, or one in full.
    Status {
        /// Only this service, with everything known of it.
        name: Option<String>,
    },
    /// List incidents, or tell one from beginning to end.
    Incidents {
        /// The incident to tell.
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
    /// Leave a service alone: probe it, but neither restart it nor tell anybody.
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
    /// Read the configuration anew; whatever is wrong with it, the old one stays in force.
    Reload,
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

/// A duration of at least a second; what is beyond whole seconds is dropped.
fn pause_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match duration.as_secs() {
        0 => Err("must be at least a second".to_owned()),
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
            assert!(matches!(cli.command, Command::Ask(Ask::Status { name: Some(name) }) if name == "web"));
        }
    }

    #[test]
    fn a_pause_takes_a_duration_of_at_least_a_second() {
        let cli = parse("sentinel pause web --for 2h30m").unwrap();
        assert!(
            matches!(cli.command, Command::Ask(Ask::Pause { duration: Some(duration), .. }) if duration.as_secs() == 9000)
        );
        assert!(matches!(
            parse("sentinel pause web").unwrap().command,
            Command::Ask(Ask::Pause { duration: None, .. })
        ));
        for wrong in ["soon", "0s", "10ms", "-1h", "99999999999999999999y"] {
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
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
