//! What the ledger makes of configurations: of the one that the agent starts with, and of every other meanwhile.

use std::collections::BTreeMap;

use sentinel_engine::{Changed, HostPolicy, Service, ServiceName, Time};

use super::kept::Copied;
use super::known::Known;
use super::ledger::Ledger;
use super::shared::Shared;
use super::tape::Start;

impl Ledger {
    pub(super) fn agent_started(&mut self, now: Time, start: &Start) {
        self.agent_up = true;
        self.store_lost = start.store_lost;
        self.host.booted_at = start.booted_at;
        if start.store_lost {
            // Another store: numbers begin again, and whatever was spent counts as all of it.
            self.intents.clear();
            self.acted.clear();
            let policy = self.host.policy.clone();
            self.host = Shared::new(policy);
            self.host.booted_at = start.booted_at;
            for known in self.services.values_mut() {
                *known = known.unwatched(now, Copied::default());
                (known.kept, known.shown, known.reloaded) = (Copied::default(), None, false);
                if start.services.iter().any(|service| service.name == known.service.name) {
                    known.gives_up(now);
                }
            }
        }
        self.host.limit(now, &start.policy);
        self.configure(now, &start.services, None);
    }

    pub(super) fn reloaded(
        &mut self,
        now: Time,
        policy: &HostPolicy,
        services: &[Service],
        changed: &BTreeMap<ServiceName, Changed>,
    ) {
        self.host.limit(now, policy);
        self.configure(now, services, Some(changed));
        // What was refused may be allowed by now.
        for known in self.services.values_mut() {
            known.refused_until = None;
        }
    }

    /// These services are configured from now on. While the agent did not watch, any of them may have become another.
    fn configure(&mut self, now: Time, services: &[Service], changed: Option<&BTreeMap<ServiceName, Changed>>) {
        for known in self.services.values_mut() {
            let stays = services.iter().any(|service| service.name == known.service.name);
            if known.configured && !stays {
                known.removed();
                // How much it had left when the agent stopped, no operator asked.
                known.shown = known.shown.filter(|_| changed.is_some());
            }
        }
        for service in services {
            self.take_in(now, service, changed);
            self.known(&service.name).met = true;
        }
    }

    fn take_in(&mut self, now: Time, service: &Service, changed: Option<&BTreeMap<ServiceName, Changed>>) {
        let Some(known) = self.services.get_mut(&service.name) else {
            let mut known = Known::new(service.clone());
            if self.store_lost {
                known.gives_up(now);
            }
            self.services.insert(service.name.clone(), known);
            return;
        };
        let all = Changed {
            target: true,
            probes: true,
        };
        if !known.configured {
            let (flight, met) = (known.flight, known.met);
            *known = known.unwatched(now, known.keep.clone());
            known.flight = flight;
            if self.store_lost && !met {
                known.gives_up(now);
            }
            known.changed(now, service.clone(), all);
        } else if let Some(changed) = changed {
            if let Some(what) = changed.get(&service.name) {
                known.changed(now, service.clone(), *what);
                if what.target {
                    known.keep.passed = false;
                }
            }
        } else if known.service != *service {
            known.changed(now, service.clone(), all);
            known.shown = None;
        }
    }
}
