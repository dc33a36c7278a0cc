//! How an outage ended, in words: who did what, how long it was down, and nothing that the agent did not do.

use std::time::Duration;

use sentinel_engine::{Outage, Resolution, Starter};
use sentinel_text::span;

/// What is said of a service whose incident is over, without its cause. `attempts` is how often the agent restarted it.
pub(super) fn ended(resolution: Resolution, duration: Duration, outage: &Outage, attempts: u32) -> String {
    let lasted = outage
        .lasted()
        .map_or_else(|| format!(" after {}", span(duration)), |lasted| format!(", {lasted}"));
    let duration = span(duration);
    match resolution {
        Resolution::Healed if outage.started_by == Starter::Operator => format!(
            "was restarted by an operator and is healthy again{lasted}{}",
            in_vain(attempts)
        ),
        Resolution::Healed => {
            let which = match attempts {
                0 | 1 => String::new(),
                count => format!("{} ", ordinal(count)),
            };
            format!("is healthy again, the agent's {which}restart helped{lasted}")
        }
        Resolution::Started => format!(
            "was started by an operator and is healthy again{lasted}{}",
            in_vain(attempts)
        ),
        Resolution::Recovered => {
            let by = match outage.started_by {
                Starter::Supervisor => "recovered, restarted by its supervisor",
                Starter::Dependency => "recovered, restarted together with what it depends on",
                Starter::Trigger => "recovered, started by its trigger",
                Starter::Other => "recovered, started by something else",
                Starter::SameRun | Starter::Agent | Starter::Operator | Starter::Unknown => "recovered by itself",
            };
            let nothing = attempts == 0 && outage.started_by == Starter::SameRun;
            let rest = match (attempts, outage.started_by) {
                (0, Starter::Operator) => "; the operator's restart is not known to have helped".to_owned(),
                _ if nothing => "; nothing was restarted".to_owned(),
                _ => unproven(attempts),
            };
            format!("{by}{lasted}{rest}")
        }
        Resolution::Stopped => format!("was stopped on purpose after {duration} of trouble"),
        Resolution::Unmanaged => format!("is no longer watched, after {duration} of trouble"),
    }
}

/// What was done, in short, where that is over.
pub(super) fn done(resolution: Resolution, started_by: Option<Starter>, attempts: u32) -> String {
    match (attempts, resolution, started_by) {
        (0, ..) => String::new(),
        // Whoever started it did what they did not.
        (1, Resolution::Started, _) | (1, Resolution::Healed, Some(Starter::Operator)) => {
            "1 restart, which did not help".to_owned()
        }
        (count, Resolution::Started, _) | (count, Resolution::Healed, Some(Starter::Operator)) => {
            format!("{count} restarts, none of which helped")
        }
        (1, Resolution::Healed, _) => "1 restart, which helped".to_owned(),
        (count, Resolution::Healed, _) => format!("{count} restarts, the last of which helped"),
        (1, Resolution::Recovered, _) => "1 restart, not known to have helped".to_owned(),
        (count, Resolution::Recovered, _) => format!("{count} restarts, none of which is known to have helped"),
        (1, ..) => "1 restart".to_owned(),
        (count, ..) => format!("{count} restarts"),
    }
}

/// What became of the agent's attempts where another party helped.
fn in_vain(attempts: u32) -> String {
    match attempts {
        0 => String::new(),
        1 => "; the agent's restart had not helped".to_owned(),
        count => format!("; the agent's {count} restarts had not helped"),
    }
}

/// The same where it is unknown what helped.
fn unproven(attempts: u32) -> String {
    match attempts {
        0 => String::new(),
        1 => "; the agent's restart is not known to have helped".to_owned(),
        count => format!("; none of the agent's {count} restarts is known to have helped"),
    }
}

/// `2nd`, `3rd`, `11th`.
fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTERS: [Starter; 8] = [
        Starter::Unknown,
        Starter::SameRun,
        Starter::Agent,
        Starter::Operator,
        Starter::Supervisor,
        Starter::Dependency,
        Starter::Trigger,
        Starter::Other,
    ];

    const RESOLUTIONS: [Resolution; 5] = [
        Resolution::Healed,
        Resolution::Recovered,
        Resolution::Started,
        Resolution::Stopped,
        Resolution::Unmanaged,
    ];

    fn outage(started_by: Starter) -> Outage {
        Outage {
            down: Some(Duration::from_millis(200)),
            proved: Some(Duration::from_secs(20)),
            started_by,
        }
    }

    fn said(resolution: Resolution, started_by: Starter, attempts: u32) -> String {
        ended(resolution, Duration::from_secs(20), &outage(started_by), attempts)
    }

    #[test]
    fn an_end_says_who_did_what() {
        let times = ", down 0.2s, proved after 20s";
        #[rustfmt::skip]
        let table = [
            (Resolution::Healed, Starter::Agent, 1, format!("is healthy again, the agent's restart helped{times}")),
            (Resolution::Healed, Starter::Agent, 2, format!("is healthy again, the agent's 2nd restart helped{times}")),
            (Resolution::Healed, Starter::Agent, 3, format!("is healthy again, the agent's 3rd restart helped{times}")),
            (Resolution::Healed, Starter::Agent, 11, format!("is healthy again, the agent's 11th restart helped{times}")),
            (Resolution::Healed, Starter::Agent, 21, format!("is healthy again, the agent's 21st restart helped{times}")),
            (Resolution::Healed, Starter::Operator, 0, format!("was restarted by an operator and is healthy again{times}")),
            (Resolution::Healed, Starter::Operator, 1, format!("was restarted by an operator and is healthy again{times}; the agent's restart had not helped")),
            (Resolution::Healed, Starter::Operator, 5, format!("was restarted by an operator and is healthy again{times}; the agent's 5 restarts had not helped")),
            (Resolution::Started, Starter::Other, 0, format!("was started by an operator and is healthy again{times}")),
            (Resolution::Started, Starter::Other, 5, format!("was started by an operator and is healthy again{times}; the agent's 5 restarts had not helped")),
            (Resolution::Recovered, Starter::SameRun, 0, format!("recovered by itself{times}; nothing was restarted")),
            (Resolution::Recovered, Starter::SameRun, 1, format!("recovered by itself{times}; the agent's restart is not known to have helped")),
            (Resolution::Recovered, Starter::Agent, 1, format!("recovered by itself{times}; the agent's restart is not known to have helped")),
            (Resolution::Recovered, Starter::Agent, 2, format!("recovered by itself{times}; none of the agent's 2 restarts is known to have helped")),
            (Resolution::Recovered, Starter::Operator, 0, format!("recovered by itself{times}; the operator's restart is not known to have helped")),
            (Resolution::Recovered, Starter::Supervisor, 0, format!("recovered, restarted by its supervisor{times}")),
            (Resolution::Recovered, Starter::Supervisor, 1, format!("recovered, restarted by its supervisor{times}; the agent's restart is not known to have helped")),
            (Resolution::Recovered, Starter::Dependency, 0, format!("recovered, restarted together with what it depends on{times}")),
            (Resolution::Recovered, Starter::Trigger, 0, format!("recovered, started by its trigger{times}")),
            (Resolution::Recovered, Starter::Other, 0, format!("recovered, started by something else{times}")),
            (Resolution::Recovered, Starter::Unknown, 0, format!("recovered by itself{times}")),
            (Resolution::Stopped, Starter::SameRun, 2, "was stopped on purpose after 20s of trouble".to_owned()),
            (Resolution::Unmanaged, Starter::Agent, 2, "is no longer watched, after 20s of trouble".to_owned()),
        ];
        for (resolution, started_by, attempts, expected) in table {
            let found = said(resolution, started_by, attempts);
            assert_eq!(found, expected, "{resolution:?} {started_by:?} {attempts}");
        }
    }

    #[test]
    fn only_what_was_proved_is_credited_to_the_agent() {
        for resolution in RESOLUTIONS {
            for started_by in STARTERS {
                for attempts in 0..4 {
                    let what = format!("{resolution:?} {started_by:?} {attempts}");
                    let healed = resolution == Resolution::Healed && started_by != Starter::Operator;
                    let said = said(resolution, started_by, attempts);
                    assert_eq!(said.contains("restart helped"), healed, "{what}: {said}");
                    let well = !matches!(resolution, Resolution::Stopped | Resolution::Unmanaged);
                    let others = well && !healed && attempts > 0;
                    let own_up = said.contains("had not helped") || said.contains("known to have helped");
                    assert!(own_up || !others, "{what}: {said}");
                    assert!(
                        !said.contains("nothing was restarted") || attempts == 0,
                        "{what}: {said}"
                    );
                    let done = done(resolution, Some(started_by), attempts);
                    let credits = done.ends_with("which helped") && !done.contains("none");
                    assert_eq!(credits, healed && attempts > 0, "{what}: {done}");
                    assert_eq!(done.is_empty(), attempts == 0, "{what}: {done}");
                }
            }
        }
    }

    #[test]
    fn what_was_never_seen_to_fail_was_not_down() {
        let never = Outage {
            started_by: Starter::SameRun,
            ..Outage::default()
        };
        let said = ended(Resolution::Recovered, Duration::from_secs(40), &never, 0);
        assert_eq!(said, "recovered by itself after 40s; nothing was restarted");
        let at_once = Outage {
            down: Some(Duration::from_secs(40)),
            proved: Some(Duration::from_millis(40_300)),
            ..never
        };
        let said = ended(Resolution::Recovered, Duration::from_secs(30), &at_once, 0);
        assert_eq!(said, "recovered by itself, down 40s; nothing was restarted");
    }
}
