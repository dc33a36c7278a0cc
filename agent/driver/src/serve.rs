//! Answers what is asked over the control API, and what is shown of the agent.

use std::collections::BTreeMap;

use sentinel_engine::{Event, ServiceName};

use super::control::{ControlRequest, MetricsView, ServiceGauges, StatusView};
use super::report::Runner;
use super::{Driver, Probes, Target, history};

impl<T: Target, P: Probes> Driver<T, P> {
    /// Answers an operator. A client that has gone is not waited for.
    pub(super) fn serve(&mut self, request: ControlRequest) {
        let now = self.clock.now();
        match request {
            ControlRequest::Status { reply } => {
                let services = self.engine.snapshot(now);
                let view = StatusView {
                    now,
                    wall: self.clock.wall(now),
                    host: self.host.clone(),
                    acknowledged: services
                        .iter()
                        .filter_map(|service| service.incident)
                        .filter_map(|incident| Some((incident, self.engine.acknowledgement(incident)?.clone())))
                        .collect(),
                    services,
                    origins: self
                        .services
                        .iter()
                        .map(|(name, service)| (name.clone(), service.origin.clone()))
                        .collect(),
                    rejected: self.rejected.clone(),
                    unseen: self.found.borrow().unseen(),
                };
                let _ = reply.send(view);
            }
            ControlRequest::Operator {
                service,
                request,
                reply,
            } => {
                let answer = self.engine.check_request(service.as_str(), &request);
                if answer.is_ok() {
                    self.engine
                        .handle_event(now, Event::OperatorRequested { service, request });
                }
                let _ = reply.send(answer);
            }
            ControlRequest::Metrics { reply } => {
                let _ = reply.send(Box::new(self.metrics()));
            }
            ControlRequest::Alerts(request) => self.serve_alerts(request),
            // When too many wait, the client is asked to try again.
            ControlRequest::Reload { reply } => drop(self.reloads.try_send(reply)),
            ControlRequest::Incidents { query, reply } => {
                let store = self.store.clone();
                tokio::spawn(async move { reply.send(history::incidents(&store, query).await) });
            }
            ControlRequest::Queue { limit, reply } => {
                let store = self.store.clone();
                tokio::spawn(async move { reply.send(history::queue(&store, now, limit).await) });
            }
            ControlRequest::Incident { id, reply } => {
                let store = self.store.clone();
                tokio::spawn(async move { reply.send(history::incident(&store, id).await) });
            }
        }
    }

    /// What was counted, and how everything is now.
    fn metrics(&self) -> MetricsView {
        let now = self.clock.now();
        let problems = self.agent_health.problems();
        let mut unobservable = BTreeMap::from([("systemd", 0), ("docker", 0), ("process", 0)]);
        for service in problems.unseen.keys() {
            *unobservable.entry(self.runner_name(service)).or_default() += 1;
        }
        let gauges = |service: sentinel_engine::ServiceSnapshot| ServiceGauges {
            incident_since: service.incident_since.map(|at| self.clock.wall(at)),
            name: service.name,
            state: service.state,
            attempts_left: service.attempts_left,
        };
        MetricsView {
            services: self.engine.snapshots(now).map(gauges).collect(),
            counters: self.counters.as_deref().cloned().unwrap_or_default(),
            deliveries: self.fallback.deliveries(),
            unobservable,
            store_writable: !problems.store_failing,
        }
    }

    fn runner_name(&self, service: &ServiceName) -> &'static str {
        self.runner_of(service).map_or("process", Runner::name)
    }

    /// Counts a round of probes that has ended.
    pub(super) fn count(&mut self, event: &Event) {
        let (Some(counters), Event::ProbeCompleted { service, outcome, .. }) = (&mut self.counters, event) else {
            return;
        };
        if let Some(handle) = self.services.get(service) {
            counters.probed(service, handle.probes.kind(), outcome);
        }
    }
}
