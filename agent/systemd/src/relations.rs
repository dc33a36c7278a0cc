//! What systemd does to other units when it starts, restarts or stops one.
//!
//! Sentinel makes its jobs with mode `fail`. Measured on systemd 252 and read in `transaction.c` and
//! `unit-dependency-atom.c`, each row by a test in `tests/in_container/blast.rs`:
//!
//! | job | and with it |
//! | --- | --- |
//! | restart of X | what runs of `RequiredBy`, `RequisiteOf`, `BoundBy`, `ConsistsOf` is restarted, and so on from there |
//! | | what runs of `PropagatesStopTo` is stopped (since 254; 252 leaves it alone) |
//! | start or restart of X | what runs of `Conflicts` is stopped |
//! | | what does not run of `Requires`, `BindsTo`, `Wants` is started, and so on from there |
//! | stop of X | what runs of `RequiredBy`, `RequisiteOf`, `BoundBy`, `ConsistsOf`, `PropagatesStopTo` is stopped, and so on |
//!
//! A start leaves dependents alone, whether or not they run: those that a crash took down (`BoundBy`,
//! `PropagatesStopTo`) stay down. Mode `fail` drops every job that nobody needs and that would stop something that
//! runs, so `ConflictedBy` stops nothing, and neither does what is only pulled in by `Wants`; it is started all the same, also when
//! an operator had stopped it. "Runs" includes what is
//! about to be started again.

use super::attribution::SHUTDOWN_TARGET;
use super::facts::{ActiveState, Properties, Source};

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    Start,
    /// A start that stops nothing.
    Want,
    Restart,
    Stop,
}

impl Effect {
    /// Whether it changes anything about a unit in this state.
    pub(super) fn applies(self, state: ActiveState) -> bool {
        match self {
            Self::Start | Self::Want => state.is_down(),
            // A word that is not known here may mean that it runs.
            Self::Restart | Self::Stop => state.is_up() || state == ActiveState::Other,
        }
    }
}

/// A unit's relations to others, as far as they carry jobs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Relations {
    /// Every name the unit goes by.
    pub(super) names: Vec<String>,
    needs: Vec<String>,
    wants: Vec<String>,
    dependents: Vec<String>,
    stopped_along: Vec<String>,
    conflicts: Vec<String>,
}

impl Relations {
    pub(super) fn of(properties: &Properties<'_>) -> Self {
        let mut relations = Self::default();
        let from = Source(properties);
        from.names(&["Names"], &mut relations.names);
        from.names(&["Requires", "BindsTo"], &mut relations.needs);
        from.names(&["Wants"], &mut relations.wants);
        let dependents = ["RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"];
        from.names(&dependents, &mut relations.dependents);
        from.names(&["PropagatesStopTo"], &mut relations.stopped_along);
        from.names(&["Conflicts"], &mut relations.conflicts);
        // It conflicts with everything. When it is about to come up there are no jobs to be had anyway.
        relations.conflicts.retain(|name| name != SHUTDOWN_TARGET);
        relations
    }

    /// What `effect` on this unit does to others, should they be in a state to which that applies.
    pub(super) fn consequences(&self, effect: Effect) -> Vec<(&str, Effect)> {
        use Effect::{Restart, Start, Stop, Want};
        let carried: &[(&[String], Effect)] = match effect {
            Start => &[(&self.needs, Start), (&self.wants, Want), (&self.conflicts, Stop)],
            Want => &[(&self.needs, Want), (&self.wants, Want)],
            Restart => &[
                (&self.needs, Start),
                (&self.wants, Want),
                (&self.dependents, Restart),
                (&self.stopped_along, Stop),
                (&self.conflicts, Stop),
            ],
            Stop => &[(&self.dependents, Stop), (&self.stopped_along, Stop)],
        };
        carried
            .iter()
            .flat_map(|(names, effect)| names.iter().map(|name| (name.as_str(), *effect)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use zbus::Variant;

    use super::*;

    #[test]
    fn jobs_are_carried_on_as_systemd_does() {
        use Effect::{Restart, Start, Stop, Want};
        let names = |names: &[&'static str]| Variant::from(names.to_vec());
        let relations = Relations::of(&Properties::from([
            ("Requires", names(&["needed"])),
            ("BindsTo", names(&["bound"])),
            ("Wants", names(&["wanted"])),
            ("RequiredBy", names(&["requires"])),
            ("RequisiteOf", names(&["requisite"])),
            ("BoundBy", names(&["binds"])),
            ("ConsistsOf", names(&["part"])),
            ("WantedBy", names(&["wants"])),
            ("PropagatesStopTo", names(&["along"])),
            ("Conflicts", names(&["rival", SHUTDOWN_TARGET])),
            ("ConflictedBy", names(&["hater"])),
        ]));
        let dependents = |effect| ["binds", "part", "requires", "requisite"].map(|name| (name, effect));
        let needs = [("bound", Start), ("needed", Start), ("wanted", Want)];
        assert_eq!(
            relations.consequences(Start),
            [&needs[..], &[("rival", Stop)]].concat(),
            "a start leaves dependents alone"
        );
        assert_eq!(
            relations.consequences(Restart),
            [&needs[..], &dependents(Restart), &[("along", Stop), ("rival", Stop)]].concat()
        );
        assert_eq!(
            relations.consequences(Want),
            needs.map(|(name, _)| (name, Want)),
            "what is only wanted stops nothing"
        );
        assert_eq!(
            relations.consequences(Stop),
            [&dependents(Stop)[..], &[("along", Stop)]].concat()
        );
    }

    #[test]
    fn what_does_not_run_is_not_hurt() {
        use ActiveState::{Activating, Active, Deactivating, Failed, Inactive, Other, Reloading};
        for (state, start, hurt) in [
            (Active, false, true),
            (Reloading, false, true),
            (Activating, false, true),
            (Other, false, true),
            (Deactivating, false, false),
            (Inactive, true, false),
            (Failed, true, false),
        ] {
            assert_eq!(Effect::Start.applies(state), start, "{state:?}");
            assert_eq!(Effect::Restart.applies(state), hurt, "{state:?}");
            assert_eq!(Effect::Stop.applies(state), hurt, "{state:?}");
        }
    }
}
