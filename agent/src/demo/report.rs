//! The closing table and the verdict. Pure.

use std::time::Duration;

use sentinel_text::Table;
use sentinel_text::span_secs;
use sentinel_text::{Paint, Tone};

use super::fault::{FAULTS, Fault};
use super::settings::QUICK;

/// What operators must have been told of every fault.
const EXPECTED: [&str; 2] = ["fired", "resolved"];

/// What became of a fault.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Why the service was down, in the agent's words.
    pub(super) cause: Option<String>,
    /// From the injection until the incident was opened.
    pub(super) detected: Option<Duration>,
    /// From the injection until the agent had healed it.
    pub(super) healed: Option<Duration>,
    /// What the agent says that it sent, in order.
    pub(super) messages: Vec<Sent>,
}

/// A message of the agent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// `fired`, `resolved`, ...
    pub(super) kind: String,
    /// Whether it arrived, rightly signed.
    pub(super) arrived: bool,
}

impl Outcome {
    fn is_notified(&self) -> bool {
        let kinds = self.messages.iter().map(|sent| sent.kind.as_str());
        self.messages.iter().all(|sent| sent.arrived)
            && EXPECTED.iter().all(|shown| kinds.clone().any(|kind| kind == *shown))
    }

    /// Whether it was healed, and every alert arrived.
    pub(super) fn is_good(&self) -> bool {
        self.healed.is_some() && self.is_notified()
    }
}

/// The table: a line for every fault, also for those that the story did not come to.
pub(super) fn table(outcomes: &[Outcome], paint: Paint) -> String {
    let headings = [
        "FAULT",
        "CAUSE FOUND",
        "DETECTED AFTER",
        "HEALED AFTER",
        "ALERTS DELIVERED",
    ];
    let mut table = Table::with_headings(headings);
    for (index, Fault { name, .. }) in FAULTS.iter().enumerate() {
        let name = (Tone::Plain, (*name).to_owned());
        let Some(outcome) = outcomes.get(index) else {
            let none = || (Tone::Faint, "-".to_owned());
            table.row([name, (Tone::Faint, "not tried".to_owned()), none(), none(), none()]);
            continue;
        };
        let cause = outcome
            .cause
            .clone()
            .map_or((Tone::Bad, "not found".to_owned()), |cause| (Tone::Plain, cause));
        table.row([
            name,
            cause,
            after(outcome.detected),
            after(outcome.healed),
            alerts(outcome),
        ]);
    }
    table.render(paint)
}

fn after(duration: Option<Duration>) -> (Tone, String) {
    match duration {
        Some(duration) => (Tone::Good, span_secs(duration.as_secs_f64())),
        None => (Tone::Bad, "never".to_owned()),
    }
}

/// `2 of 2: fired, resolved`.
fn alerts(outcome: &Outcome) -> (Tone, String) {
    let sent = outcome.messages.len().max(EXPECTED.len());
    let arrived: Vec<_> = outcome.messages.iter().filter(|sent| sent.arrived).collect();
    let kinds: Vec<_> = arrived.iter().map(|sent| sent.kind.as_str()).collect();
    let mut text = format!("{} of {sent}", arrived.len());
    if !kinds.is_empty() {
        text.push_str(": ");
        text.push_str(&kinds.join(", "));
    }
    (if outcome.is_notified() { Tone::Good } else { Tone::Bad }, text)
}

/// The last word, and whether it is a good one.
pub(super) fn verdict(outcomes: &[Outcome]) -> (bool, String) {
    let all = FAULTS.len();
    if outcomes.len() == all && outcomes.iter().all(Outcome::is_good) {
        let alerts: usize = outcomes.iter().map(|outcome| outcome.messages.len()).sum();
        let text = format!("Every fault was healed, and all {alerts} alerts arrived, rightly signed.");
        return (true, text);
    }
    let healed = outcomes.iter().filter(|outcome| outcome.healed.is_some()).count();
    let notified = outcomes.iter().filter(|outcome| outcome.is_notified()).count();
    let text = format!("Healed: {healed} of {all} faults. Notified in full: {notified} of {all}.");
    (false, text)
}

/// What is not as by default, in one line: `interval 1s (10s), ...`.
pub(super) fn quick() -> String {
    let settings: Vec<_> = QUICK
        .iter()
        .map(|quick| format!("{} {} ({})", quick.key, quick.value, quick.default))
        .collect();
    settings.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: &str, arrived: bool) -> Sent {
        Sent {
            kind: kind.to_owned(),
            arrived,
        }
    }

    fn good(cause: &str, detected: u64, healed: u64) -> Outcome {
        Outcome {
            cause: Some(cause.to_owned()),
            detected: Some(Duration::from_millis(detected)),
            healed: Some(Duration::from_millis(healed)),
            messages: vec![sent("fired", true), sent("resolved", true)],
        }
    }

    #[test]
    fn the_table_of_a_good_run() {
        let outcomes = [
            good("exited with code 3", 4, 1042),
            good("runs but does not answer: no answer within 500ms", 1960, 5200),
            good("probe failed: status 500", 800, 2200),
        ];
        assert_eq!(
            table(&outcomes, Paint::fixed(false)),
            "\
FAULT       CAUSE FOUND                                       DETECTED AFTER  HEALED AFTER  ALERTS DELIVERED
crash       exited with code 3                                4ms             1s            2 of 2: fired, resolved
hang        runs but does not answer: no answer within 500ms  2s              5.2s          2 of 2: fired, resolved
status 500  probe failed: status 500                          0.8s            2.2s          2 of 2: fired, resolved
"
        );
        let (good, text) = verdict(&outcomes);
        assert!(good);
        assert_eq!(
            text,
            "Every fault was healed, and all 6 alerts arrived, rightly signed."
        );
    }

    #[test]
    fn the_table_of_a_run_that_broke_off() {
        let mut lost = good("exited with code 3", 4, 1042);
        lost.messages[1].arrived = false;
        let outcomes = [lost, Outcome::default()];
        assert_eq!(
            table(&outcomes, Paint::fixed(false)),
            "\
FAULT       CAUSE FOUND         DETECTED AFTER  HEALED AFTER  ALERTS DELIVERED
crash       exited with code 3  4ms             1s            1 of 2: fired
hang        not found           never           never         0 of 2
status 500  not tried           -               -             -
"
        );
        let (good, text) = verdict(&outcomes);
        assert!(!good);
        assert_eq!(text, "Healed: 1 of 3 faults. Notified in full: 0 of 3.");
    }

    #[test]
    fn colours_mark_what_is_bad() {
        let text = table(&[Outcome::default()], Paint::fixed(true));
        assert!(text.contains("\x1b[1;31mnever\x1b[0m"), "{text}");
    }

    #[test]
    fn nothing_short_of_everything_is_good() {
        assert!(!verdict(&[]).0);
        let full = good("x", 1, 2);
        assert!(full.is_good());
        let unhealed = Outcome {
            healed: None,
            ..full.clone()
        };
        let unnotified = Outcome {
            messages: vec![sent("fired", true)],
            ..full.clone()
        };
        let silent = Outcome {
            messages: Vec::new(),
            ..full.clone()
        };
        let lost = Outcome {
            messages: vec![sent("fired", true), sent("gave_up", false), sent("resolved", true)],
            ..full.clone()
        };
        for bad in [unhealed, unnotified, silent, lost] {
            assert!(!bad.is_good(), "{bad:?}");
            assert!(!verdict(&[full.clone(), bad, full.clone()]).0);
        }
    }
}
