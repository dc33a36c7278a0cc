//! Every metric: its name, its kind, its labels, and what it says. [metrics.md](../../../docs/metrics.md) has them too.

use super::exposition::{Family, Kind};

macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $constant: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are documented.
        #[cfg(test)]
        pub(super) static ALL: &[&Family] = &[$(&$constant),*];
    };
}

families! {
    BUILD_INFO: Gauge "sentinel_build_info" ["version"] "The agent's version; always 1.";
    SERVICES: Gauge "sentinel_services" [] "Services that are watched.";
    STORE_WRITABLE: Gauge "sentinel_store_writable" [] "Whether the store can be written; while it cannot, nothing is restarted.";
    RELOAD_SUCCESSFUL: Gauge "sentinel_config_last_reload_successful" [] "Whether the last reload of the configuration was applied.";
    RELOAD_TIME: Gauge "sentinel_config_last_reload_success_timestamp_seconds" [] "When the configuration in force was read.";
    UNOBSERVABLE: Gauge "sentinel_targets_unobservable" ["runner"] "Targets whose state cannot be observed, by what runs them.";
    UP: Gauge "sentinel_service_up" ["service"] "Whether the service is up; absent while that is unknown, or the service is stopped on purpose or in maintenance.";
    STATE: Gauge "sentinel_service_state" ["service", "state"] "The service's state; always 1.";
    ATTEMPTS_LEFT: Gauge "sentinel_service_attempts_left" ["service"] "Restarts left in the service's budget before the agent gives up.";
    INCIDENT_OPEN: Gauge "sentinel_service_incident_open_timestamp_seconds" ["service"] "When the service's open incident opened; absent without one.";
    PROBE_DURATION: Histogram "sentinel_probe_duration_seconds" ["service", "probe", "result"] "How long rounds of probes took, by result: passed, or the phase in which they failed. With more than 500 services there is no label service.";
    PROBES_SKIPPED: Counter "sentinel_probes_skipped_total" [] "Rounds of probes that the agent itself could not make.";
    INCIDENTS_OPEN: Gauge "sentinel_incidents_open" [] "Incidents that are open.";
    INCIDENTS: Counter "sentinel_incidents_total" ["cause"] "Incidents opened, by the kind of their cause.";
    INCIDENTS_CLOSED: Counter "sentinel_incidents_closed_total" ["resolution"] "Incidents closed, by how.";
    RESTARTS: Counter "sentinel_restarts_total" ["result"] "Restarts that the agent asked for, by what came of the request.";
    RESTART_VERDICTS: Counter "sentinel_restarts_judged_total" ["verdict"] "Restarts after which the service was observed, by whether they helped.";
    HOLDS: Counter "sentinel_holds_total" ["reason"] "Decisions not to restart, by reason.";
    GAVE_UP: Counter "sentinel_gave_up_total" [] "How often the budget of a service was spent and the agent gave up.";
    DETECTION_TO_RESTART: Histogram "sentinel_detection_to_restart_seconds" [] "From the first report that a service is down to the first restart for it.";
    RESTART_TO_HEALTHY: Histogram "sentinel_restart_to_healthy_seconds" [] "From a restart to the first observation that the service is healthy.";
    INCIDENT_DOWN: Histogram "sentinel_incident_down_seconds" [] "How long services were down, by closed incident.";
    RESTART_PROVED: Histogram "sentinel_restart_proved_seconds" [] "From the first failure to the proof that a restart helped, by incident that a restart healed.";
    NOTIFICATIONS: Counter "sentinel_notifications_total" ["kind"] "Messages that receivers are notified with, by kind.";
    NOTIFICATIONS_SUPPRESSED: Counter "sentinel_notifications_suppressed_total" ["reason"] "Messages that were not sent, by reason.";
    OUTBOX_MESSAGES: Gauge "sentinel_outbox_messages" ["receiver"] "Messages that wait to be delivered.";
    OUTBOX_OLDEST: Gauge "sentinel_outbox_oldest_seconds" ["receiver"] "Age of the oldest message that waits; 0 without one.";
    RECEIVER_FAILING: Gauge "sentinel_receiver_failing" ["receiver"] "Whether the receiver's circuit breaker is open.";
    DELIVERIES: Counter "sentinel_deliveries_total" ["receiver", "result"] "Attempts to deliver a message, by result.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" [] "CPU time that the agent used.";
    PROCESS_START: Gauge "process_start_time_seconds" [] "When the agent started.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" [] "Resident memory.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" [] "Virtual memory.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [] "Open file descriptors.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" [] "How many file descriptors may be open.";
}
