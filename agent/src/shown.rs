//! What is shown over HTTP, and what it needs of the rest of the agent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sentinel_api::WebStatus;
use sentinel_config::{Secret, Settings};
use sentinel_driver::control::ControlHandle;
use sentinel_driver::counters::Counters;
use sentinel_engine::ServiceName;
use sentinel_web::{LastReload, Web};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::components::ServiceHandle;

/// The ways to what is shown. They are there also where nothing is, and cost nothing then.
pub struct Shown {
    /// Whether it is served.
    pub status: watch::Sender<Option<WebStatus>>,
    token: watch::Sender<Option<Secret>>,
    reload: watch::Sender<LastReload>,
}

impl Shown {
    /// As the agent starts with `settings`, at `since`.
    pub fn new(settings: &Settings, since: Timestamp) -> Self {
        let reload = LastReload {
            is_successful: true,
            applied: since,
        };
        Self {
            status: watch::Sender::new(None),
            token: watch::Sender::new(settings.agent.web.token.clone()),
            reload: watch::Sender::new(reload),
        }
    }

    /// Starts to serve; nothing where it is off.
    pub fn serve(&self, settings: &Settings, since: Timestamp, driver: ControlHandle, tasks: &mut JoinSet<()>) {
        let Some(listen) = settings.agent.web.listen.clone() else {
            return;
        };
        let web = Web {
            listen,
            host: settings.agent.name.clone(),
            token: self.token.subscribe(),
            driver,
            reload: self.reload.subscribe(),
            version: crate::version::VERSION,
            since,
            status: self.status.clone(),
        };
        tasks.spawn(web.run());
    }

    /// The configuration was read again; `new` is in force, or the old one when there is none.
    pub fn reloaded(&self, new: Option<&Settings>) {
        if let Some(new) = new {
            self.token.send_replace(new.agent.web.token.clone());
        }
        self.reload.send_modify(|reload| {
            reload.is_successful = new.is_some();
            if reload.is_successful {
                reload.applied = sentinel_base::clock::wall();
            }
        });
    }
}

/// What the driver counts with; nothing where no client could ask for it.
pub fn counters(settings: &Settings, services: &BTreeMap<ServiceName, ServiceHandle>) -> Option<Box<Counters>> {
    settings.agent.web.listen.as_ref()?;
    let mut counters = Counters::default();
    counters.keep(services.len(), |service| services.contains_key(service));
    Some(Box::new(counters))
}
