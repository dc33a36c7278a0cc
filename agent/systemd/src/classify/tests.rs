mod intents;
mod others;
mod states;

use super::super::attribution::Peer;
use super::super::facts::ExitSet;
use super::super::tracker::FinishedJob;
use super::*;

const WORLD: World<'static> = World {
    now: 5_000_000,
    host_stopping: false,
    own_job: false,
    jobs: &Jobs::new(),
};

fn facts(state: ActiveState) -> Facts {
    Facts {
        id: "a.service".into(),
        load_state: "loaded".into(),
        active_state: state,
        result: "success".into(),
        restart: "no".into(),
        service_type: "simple".into(),
        condition_at: 1,
        condition_result: true,
        assert_at: 1,
        assert_result: true,
        active_enter: 2_000_000,
        restart_prevent: ExitSet::default(),
        ..Facts::default()
    }
}

fn seen(facts: Facts) -> Tracker {
    Tracker {
        facts,
        run: Some("01".into()),
        peers: Some(Vec::new()),
        ..Tracker::default()
    }
}

fn with_jobs(mut tracker: Tracker, jobs: &[(bool, &str, ActiveState)]) -> Tracker {
    tracker.jobs = (1..)
        .zip(jobs)
        .map(|(id, (own, result, state))| FinishedJob {
            id,
            own: *own,
            result: (*result).into(),
            state: *state,
            called_off: false,
        })
        .collect();
    tracker
}

fn state(tracker: &Tracker, world: World) -> TargetState {
    match classify(&mut tracker.clone(), world) {
        Verdict::Seen(observation) => observation.state,
        question => panic!("{question:?}"),
    }
}

fn intent(tracker: &Tracker) -> Intent {
    match state(tracker, WORLD) {
        TargetState::Down { intent, .. } => intent,
        other => panic!("{other:?}"),
    }
}

fn killed() -> Facts {
    Facts {
        result: "signal".into(),
        exec_code: 2,
        exec_status: 9,
        ..facts(ActiveState::Failed)
    }
}
