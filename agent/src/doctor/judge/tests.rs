mod access;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sentinel_config::discovery::Source;
use sentinel_docker::Answers;
use sentinel_store::{Inspection, StoreError};
use sentinel_systemd::{Survey, SurveyError};

use super::super::error::FactError;
use super::super::facts::{
    AgentFacts, ClockFacts, ConfigFacts, ConfigProblem, DockerFacts, Facts, RuleFacts, SecretsFacts, StoreFacts,
};
use super::{Level, judge};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A host on which nothing is wrong.
fn well() -> Facts {
    Facts {
        user: "sentinel".to_owned(),
        is_root: false,
        not_judged: None,
        config: ConfigFacts {
            units: names(&["a.service"]),
            healed: names(&["a.service"]),
            services: 1,
            receivers: vec!["team".to_owned()],
            ..ConfigFacts::default()
        },
        secrets: Some(SecretsFacts {
            group: "sentinel-secrets".to_owned(),
            mode: 0o42750,
            own_rule: None,
        }),
        survey: Ok(Survey {
            version: Ok("252".to_owned()),
            subscribed: Ok(()),
            unusable: Vec::new(),
            polkit: Ok("122".to_owned()),
            synchronised: Some(true),
        }),
        rule: RuleFacts::Same,
        denied: Ok(BTreeMap::new()),
        denied_triggers: Ok(BTreeMap::new()),
        beyond: Some(false),
        journal: Ok(true),
        docker: DockerFacts::default(),
        clock: ClockFacts::default(),
        store: Ok(StoreFacts {
            directory: "/var/lib/sentinel".to_owned(),
            exists: true,
            writable: true,
            free: Some(1 << 30),
            store: Ok(Some(Inspection {
                schema: 5,
                known: 4,
                anchor: None,
            })),
        }),
        agent: Ok(AgentFacts {
            version: crate::version::VERSION.to_owned(),
            services: 1,
            configured: 1,
            ..AgentFacts::default()
        }),
    }
}

#[test]
fn a_host_that_is_well_has_nothing_to_fix() {
    let findings = judge(&well());
    assert!(
        findings.iter().all(|finding| finding.level == Level::Ok),
        "{findings:#?}"
    );
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        [
            "user",
            "configuration",
            "receivers",
            "secrets",
            "agent",
            "store",
            "bus",
            "systemd",
            "units",
            "polkit",
            "rule",
            "restart",
            "journal",
            "docker",
            "clock"
        ]
    );
}

/// Changes one thing about a host that is well, and names the findings that are not `ok`, with their level and a word of
/// their text and of their fix.
type Row = (
    &'static str,
    fn(&mut Facts),
    &'static [(&'static str, Level, &'static str, &'static str)],
);

fn survey(facts: &mut Facts) -> &mut Survey {
    facts.survey.as_mut().expect("it is there")
}

fn store(facts: &mut Facts) -> &mut StoreFacts {
    facts.store.as_mut().expect("it is there")
}

fn secrets(facts: &mut Facts) -> &mut SecretsFacts {
    facts.secrets.as_mut().expect("it is there")
}

fn agent(facts: &mut Facts) -> &mut AgentFacts {
    facts.agent.as_mut().expect("it is there")
}

fn wrong() -> String {
    "because".to_owned()
}

fn unanswered() -> SurveyError {
    SurveyError::Call(zbus::Error::Failure(wrong()))
}

fn unknown() -> FactError {
    unanswered().into()
}

/// Each row changes one thing, and no finding is wrong but those that it names.
fn each_is_found(rows: &[Row]) {
    for (what, change, expected) in rows {
        let mut facts = well();
        change(&mut facts);
        let findings = judge(&facts);
        let bad: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Ok).collect();
        assert_eq!(bad.len(), expected.len(), "{what}: {bad:#?}");
        for (finding, (check, level, text, fix)) in bad.iter().zip(*expected) {
            assert_eq!((finding.check, finding.level), (*check, *level), "{what}");
            assert!(finding.text.contains(text), "{what}: {finding:?}");
            assert!(
                finding.fix.as_ref().is_some_and(|words| words.contains(fix)),
                "{what}: {finding:?}"
            );
        }
    }
}
