//! A new configuration while the engine runs.

use std::collections::BTreeMap;

use super::Engine;
use crate::alerting::Rules;
use crate::host::HostPolicy;
use crate::ids::ServiceName;
use crate::memory::Memory;
use crate::policy::Service;
use crate::service::Context;
use crate::time::Time;

/// Services that are gone and remembered. With more, those are forgotten of which nothing counts any more: containers may
/// come and go under ever new names.
const PARKED_MAX: usize = 10_000;

/// What a new configuration changes. What is not named here goes on undisturbed.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    /// The limits over the whole host.
    pub host: Option<HostPolicy>,
    /// Who is notified of what.
    pub rules: Option<Rules>,
    /// Services that are no longer configured.
    pub removed: Vec<ServiceName>,
    /// Services that are configured otherwise than before.
    pub changed: Vec<(Service, Changed)>,
    /// Services that are new, with the memory to assume of one of which nothing is remembered.
    pub added: Vec<(Service, Memory)>,
}

/// What became another of a service, besides its policy and `after`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// What runs it: what was seen of the old target says nothing of the new one.
    pub target: bool,
    /// What is asked of it: what was answered to other questions says nothing.
    pub probes: bool,
}

impl Engine {
    /// Goes on with another configuration, as a whole: nothing is judged before all of it is in place.
    ///
    /// No reload grants a budget. What was spent stays spent, of a changed service and of one that was removed and
    /// returns; a give-up stays one. What was refused is asked for again: whoever fixed the reason says so by a reload.
    ///
    /// Answers the receivers that are gone while they had more to hear, with of how many open incidents.
    pub fn reload(&mut self, now: Time, reload: Reload) -> BTreeMap<String, usize> {
        if let Some(policy) = reload.host {
            self.host.policy = policy;
        }
        // First: what the rest decides is for the new receivers.
        let gone = reload.rules.map(|rules| self.set_rules(now, rules)).unwrap_or_default();
        for name in &reload.removed {
            self.remove_service(now, name);
        }
        for (service, changed) in reload.changed {
            self.change_service(now, service, changed);
        }
        for (service, memory) in reload.added {
            let name = service.name.clone();
            if self.machines.contains_key(&name) {
                // It was removed while an action was in flight, and returns before that has ended.
                let all = Changed {
                    target: true,
                    probes: true,
                };
                self.change_service(now, service, all);
            } else {
                let memory = self.parked.remove(&name).unwrap_or(memory);
                self.insert_service(now, service, memory);
            }
        }
        for machine in self.machines.values_mut() {
            machine.reconsider();
        }
        self.evaluate_all(now);
        // What that led to is saved, and told, together with it.
        self.attend_host(now);
        self.alert_until(now);
        gone
    }

    /// Stops watching a service. An action that is in flight is waited for, and keeps its slot until it has ended.
    fn remove_service(&mut self, now: Time, name: &ServiceName) {
        let Some(machine) = self.machines.get_mut(name) else {
            // It was waited for, and does not come.
            if let Some(memory) = self.parked.remove(name) {
                self.forget_service(now, Service::unmanaged(name.clone()), memory);
            }
            return;
        };
        let mut cx = Context::new(now, &mut self.host, &mut self.decided);
        machine.leave(&mut cx);
        self.part_with(now, name);
    }

    fn change_service(&mut self, now: Time, service: Service, changed: Changed) {
        let name = service.name.clone();
        let Some(machine) = self.machines.get_mut(&name) else {
            return;
        };
        let after = service.after.clone();
        let mut cx = Context::new(now, &mut self.host, &mut self.decided);
        machine.change(service, changed, &mut cx);
        self.depends_on(&name, &after);
    }

    /// Drops a machine that has left for good. What must not be forgotten of it is kept, should it return.
    pub(super) fn part_with(&mut self, now: Time, name: &ServiceName) {
        let Some(machine) = self.machines.get(name).filter(|machine| machine.has_left()) else {
            return;
        };
        let memory = machine.memory().clone();
        if self.parked.len() >= PARKED_MAX {
            self.parked.retain(|_, memory| !memory.is_settled(now));
        }
        self.parked.insert(name.clone(), memory);
        self.drop_machine(name);
        self.queue.retain(|waiting| waiting != name);
    }

    /// Notes what a service waits for, instead of what it waited for before.
    pub(super) fn depends_on(&mut self, name: &ServiceName, after: &[ServiceName]) {
        for dependents in self.dependents.values_mut() {
            dependents.remove(name);
        }
        self.dependents.retain(|_, dependents| !dependents.is_empty());
        for dependency in after {
            self.dependents
                .entry(dependency.clone())
                .or_default()
                .insert(name.clone());
        }
    }
}
