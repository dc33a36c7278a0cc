//! What a job for one unit does to others: foreseen, and as it really is.

use std::collections::BTreeMap;

use sentinel_engine::{ActionKind, ActionResult, BlastRadius};
use sentinel_systemd::MayAffect;

use super::{BOUND, Watch, run, sh};

/// Units around `hub.service`, by what their `[Unit]` section says.
const UNITS: &[(&str, &str)] = &[
    ("hub", ""),
    ("requires", "Requires=hub.service\nAfter=hub.service"),
    ("requisite", "Requisite=hub.service\nAfter=hub.service"),
    ("binding", "BindsTo=hub.service\nAfter=hub.service"),
    ("member", "PartOf=hub.service"),
    ("grandchild", "PartOf=member.service"),
    ("along", "StopPropagatedFrom=hub.service"),
    ("wants", "Wants=hub.service"),
    ("upholds", "Upholds=hub.service"),
    ("lonely", ""),
    ("rival", ""),
    ("rivals-child", "Requires=rival.service"),
    ("jealous", "Conflicts=rival.service"),
    ("needs-jealous", "Requires=jealous.service\nAfter=jealous.service"),
    ("shy", "Conflicts=rival.service"),
    ("wants-shy", "Wants=shy.service"),
    ("touchy", "PartOf=hub.service\nConflicts=rival.service"),
    ("looping", "PartOf=hub.service"),
    (
        "umbrella",
        "Wants=cluster@1.service cluster@2.service cluster@3.service",
    ),
    ("cluster@1", "PartOf=umbrella.service\nAfter=umbrella.service"),
    ("cluster@2", "PartOf=umbrella.service\nAfter=umbrella.service"),
    ("cluster@3", "PartOf=umbrella.service\nAfter=umbrella.service"),
];

/// A situation: what runs, what is done to which unit, and what that does to others.
struct Case {
    what: &'static str,
    running: &'static str,
    then: &'static str,
    act: (&'static str, ActionKind),
    restarts: &'static [&'static str],
    stops: &'static [&'static str],
    /// What was stopped on purpose and is started.
    starts: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "a restart restarts dependents that run, and theirs",
        running: "hub requires requisite binding member grandchild wants upholds lonely",
        then: "true",
        act: ("hub", ActionKind::Restart),
        restarts: &["binding", "grandchild", "member", "requires", "requisite"],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "dependents that do not run are left alone",
        running: "hub requires wants",
        then: "systemctl stop requires",
        act: ("hub", ActionKind::Restart),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "what hangs on a dependent that does not run is left alone",
        running: "hub member grandchild",
        then: "systemctl kill -s KILL member; sleep 0.1",
        act: ("hub", ActionKind::Restart),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "a start after a crash leaves dependents alone",
        running: "hub requires requisite binding member grandchild along wants",
        then: "systemctl kill -s KILL hub; sleep 0.1",
        act: ("hub", ActionKind::Start),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "a start stops what it conflicts with, and what requires that",
        running: "rival rivals-child lonely",
        then: "true",
        act: ("jealous", ActionKind::Start),
        restarts: &[],
        stops: &["rival", "rivals-child"],
        starts: &[],
    },
    Case {
        what: "what conflicts from the other side goes on",
        running: "jealous",
        then: "true",
        act: ("rival", ActionKind::Start),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "what it requires is started, and that stops a rival",
        running: "rival",
        then: "true",
        act: ("needs-jealous", ActionKind::Start),
        restarts: &[],
        stops: &["rival"],
        starts: &["jealous"],
    },
    Case {
        what: "what it only wants stops nothing",
        running: "rival",
        then: "true",
        act: ("wants-shy", ActionKind::Start),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "a rival beside a requirement that runs goes on",
        running: "needs-jealous",
        then: "systemctl start --job-mode=ignore-dependencies rival; systemctl kill -s KILL needs-jealous; sleep 0.1",
        act: ("needs-jealous", ActionKind::Start),
        restarts: &[],
        stops: &[],
        starts: &[],
    },
    Case {
        what: "a restarted dependent stops its rival",
        running: "hub touchy",
        then: "systemctl start --job-mode=ignore-dependencies rival",
        act: ("hub", ActionKind::Restart),
        restarts: &["touchy"],
        stops: &["rival"],
        starts: &[],
    },
    Case {
        what: "a restart of an umbrella starts the instances that were stopped, not only restarts those that run",
        running: "umbrella cluster@1 cluster@2",
        then: "systemctl stop cluster@2",
        act: ("umbrella", ActionKind::Restart),
        restarts: &["cluster@1", "cluster@3"],
        stops: &[],
        starts: &["cluster@2"],
    },
    Case {
        what: "a start of an umbrella starts what was stopped; what had failed was not",
        running: "umbrella cluster@1 cluster@2",
        then: "systemctl stop umbrella; systemctl start --job-mode=ignore-dependencies cluster@1; \
               systemctl kill -s KILL cluster@1; sleep 0.1",
        act: ("umbrella", ActionKind::Start),
        restarts: &[],
        stops: &[],
        starts: &["cluster@2", "cluster@3"],
    },
    Case {
        what: "a dependent that waits to be started again is restarted",
        running: "hub looping",
        then: "systemctl kill -s KILL looping; sleep 0.1",
        act: ("hub", ActionKind::Restart),
        restarts: &["looping"],
        stops: &[],
        starts: &[],
    },
];

/// State and run of every unit.
async fn picture() -> BTreeMap<String, (String, String)> {
    let mut picture = BTreeMap::new();
    for (unit, _) in UNITS {
        let reported = sh(&format!("systemctl show -P ActiveState -P InvocationID {unit}")).await;
        let (state, run) = reported.split_once('\n').unwrap_or((&reported, ""));
        picture.insert((*unit).to_owned(), (state.to_owned(), run.to_owned()));
    }
    picture
}

fn services(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name}.service")).collect()
}

impl Watch {
    async fn act_within(&self, unit: &str, kind: ActionKind, may_affect: MayAffect<'_>) -> ActionResult {
        self.systemd
            .restart(
                &format!("{unit}.service"),
                kind,
                None,
                may_affect,
                Some(BOUND),
                tokio::sync::oneshot::channel().0,
            )
            .await
    }
}

async fn write_units() {
    for (name, unit) in UNITS {
        let restart = match *name {
            "looping" => "Restart=always\nRestartSec=30",
            _ => "",
        };
        let text =
            format!("[Unit]\nStartLimitIntervalSec=0\n{unit}\n[Service]\nExecStart=/bin/sleep infinity\n{restart}\n");
        std::fs::write(format!("/etc/systemd/system/{name}.service"), text).expect("the file can be written");
    }
    sh("systemctl daemon-reload").await;
}

#[test]
#[ignore = "runs inside a test host"]
fn what_a_job_does_to_others_is_foreseen() {
    run(async {
        write_units().await;
        let watch = Watch::start(&["lonely"]).await;
        let all = UNITS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        for case in CASES {
            sh(&format!(
                "systemctl stop {all}; systemctl reset-failed {all}; systemctl start {}; {}",
                case.running, case.then
            ))
            .await;
            let before = picture().await;
            let (unit, kind) = case.act;
            let foreseen = BlastRadius {
                restarts: services(case.restarts),
                stops: services(case.stops),
                starts: services(case.starts),
                more: 0,
            };
            let narrow = foreseen == BlastRadius::default();
            if !narrow {
                let refused = watch.act_within(unit, kind, MayAffect::Only(&[])).await;
                assert_eq!(refused, ActionResult::TooWide(foreseen), "{}", case.what);
                assert_eq!(
                    picture().await,
                    before,
                    "{}: refused, and so nothing was done",
                    case.what
                );
            }
            // What really happens, when it is allowed.
            let allowed = services(&[case.restarts, case.stops, case.starts].concat());
            let done = watch.act_within(unit, kind, MayAffect::Only(&allowed)).await;
            assert_eq!(done, ActionResult::Done, "{}", case.what);
            let after = picture().await;
            let ran = |name: &&String| before[*name].0 == "active" || before[*name].0 == "activating";
            let others = || before.keys().filter(|name| *name != unit).filter(ran);
            let stopped: Vec<&String> = others().filter(|name| after[*name].0 == "inactive").collect();
            let restarted: Vec<&String> = others()
                .filter(|name| after[*name].0 == "active" && after[*name].1 != before[*name].1)
                .collect();
            assert_eq!(restarted, case.restarts, "{}", case.what);
            assert_eq!(stopped, case.stops, "{}", case.what);
            let started = |name: &&&str| after[**name].0 == "active" && before[**name].0 != "active";
            let started: Vec<&&str> = case.starts.iter().filter(started).collect();
            assert_eq!(started.len(), case.starts.len(), "{}", case.what);
        }
        // 252 leaves alone what 254 stops; that is never risked.
        sh(&format!("systemctl stop {all}; systemctl start hub along")).await;
        let refused = watch.act_within("hub", ActionKind::Restart, MayAffect::Only(&[])).await;
        let ActionResult::TooWide(radius) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(radius.stops, ["along.service"]);
    });
}
