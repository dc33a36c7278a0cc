//! `sentinel doctor`.

use std::error::Error;
use std::fmt::{self, Write as _};

use rustix::process::geteuid;
use sentinel_api::{ServiceStatus, StatusResponse};
use sentinel_config::OriginKind;
use sentinel_text::chain;
use sentinel_text::{Paint, Tone};
use serde_json::json;

use super::client::{Client, ClientError, parse};
use super::{Cli, Exit, control_socket, fail, on_runtime, print};
use crate::doctor::{self, AgentFacts, Facts, Finding, Level, RuleFacts};

/// The word in `sentinel status` for a service of which nothing can be seen.
const UNOBSERVABLE: &str = "unknown";

/// How the place of a service begins that was found as a container.
const CONTAINER: &str = "container ";

/// The word for a service that the agent was not able to restart.
const REFUSED: &str = "refused";

/// Looks at everything, and says what is wrong; exit code 1 when anything fails.
pub(super) fn run(cli: &Cli) -> Exit {
    match look(cli) {
        Ok(facts) => {
            let findings = doctor::judge(&facts);
            let failed = findings.iter().any(|finding| finding.level == Level::Failure);
            let text = if cli.json {
                json!({ "ok": !failed, "user": facts.user, "findings": findings }).to_string()
            } else {
                text(&findings, super::stdout::paint())
            };
            match print(&text) {
                Exit::Ok if failed => Exit::Failure,
                exit => exit,
            }
        }
        Err(exit) => exit,
    }
}

/// Root looks first at what only root sees, and then becomes the agent's user. No runtime may be left over from before.
fn look(cli: &Cli) -> Result<Facts, Exit> {
    let mut rule = RuleFacts::default();
    let mut not_judged = None;
    if !geteuid().is_root()
        && let Some(agent) = on_runtime(doctor::unit_user())?
        && !agent.is_current()
    {
        let why = format!(
            "what counts is what the agent's user `{}` may do, and only root can look as that user: `sudo sentinel doctor`",
            agent.name
        );
        return Err(fail(Exit::Failure, &why));
    }
    if geteuid().is_root() {
        let seen = on_runtime(doctor::look_as_root(&cli.config))?;
        rule = seen.rule;
        not_judged = match seen.account {
            Ok(Some(account)) => account.assume().err().map(|error| chain(&error)),
            Ok(None) => None,
            Err(error) => Some(chain(&error)),
        };
    }
    on_runtime(doctor::collect(&cli.config, rule, not_judged, ask_agent(cli)))
}

/// The agent did not answer; reads as an explanation to operators.
#[derive(Debug)]
struct Unanswered(ClientError);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.explain())
    }
}

impl Error for Unanswered {}

async fn ask_agent(cli: &Cli) -> Result<AgentFacts, Box<dyn Error + Send + Sync>> {
    let client = Client::new(&control_socket(cli)).map_err(Unanswered)?;
    let answer = client.get(&["status"], &[]).await.map_err(Unanswered)?;
    let status: StatusResponse = parse(&answer).map_err(Unanswered)?;
    let is_configured = |origin| matches!(origin, OriginKind::File | OriginKind::UnitFile);
    let configured = status.services.iter().filter(|service| is_configured(service.origin));
    let is_container = |service: &&ServiceStatus| service.origin_place.starts_with(CONTAINER);
    let containers = status.services.iter().filter(is_container);
    let unseen = status.unseen.iter();
    let unseen = unseen.filter_map(|one| Some((one.source, one.reason.clone()?)));
    let unobservable = status.services.iter().filter(|service| service.state == UNOBSERVABLE);
    let refused = status.services.iter().filter_map(|service| {
        let hold = service.hold.as_ref().filter(|hold| hold.kind == REFUSED)?;
        Some((service.name.clone(), hold.text.clone()))
    });
    Ok(AgentFacts {
        version: status.version.clone(),
        services: status.services.len(),
        configured: configured.count(),
        containers: containers.count(),
        unseen: unseen.collect(),
        unobservable: unobservable.map(|service| service.name.clone()).collect(),
        refused: refused.collect(),
        not_served: status
            .web
            .as_ref()
            .and_then(|web| Some((web.address.clone(), web.error.clone()?))),
    })
}

/// A line for each finding, and one below it that says how to fix it.
fn text(findings: &[Finding], paint: Paint) -> String {
    let mut out = String::new();
    for finding in findings {
        let tone = match finding.level {
            Level::Ok => Tone::Good,
            Level::Warning => Tone::Warn,
            Level::Failure => Tone::Bad,
        };
        let level = paint.text(tone, &format!("{:7}", finding.level.as_str()));
        let words = sentinel_text::printable(&finding.text);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{level}  {:13}  {words}", finding.check);
        if let Some(fix) = finding.fix.as_ref().filter(|_| finding.level != Level::Ok) {
            let _ = writeln!(out, "{:24}to fix: {}", "", sentinel_text::printable(fix));
        }
    }
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let failures = sentinel_text::count(count(Level::Failure), "failure");
    let warnings = sentinel_text::count(count(Level::Warning), "warning");
    let _ = writeln!(out, "\n{failures}, {warnings}");
    out
}
