//! Containers as systemd sees them, for when the Engine cannot be asked.
//!
//! With systemd as Docker's cgroup driver each running container is a scope, `docker-ID.scope`, that comes with it and is
//! gone with it. The bus reports every scope whether it is active, and how many tasks and how much memory it has; reading
//! that needs no right to use Docker. Nothing there tells a container's name, exit code, health, or why it ended, so this
//! is never taken for more than it is: what is known of a container stays *unknown*, with what its scope shows as a reason.
//! Ids are known from when the Engine could be asked, or from a configuration that names the container by its id.
//!
//! The end of a scope is no earlier news than the Engine's own: until the Engine has noticed the end itself, a few dozen
//! milliseconds later, it takes the container for running and refuses to start it. So scopes are read only without it.

use std::collections::HashMap;
use std::time::Duration;

use zbus::Connection;
use zbus::message::Message;

use super::identity::is_id;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SCOPE: &str = "org.freedesktop.systemd1.Scope";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// systemd answers in milliseconds; while it reloads, it does not. This is a look aside, and may be missed.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// Scopes that are asked about one by one. Of more only their being there is reported.
const DETAILED_MAX: usize = 32;

/// What systemd shows of one container that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) tasks: Option<u64>,
    /// In bytes.
    pub(super) memory: Option<u64>,
}

/// What systemd shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CgroupScopes {
    /// The scopes of all containers that run, by id.
    Listed(HashMap<String, Scope>),
    /// There is no bus, or no answer.
    Unknown,
}

impl CgroupScopes {
    /// What can be said of the container with that id, beyond why the Engine cannot be asked.
    pub(super) fn of(&self, id: Option<&str>) -> Option<String> {
        let Self::Listed(scopes) = self else {
            return None;
        };
        if scopes.is_empty() {
            // With another cgroup driver there never are any: that says nothing.
            return None;
        }
        let Some(id) = id else {
            let count = scopes.len();
            return Some(format!("systemd shows {count} running containers, but no names"));
        };
        let Some(scope) = scopes.get(id) else {
            return Some("systemd shows that it does not run, but not why".to_owned());
        };
        let mut words = vec!["systemd shows that it runs".to_owned()];
        words.extend(scope.tasks.map(|tasks| format!("{tasks} tasks")));
        words.extend(scope.memory.map(|bytes| format!("{} MiB", bytes.div_ceil(1 << 20))));
        Some(format!("{}; its health is not known", words.join(", ")))
    }
}

/// Looks once, with a connection of its own: nobody may need it for weeks.
pub(super) async fn look() -> CgroupScopes {
    let looked = tokio::time::timeout(ANSWER_WITHIN, read()).await;
    match looked {
        Ok(Ok(scopes)) => CgroupScopes::Listed(scopes),
        Ok(Err(error)) => {
            tracing::debug!(%error, "The scopes of containers cannot be seen");
            CgroupScopes::Unknown
        }
        Err(_elapsed) => CgroupScopes::Unknown,
    }
}

/// A unit as `ListUnitsByPatterns` has it; the object path is the seventh.
type Listed = (
    String,
    String,
    String,
    String,
    String,
    String,
    zbus::wire::OwnedObjectPath,
    u32,
    String,
    zbus::wire::OwnedObjectPath,
);

async fn read() -> zbus::Result<HashMap<String, Scope>> {
    let bus = Connection::system().await?;
    let answer = bus
        .call_method(
            Some(SYSTEMD),
            MANAGER_PATH,
            Some(MANAGER),
            "ListUnitsByPatterns",
            &(["active"].as_slice(), ["docker-*.scope"].as_slice()),
        )
        .await?;
    let listed: Vec<Listed> = answer.body().deserialize()?;
    let mut scopes = HashMap::new();
    for unit in listed {
        let Some(id) = container_of(&unit.0) else {
            continue;
        };
        let detailed = scopes.len() < DETAILED_MAX;
        let scope = if detailed {
            Scope {
                tasks: number(&bus, &unit.6, "TasksCurrent").await,
                memory: number(&bus, &unit.6, "MemoryCurrent").await,
            }
        } else {
            Scope::default()
        };
        scopes.insert(id.to_owned(), scope);
    }
    Ok(scopes)
}

/// A number of a scope. Without accounting systemd answers the largest there is.
async fn number(bus: &Connection, path: &zbus::wire::OwnedObjectPath, name: &str) -> Option<u64> {
    let answer: Message = bus
        .call_method(Some(SYSTEMD), path, Some(PROPERTIES), "Get", &(SCOPE, name))
        .await
        .ok()?;
    let value: zbus::wire::OwnedVariant = answer.body().deserialize().ok()?;
    u64::try_from(value).ok().filter(|number| *number != u64::MAX)
}

/// The id in the name of a scope.
fn container_of(unit: &str) -> Option<&str> {
    let id = unit.strip_prefix("docker-")?.strip_suffix(".scope")?;
    is_id(id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reports_what_it_can_and_no_more() {
        let id = "0123456789abcdef".repeat(4);
        let other = "f".repeat(64);
        let scope = Scope {
            tasks: Some(3),
            memory: Some(5 << 20),
        };
        let scopes = CgroupScopes::Listed(HashMap::from([(id.clone(), scope)]));
        for (scopes, id, reported) in [
            (
                &scopes,
                Some(id.as_str()),
                "systemd shows that it runs, 3 tasks, 5 MiB; its health is not known",
            ),
            (
                &scopes,
                Some(other.as_str()),
                "systemd shows that it does not run, but not why",
            ),
            (&scopes, None, "systemd shows 1 running containers, but no names"),
            (&CgroupScopes::Listed(HashMap::new()), Some(id.as_str()), ""),
            (&CgroupScopes::Unknown, Some(id.as_str()), ""),
        ] {
            assert_eq!(scopes.of(id).unwrap_or_default(), reported);
        }
    }

    #[test]
    fn only_scopes_of_containers_count() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(container_of(&format!("docker-{id}.scope")), Some(id.as_str()));
        for other in [
            "docker-short.scope",
            "session-1.scope",
            "docker.service",
            "docker-.scope",
        ] {
            assert_eq!(container_of(other), None, "{other}");
        }
    }
}
