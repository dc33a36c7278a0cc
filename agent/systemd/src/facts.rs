//! What PID 1 says of a unit: the few of its 400 properties that decide something.

use std::collections::HashMap;
use std::time::Duration;

use sentinel_engine::Limits;
use zbus::Variant;

use super::names::hex;

/// The state of a unit as systemd's own classes of unit agree on it. Their sub-states differ by type and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum ActiveState {
    /// It does not run.
    #[default]
    Inactive,
    /// It does not run, and it ended badly.
    Failed,
    /// It starts, or waits to be started again.
    Activating,
    /// It runs.
    Active,
    /// It runs and reads its configuration again, or refreshes.
    Reloading,
    /// It stops.
    Deactivating,
    /// A word that is not known here.
    Other,
}

impl ActiveState {
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "inactive" => Self::Inactive,
            "failed" => Self::Failed,
            "activating" => Self::Activating,
            "active" => Self::Active,
            "reloading" | "refreshing" => Self::Reloading,
            "deactivating" => Self::Deactivating,
            _ => Self::Other,
        }
    }

    /// Whether `word` is systemd's word for it.
    pub(super) fn is_called(self, word: &str) -> bool {
        self == Self::from_word(word)
    }

    /// Whether nothing of it runs and nothing of it is on its way.
    pub(super) fn is_down(self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }

    /// Whether it runs or is about to.
    pub(super) fn is_up(self) -> bool {
        matches!(self, Self::Active | Self::Activating | Self::Reloading)
    }
}

/// The unit's job: PID 1 is doing something with it, or is about to. None is 0.
pub(super) type JobId = u32;

/// Exit codes and signals, as in `RestartPreventExitStatus=`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct ExitSet {
    pub(super) codes: Vec<i32>,
    pub(super) signals: Vec<i32>,
}

/// The facts about one unit. Times are microseconds of `CLOCK_MONOTONIC`; 0 is never.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are PID 1's properties, not a state machine of ours"
)]
pub(super) struct Facts {
    /// The canonical name, under which its signals come.
    pub(super) id: String,
    /// `loaded`, `not-found`, `bad-setting`, `error`, `masked`, ...
    pub(super) load_state: String,
    /// Why it could not be loaded.
    pub(super) load_error: String,
    pub(super) active_state: ActiveState,
    /// Opaque but for a few words; new versions have new ones.
    pub(super) sub_state: String,
    /// The pending job, or 0.
    pub(super) job: JobId,
    /// The run, in hexadecimal; empty when it never ran or PID 1 forgot.
    pub(super) invocation: String,
    /// Frozen, or becoming so or not.
    pub(super) frozen: bool,
    pub(super) state_change: u64,
    pub(super) active_enter: u64,
    pub(super) active_exit: u64,
    pub(super) inactive_enter: u64,
    pub(super) inactive_exit: u64,
    pub(super) condition_result: bool,
    /// The conditions that are not met, as they stand in the unit file; PID 1 tells them only when it is asked.
    pub(super) conditions_not_met: Vec<String>,
    /// When conditions were last checked; before that the result means nothing.
    pub(super) condition_at: u64,
    pub(super) assert_result: bool,
    pub(super) assert_at: u64,
    /// What it cannot live without: `BindsTo=`, `Requires=`, `Requisite=`, `PartOf=`, `StopPropagatedFrom=`.
    pub(super) bound_to: Vec<String>,
    /// Those of them that have to run before it can be started.
    pub(super) needs: Vec<String>,
    /// What it cannot live beside, in either direction.
    pub(super) conflicts: Vec<String>,
    /// What starts it when it is started itself: `RequiredBy=`, `WantedBy=` and their like.
    pub(super) pulled_in_by: Vec<String>,
    /// How often `Restart=` has started it since it was last started by hand.
    pub(super) n_restarts: u32,
    /// Sockets, timers and paths that start it.
    pub(super) triggered_by: Vec<String>,
    /// How the last run ended: `success`, `exit-code`, `signal`, ...
    pub(super) result: String,
    /// `CLD_EXITED` 1, `CLD_KILLED` 2, `CLD_DUMPED` 3; 0 when the main process did not end.
    pub(super) exec_code: i32,
    /// The exit code or the signal.
    pub(super) exec_status: i32,
    /// When the main process started, and when it ended.
    pub(super) exec_main_start: u64,
    pub(super) exec_main_exit: u64,
    /// `LogNamespace=`; empty for the journal of the host.
    pub(super) log_namespace: String,
    /// `Restart=`.
    pub(super) restart: String,
    pub(super) restart_prevent: ExitSet,
    pub(super) restart_force: ExitSet,
    /// `Type=`.
    pub(super) service_type: String,
    pub(super) remain_after_exit: bool,
    /// `TimeoutStartSec=` and `TimeoutStopSec=` in microseconds; 0 is not known.
    pub(super) timeout_start: u64,
    pub(super) timeout_stop: u64,
}

/// Properties by name, of one interface or of all.
pub(super) type Properties<'m> = HashMap<&'m str, Variant<'m>>;

/// Where each kind of peer stands in the properties.
const BOUND_TO: [&str; 5] = ["BindsTo", "Requires", "Requisite", "PartOf", "StopPropagatedFrom"];
const NEEDS: [&str; 3] = ["BindsTo", "Requires", "Requisite"];
const PULLED_IN_BY: [&str; 5] = ["RequiredBy", "RequisiteOf", "WantedBy", "BoundBy", "UpheldBy"];
const CONFLICTS: [&str; 2] = ["Conflicts", "ConflictedBy"];

impl Facts {
    /// Takes over what `properties` says and leaves the rest. A property of an unexpected type is left out.
    pub(super) fn merge(&mut self, properties: &Properties<'_>) {
        let from = Source(properties);
        from.text("Id", &mut self.id);
        from.text("LoadState", &mut self.load_state);
        from.text("SubState", &mut self.sub_state);
        from.text("Result", &mut self.result);
        from.text("Restart", &mut self.restart);
        from.text("Type", &mut self.service_type);
        from.text("LogNamespace", &mut self.log_namespace);
        from.time("ExecMainStartTimestampMonotonic", &mut self.exec_main_start);
        from.time("ExecMainExitTimestampMonotonic", &mut self.exec_main_exit);
        from.time("StateChangeTimestampMonotonic", &mut self.state_change);
        from.time("ActiveEnterTimestampMonotonic", &mut self.active_enter);
        from.time("ActiveExitTimestampMonotonic", &mut self.active_exit);
        from.time("InactiveEnterTimestampMonotonic", &mut self.inactive_enter);
        from.time("InactiveExitTimestampMonotonic", &mut self.inactive_exit);
        from.time("TimeoutStartUSec", &mut self.timeout_start);
        from.time("TimeoutStopUSec", &mut self.timeout_stop);
        from.time("ConditionTimestampMonotonic", &mut self.condition_at);
        from.time("AssertTimestampMonotonic", &mut self.assert_at);
        from.flag("ConditionResult", &mut self.condition_result);
        from.conditions(&mut self.conditions_not_met);
        from.flag("AssertResult", &mut self.assert_result);
        from.flag("RemainAfterExit", &mut self.remain_after_exit);
        from.number("ExecMainCode", &mut self.exec_code);
        from.number("ExecMainStatus", &mut self.exec_status);
        from.exits("RestartPreventExitStatus", &mut self.restart_prevent);
        from.exits("RestartForceExitStatus", &mut self.restart_force);
        from.names(&BOUND_TO, &mut self.bound_to);
        from.names(&NEEDS, &mut self.needs);
        from.names(&CONFLICTS, &mut self.conflicts);
        from.names(&PULLED_IN_BY, &mut self.pulled_in_by);
        from.names(&["TriggeredBy"], &mut self.triggered_by);
        if let Some(Variant::Str(word)) = properties.get("ActiveState") {
            self.active_state = ActiveState::from_word(word);
        }
        if let Some(Variant::U32(count)) = properties.get("NRestarts") {
            self.n_restarts = *count;
        }
        if let Some(Variant::Str(word)) = properties.get("FreezerState") {
            self.frozen = !matches!(word.as_str(), "" | "running");
        }
        if let Some(Variant::Structure(job)) = properties.get("Job")
            && let Some(Variant::U32(id)) = job.fields().first()
        {
            self.job = *id;
        }
        if let Some(Variant::Structure(error)) = properties.get("LoadError")
            && let Some(Variant::Str(text)) = error.fields().get(1)
        {
            text.as_str().clone_into(&mut self.load_error);
        }
        if let Some(Variant::Array(bytes)) = properties.get("InvocationID") {
            self.invocation = hex(&elements(bytes.inner(), |byte| match byte {
                Variant::U8(byte) => Some(*byte),
                _ => None,
            }));
        }
    }

    /// A service that ends when its work is done.
    pub(super) fn is_plain_oneshot(&self) -> bool {
        self.service_type == "oneshot" && !self.remain_after_exit
    }

    /// How long it may take to start and to stop.
    pub(super) fn limits(&self) -> Limits {
        let limit = |micros: u64| (!matches!(micros, 0 | u64::MAX)).then(|| Duration::from_micros(micros));
        Limits {
            start: limit(self.timeout_start),
            stop: limit(self.timeout_stop),
        }
    }

    /// Whether a start was called off because conditions were not met.
    pub(super) fn condition_failed(&self) -> bool {
        (self.condition_at > 0 && !self.condition_result) || self.result == "exec-condition"
    }

    /// Which condition kept a start from doing anything.
    pub(super) fn condition_in_words(&self) -> String {
        match self.conditions_not_met.as_slice() {
            [] if self.result == "exec-condition" => "ExecCondition= is not met".to_owned(),
            [] => "a Condition...= of the unit is not met".to_owned(),
            [one] => format!("{one} is not met"),
            several => format!("{} are not met", several.join(", ")),
        }
    }

    /// Whether a start was refused because an assertion was not met.
    pub(super) fn assert_failed(&self) -> bool {
        self.assert_at > 0 && !self.assert_result
    }
}

/// Reads properties of an expected type.
pub(super) struct Source<'a, 'm>(pub(super) &'a Properties<'m>);

impl Source<'_, '_> {
    fn text(&self, name: &str, to: &mut String) {
        if let Some(Variant::Str(text)) = self.0.get(name) {
            text.as_str().clone_into(to);
        }
    }

    fn time(&self, name: &str, to: &mut u64) {
        if let Some(Variant::U64(time)) = self.0.get(name) {
            *to = *time;
        }
    }

    fn flag(&self, name: &str, to: &mut bool) {
        if let Some(Variant::Bool(flag)) = self.0.get(name) {
            *to = *flag;
        }
    }

    fn number(&self, name: &str, to: &mut i32) {
        if let Some(Variant::I32(number)) = self.0.get(name) {
            *to = *number;
        }
    }

    /// Those of `Conditions` that failed: type, `|`, `!`, parameter, and what came of it, which is negative.
    fn conditions(&self, to: &mut Vec<String>) {
        let Some(Variant::Array(all)) = self.0.get("Conditions") else {
            return;
        };
        *to = elements(all.inner(), |condition| {
            let Variant::Structure(condition) = condition else {
                return None;
            };
            match condition.fields() {
                [
                    Variant::Str(kind),
                    Variant::Bool(trigger),
                    Variant::Bool(negate),
                    Variant::Str(parameter),
                    Variant::I32(result),
                ] if *result < 0 => {
                    let trigger = if *trigger { "|" } else { "" };
                    let negate = if *negate { "!" } else { "" };
                    Some(format!("{}={trigger}{negate}{}", kind.as_str(), parameter.as_str()))
                }
                _ => None,
            }
        });
    }

    fn exits(&self, name: &str, to: &mut ExitSet) {
        if let Some(Variant::Structure(sets)) = self.0.get(name) {
            let numbers = |index: usize| match sets.fields().get(index) {
                Some(Variant::Array(array)) => elements(array.inner(), |element| match element {
                    Variant::I32(number) => Some(*number),
                    _ => None,
                }),
                _ => Vec::new(),
            };
            *to = ExitSet {
                codes: numbers(0),
                signals: numbers(1),
            };
        }
    }

    /// The names in all of `lists`, if any of them is there.
    pub(super) fn names(&self, lists: &[&str], to: &mut Vec<String>) {
        if !lists.iter().any(|list| self.0.contains_key(list)) {
            return;
        }
        to.clear();
        for list in lists {
            if let Some(Variant::Array(array)) = self.0.get(list) {
                to.extend(elements(array.inner(), |element| match element {
                    Variant::Str(name) => Some(name.as_str().to_owned()),
                    _ => None,
                }));
            }
        }
        to.sort_unstable();
        to.dedup();
    }
}

fn elements<T>(array: &[Variant<'_>], element: impl Fn(&Variant<'_>) -> Option<T>) -> Vec<T> {
    array.iter().filter_map(element).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_changes_what_it_names_and_nothing_else() {
        let mut facts = Facts {
            restart: "on-failure".into(),
            load_state: "loaded".into(),
            ..Facts::default()
        };
        facts.merge(&Properties::from([
            ("ActiveState", Variant::from("failed")),
            ("Job", Variant::from((7_u32, "/org/freedesktop/systemd1/job/7"))),
            ("InvocationID", Variant::from(vec![0xa2_u8, 0x05])),
            ("ExecMainStatus", Variant::from(9_i32)),
            ("StateChangeTimestampMonotonic", Variant::from(12_u64)),
        ]));
        assert_eq!(
            facts,
            Facts {
                active_state: ActiveState::Failed,
                job: 7,
                invocation: "a205".into(),
                exec_status: 9,
                state_change: 12,
                restart: "on-failure".into(),
                load_state: "loaded".into(),
                ..Facts::default()
            }
        );
    }

    #[test]
    fn an_infinite_timeout_is_no_limit() {
        let limits = |start: u64, stop: u64| {
            let mut facts = Facts::default();
            facts.merge(&Properties::from([
                ("TimeoutStartUSec", Variant::from(start)),
                ("TimeoutStopUSec", Variant::from(stop)),
            ]));
            facts.limits()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let set = limits(75_000_000, 20_000_000);
        assert_eq!((set.start, set.stop), (seconds(75), seconds(20)));
        assert_eq!(limits(u64::MAX, u64::MAX), Limits::default());
        assert_eq!(limits(u64::MAX, 1_000_000).start_or_usual(), Limits::USUAL);
    }

    #[test]
    fn the_conditions_that_are_not_met_are_named() {
        let condition = |kind: &str, negate: bool, parameter: &str, result: i32| {
            (kind.to_owned(), false, negate, parameter.to_owned(), result)
        };
        let words = |conditions: Vec<(String, bool, bool, String, i32)>| {
            let mut facts = Facts::default();
            facts.merge(&Properties::from([("Conditions", Variant::from(conditions))]));
            facts.condition_in_words()
        };
        let (path, user) = ("ConditionPathExists", "ConditionUser");
        assert_eq!(
            words(vec![condition(path, false, "/a", 1)]),
            "a Condition...= of the unit is not met"
        );
        assert_eq!(
            words(vec![condition(path, false, "/a", 1), condition(path, false, "/x", -1)]),
            "ConditionPathExists=/x is not met"
        );
        assert_eq!(
            words(vec![condition(path, true, "/x", -1), condition(user, false, "a", -1)]),
            "ConditionPathExists=!/x, ConditionUser=a are not met"
        );
    }

    #[test]
    fn values_of_an_unexpected_type_are_left_out() {
        let mut facts = Facts::default();
        facts.merge(&Properties::from([
            ("ActiveState", Variant::from(3_u32)),
            ("Job", Variant::from("none")),
            ("InvocationID", Variant::from(vec!["a", "b"])),
            ("ExecMainStatus", Variant::from(9_u64)),
            ("Requires", Variant::from(true)),
            ("RestartPreventExitStatus", Variant::from((1_u32, 2_u32))),
        ]));
        assert_eq!(facts, Facts::default());
    }
}
