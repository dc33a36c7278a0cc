//! What another configuration changes.

use sentinel_api::ReloadResponse;
use sentinel_config::{AgentSettings, ServiceSettings, Settings};
use sentinel_engine::{Changed, Memory, Reload};

use crate::components::service;

/// What cannot become another while the agent runs, one sentence each.
pub(super) fn fixed(old: &AgentSettings, new: &AgentSettings) -> Vec<String> {
    let keys = [
        ("agent.state_dir", old.state_dir != new.state_dir),
        ("agent.control_socket", old.control_socket != new.control_socket),
        ("agent.log", old.log != new.log),
        ("agent.emoji", old.emoji != new.emoji),
        // Its token can: `token_file` is read again.
        ("agent.listen", old.web.listen != new.web.listen),
    ];
    keys.iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| format!("{key}: cannot be changed by a reload; restart the agent"))
        .collect()
}

/// What changes for the engine, and how many services that is.
pub(super) fn difference(old: &Settings, new: &Settings, unknown: fn() -> Memory) -> (Reload, ReloadResponse) {
    let mut reload = Reload::default();
    let mut response = ReloadResponse::default();
    for before in &old.services {
        let name = &before.service.name;
        if service(new, name).is_none() {
            response.removed += 1;
            reload.removed.push(name.clone());
        }
    }
    for now in &new.services {
        let Some(before) = service(old, &now.service.name) else {
            response.added += 1;
            reload.added.push((now.service.clone(), unknown()));
            continue;
        };
        if before == now {
            response.unchanged += 1;
            continue;
        }
        response.changed += 1;
        let changed = changed(before, now);
        if changed != Changed::default() || before.service != now.service || before.reach != now.reach {
            reload.changed.push((now.service.clone(), changed));
        }
    }
    (reload, response)
}

fn changed(before: &ServiceSettings, now: &ServiceSettings) -> Changed {
    Changed {
        target: before.target != now.target,
        probes: before.probes != now.probes,
    }
}
