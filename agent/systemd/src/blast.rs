//! The blast radius of an action: which units that run it would restart or stop beside the one it is for.
//!
//! It is found out right before the act, from what PID 1 says at that moment, and not when the unit goes down: what
//! runs changes with every minute of an outage, and a healthy unit costs nothing. What starts to run between the answer
//! and the job, a millisecond later, is not protected.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_engine::{ActionKind, ActionResult, BlastRadius};

use super::facts::{ActiveState, Facts};
use super::journal::{Past, past_of};
use super::message::{CallError, UNIT};
use super::relations::{Effect, Relations};
use super::requests::Systemd;

/// Units looked at for one action. Hosts have some 300; a closure that is larger is an isolation, not a restart.
const UNITS_MAX: usize = 512;

/// Units read at once: PID 1 answers one after the other anyway.
const READS_AT_ONCE: usize = 16;

/// PID 1 answers in a millisecond, but not while it reloads. Whoever has to wait longer asks again later.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// Units that are down and would be started, looked up in the journal for one action. What is pulled in by a service and does
/// not run is a handful; of more it is not asked who stopped them.
const LOOKED_UP_MAX: usize = 16;

/// Units named in a refusal. More would only hide the first.
const NAMED_MAX: usize = 16;

/// Which other units an action may restart or stop.
#[derive(Clone, Copy, Debug)]
pub enum MayAffect<'a> {
    /// Every one, without looking: an operator asked for it, as with `systemctl restart`.
    Anything,
    /// Those whose name matches one of these patterns, in which `*` stands for any text and `?` for one character.
    Only(&'a [String]),
}

impl MayAffect<'_> {
    pub(super) fn is_operator(self) -> bool {
        matches!(self, Self::Anything)
    }

    fn is_anything(self) -> bool {
        match self {
            Self::Anything => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern == "*"),
        }
    }

    fn allows(self, names: &[String]) -> bool {
        match self {
            Self::Anything => true,
            Self::Only(patterns) => {
                let allowed = |name: &String| patterns.iter().any(|pattern| matches(pattern, name));
                names.iter().any(allowed)
            }
        }
    }
}

/// A unit that would be restarted or stopped, by all its names, the canonical one first.
type Affected = (Effect, Vec<String>);

impl Systemd {
    /// Answers an error unless `kind` on the unit with these relations leaves alone what `may_affect` does not allow. What
    /// `triggers` it and was stopped is never started with it, unless an operator asks for all that.
    pub(super) async fn look_around(
        &self,
        unit: &Relations,
        triggers: &[String],
        kind: ActionKind,
        may_affect: MayAffect<'_>,
    ) -> Result<(), ActionResult> {
        let effect = match kind {
            ActionKind::Start => Effect::Start,
            ActionKind::Restart => Effect::Restart,
            // Nothing is done to the unit itself.
            ActionKind::StartTrigger => return Ok(()),
        };
        // Whatever is allowed, what triggers it and was stopped is left so.
        if may_affect.is_operator() || (may_affect.is_anything() && triggers.is_empty()) {
            return Ok(());
        }
        self.look_around_effect(unit, triggers, effect, may_affect).await
    }

    /// The same for an effect on the unit with these relations.
    pub(super) async fn look_around_effect(
        &self,
        unit: &Relations,
        triggers: &[String],
        effect: Effect,
        may_affect: MayAffect<'_>,
    ) -> Result<(), ActionResult> {
        let affected = tokio::time::timeout(FOUND_WITHIN, self.affected(unit, effect));
        let unknown = "what else would be restarted or stopped could not be found out";
        match affected.await {
            Ok(Ok((affected, complete))) => judge(&affected, triggers, complete, may_affect),
            Ok(Err(error)) => Err(ActionResult::Outdated(format!("{unknown}: {error}"))),
            Err(_elapsed) => Err(ActionResult::Outdated(format!("{unknown} in time"))),
        }
    }

    /// The units that `effect` would restart or stop, and whether these are all.
    async fn affected(&self, unit: &Relations, effect: Effect) -> Result<(Vec<Affected>, bool), CallError> {
        let (mut affected, mut started) = (Vec::new(), Vec::new());
        let mut seen: BTreeSet<(String, Effect)> = BTreeSet::new();
        let mut next = vec![(effect, unit.clone())];
        while !next.is_empty() {
            let mut asked: Vec<(String, Effect)> = Vec::new();
            for (effect, relations) in &next {
                for (name, effect) in relations.consequences(*effect) {
                    let consequence = (name.to_owned(), effect);
                    if !unit.names.contains(&consequence.0) && seen.insert(consequence.clone()) {
                        asked.push(consequence);
                    }
                }
            }
            if seen.len() > UNITS_MAX {
                return Ok((affected, false));
            }
            next = Vec::new();
            for reached in self.reached(asked).await? {
                match reached.effect {
                    Effect::Start | Effect::Want => started.push((reached.relations.names.clone(), reached.facts)),
                    effect => affected.push((effect, reached.relations.names.clone())),
                }
                next.push((reached.effect, reached.relations));
            }
        }
        let stopped = stopped_before(started).await;
        affected.extend(stopped.into_iter().map(|names| (Effect::Start, names)));
        Ok((affected, true))
    }

    /// Those of these units to which the effect applies, with their relations.
    async fn reached(&self, asked: Vec<(String, Effect)>) -> Result<Vec<Reached>, CallError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let names: BTreeSet<&String> = asked.iter().map(|(name, _)| name).collect();
        let states = self.states(names.into_iter().cloned().collect()).await?.get().await?;
        let applies = |(name, effect): &(String, Effect)| {
            let state = states.iter().find(|row| row.id == *name);
            state.is_some_and(|row| effect.applies(ActiveState::from_word(&row.active_state)))
        };
        let asked: Vec<(String, Effect)> = asked.into_iter().filter(applies).collect();
        let mut reached = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(READS_AT_ONCE) {
            let mut answers = Vec::with_capacity(chunk.len());
            for (name, _) in chunk {
                answers.push(self.read(name, UNIT).await?);
            }
            for ((name, effect), answer) in chunk.iter().zip(answers) {
                let view = answer.get().await?;
                let mut relations = view.relations;
                relations.names.retain(|other| other != name);
                relations.names.insert(0, name.clone());
                reached.push(Reached {
                    effect: *effect,
                    relations,
                    facts: view.facts,
                });
            }
        }
        Ok(reached)
    }
}

/// A unit that would be started, restarted or stopped.
struct Reached {
    effect: Effect,
    relations: Relations,
    facts: Facts,
}

/// Those of these units, which are down and would be started, that an operator had stopped: to start them is to undo that.
async fn stopped_before(started: Vec<(Vec<String>, Facts)>) -> Vec<Vec<String>> {
    let may_have_run = started
        .into_iter()
        // PID 1 forgets a unit that it unloads, also that it ran.
        .filter(|(_, facts)| facts.active_enter != 0 || facts.state_change == 0);
    let mut asked = tokio::task::JoinSet::new();
    for (names, facts) in may_have_run.take(LOOKED_UP_MAX) {
        let unit = names.first().cloned().unwrap_or_default();
        asked.spawn(async move {
            let past = past_of(unit, facts.state_change).await;
            undoes_a_stop(&facts, &past).then_some(names)
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

/// Whether a start of a unit that is down undoes a stop by a job. In doubt what failed was not stopped, and what is inactive
/// was: it is reported then, and what `may_affect` names is started.
fn undoes_a_stop(facts: &Facts, past: &Past) -> bool {
    match past {
        Past::Stopped => true,
        Past::Crashed(_) | Past::Exited | Past::Dependency => false,
        Past::Unknown => facts.active_enter != 0 && facts.active_state == ActiveState::Inactive,
    }
}

fn judge(
    affected: &[Affected],
    triggers: &[String],
    complete: bool,
    may_affect: MayAffect<'_>,
) -> Result<(), ActionResult> {
    let is_trigger = |names: &Vec<String>| names.iter().any(|name| triggers.contains(name));
    let stopped = affected
        .iter()
        .filter(|(effect, names)| matches!(effect, Effect::Start | Effect::Want) && is_trigger(names))
        .filter_map(|(_, names)| names.first().map(String::as_str));
    let stopped: Vec<&str> = stopped.take(NAMED_MAX).collect();
    if let Some(first) = stopped.first() {
        let names = stopped.join("`, `");
        return Err(ActionResult::Refused(format!(
            "`{names}`, which triggers it, was stopped on purpose and would be started with it; `systemctl start {first}` \
             ends that"
        )));
    }
    let complete = complete || may_affect.is_anything();
    let mut radius = BlastRadius::default();
    let mut others: Vec<&str> = Vec::new();
    for (effect, names) in affected {
        let name = names.first().map_or("", String::as_str);
        if may_affect.allows(names) {
            others.push(name);
        } else if radius.restarts.len() + radius.stops.len() + radius.starts.len() == NAMED_MAX {
            radius.more += 1;
        } else {
            let named = match effect {
                Effect::Start | Effect::Want => &mut radius.starts,
                Effect::Restart => &mut radius.restarts,
                Effect::Stop => &mut radius.stops,
            };
            named.push(name.to_owned());
        }
    }
    if !complete {
        radius.more += 1;
    }
    if radius != BlastRadius::default() {
        radius.restarts.sort_unstable();
        radius.stops.sort_unstable();
        radius.starts.sort_unstable();
        return Err(ActionResult::TooWide(radius));
    }
    if !others.is_empty() {
        let others = others.join(" ");
        tracing::info!(
            others,
            "Other units are restarted, stopped or started along, as is allowed"
        );
    }
    Ok(())
}

/// Whether `text` is what `pattern` says: `*` is any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    // Where the last star stood, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    in_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_of_what_an_operator_stopped_is_reported_and_other_starts_are_not() {
        use ActiveState::{Failed, Inactive};
        let down = |state, active_enter| Facts {
            active_state: state,
            active_enter,
            ..Facts::default()
        };
        for (state, ran, past, expected) in [
            (Inactive, 1, Past::Stopped, true),
            // A stop may end so.
            (Failed, 1, Past::Stopped, true),
            // PID 1 has unloaded it since.
            (Inactive, 0, Past::Stopped, true),
            (Inactive, 1, Past::Exited, false),
            (Failed, 1, Past::Crashed(None), false),
            // The journal may not be read.
            (Inactive, 1, Past::Unknown, true),
            (Failed, 1, Past::Unknown, false),
            (Inactive, 0, Past::Unknown, false),
        ] {
            assert_eq!(
                undoes_a_stop(&down(state, ran), &past),
                expected,
                "{state:?} {ran} {past:?}"
            );
        }
    }

    fn unit(effect: Effect, names: &[&str]) -> Affected {
        (effect, names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let affected = [
            unit(Effect::Restart, &["worker-2.service"]),
            unit(Effect::Restart, &["app.service", "shop.service"]),
            unit(Effect::Stop, &["rival.service"]),
            unit(Effect::Start, &["other@1.service"]),
        ];
        for (patterns, words) in [
            (
                &[][..],
                Some(
                    "restart `app.service`, `worker-2.service`, and stop `rival.service`, and start what was stopped on \
                     purpose, `other@1.service`",
                ),
            ),
            (&["worker-*.service", "r*", "other@*"], Some("restart `app.service`")),
            (
                &["worker-?.service", "shop.service", "rival.service", "other@1.service"],
                None,
            ),
            (&["*"], None),
        ] {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            let judged = judge(&affected, &[], true, MayAffect::Only(&patterns));
            let reported = judged.err().map(|result| match result {
                ActionResult::TooWide(radius) => radius.to_string(),
                other => panic!("{other:?}"),
            });
            let words = words.map(|words| format!("it would {words}"));
            assert_eq!(reported, words, "{patterns:?}");
        }
    }

    /// SEMANTICS 1.8, row 20.
    #[test]
    fn what_triggers_a_unit_and_was_stopped_is_not_started_through_it_whatever_is_allowed() {
        let affected = [
            unit(Effect::Start, &["shop.socket"]),
            unit(Effect::Start, &["db.service"]),
        ];
        let all = ["*".to_owned()];
        let judged = |triggers: &[String]| judge(&affected, triggers, true, MayAffect::Only(&all));
        assert_eq!(judged(&[]), Ok(()));
        let Err(ActionResult::Refused(why)) = judged(&["shop.socket".to_owned()]) else {
            panic!("refused");
        };
        assert!(
            why.starts_with("`shop.socket`, which triggers it, was stopped on purpose"),
            "{why}"
        );
        assert!(judged(&["shop.timer".to_owned()]).is_ok());
    }

    #[test]
    fn a_radius_that_was_not_measured_to_its_end_is_too_wide() {
        assert!(judge(&[], &[], true, MayAffect::Only(&[])).is_ok());
        assert!(judge(&[], &[], false, MayAffect::Only(&["a*".to_owned()])).is_err());
    }

    #[test]
    fn long_lists_are_cut() {
        let affected: Vec<Affected> = (0..40)
            .map(|number| unit(Effect::Stop, &[&number.to_string()]))
            .collect();
        let Err(ActionResult::TooWide(radius)) = judge(&affected, &[], true, MayAffect::Only(&[])) else {
            panic!("too wide");
        };
        assert_eq!((radius.stops.len(), radius.more), (NAMED_MAX, 40 - NAMED_MAX));
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("a.service", "a.service", true),
            ("a.service", "b.service", false),
            ("worker-*.service", "worker-1.service", true),
            ("worker-*.service", "worker-.service", true),
            ("worker-*.service", "worker.service", false),
            ("*", "", true),
            ("*.service", "a.service.service", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("?", "", false),
            ("??", "ab", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        // Grows with the product of the lengths, not with the number of stars.
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)));
    }
}
