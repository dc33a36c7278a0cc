//! `[maintenance.*]`.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::findings::{Findings, join};
use crate::inputs::MaintenanceInput;
use crate::pattern::matches;
use crate::rules;
use crate::schema::{DAYS, nearest};
use crate::settings::{MaintenanceEnd, MaintenanceSettings};

/// The windows. `names` are those of all services, disabled ones included.
pub(super) fn settings(
    inputs: BTreeMap<String, MaintenanceInput>,
    names: &[String],
    findings: &mut Findings,
) -> Vec<MaintenanceSettings> {
    inputs
        .into_iter()
        .filter_map(|(name, input)| window(name, input, names, findings))
        .collect()
}

fn window(
    name: String,
    input: MaintenanceInput,
    names: &[String],
    findings: &mut Findings,
) -> Option<MaintenanceSettings> {
    let path = join("maintenance", &name);
    let services = input.services.unwrap_or_else(|| vec!["*".to_owned()]);
    for (index, pattern) in services.iter().enumerate() {
        check_pattern(&format!("{path}.services[{index}]"), pattern, names, findings);
    }
    if services.is_empty() {
        findings.warn(&join(&path, "services"), "is empty: the window is about no service");
    }
    if input.days.as_ref().is_some_and(Vec::is_empty) {
        findings.wrong(&join(&path, "days"), "is empty; leave it out for every day");
    }
    let is_bad = findings.is_bad(&path);
    if input.start.is_none() && !is_bad {
        findings.wrong(&path, "does not say when it opens; add `start`");
    }
    let time = |text: &Option<String>| text.as_deref().and_then(|text| rules::time_of_day(text).ok());
    let end = match (input.duration, &input.end) {
        (Some(_), Some(_)) => {
            findings.wrong(&join(&path, "end"), "`duration` is set as well; keep one of them");
            None
        }
        (None, None) => {
            if !is_bad {
                findings.wrong(&path, "does not say when it ends; add `duration` or `end`");
            }
            None
        }
        (Some(duration), None) => Some(MaintenanceEnd::After(duration)),
        (None, Some(_)) => time(&input.end).map(MaintenanceEnd::At),
    };
    let zone = input.zone.as_deref().and_then(|name| rules::zone(name).ok());
    Some(MaintenanceSettings {
        name,
        services,
        start: time(&input.start)?,
        end: end?,
        days: input
            .days
            .into_iter()
            .flatten()
            .filter_map(|day| weekday(&day))
            .collect(),
        zone: zone.unwrap_or_else(TimeZone::system),
        reason: input.reason,
    })
}

/// A name that no service has is a slip; a pattern that fits none may be meant for later.
fn check_pattern(key: &str, pattern: &str, names: &[String], findings: &mut Findings) {
    if names.iter().any(|name| matches(pattern, name)) {
        return;
    }
    if pattern.contains(['*', '?']) {
        if !(pattern == "*" && names.is_empty()) {
            findings.warn(key, format!("no service fits `{pattern}`"));
        }
    } else {
        let meant = nearest(pattern, names.iter().map(String::as_str)).map(str::to_owned);
        let message = format!("there is no [services.{pattern}]");
        findings.wrong_at(findings.place_of(key), key, message, meant);
    }
}

fn weekday(day: &str) -> Option<Weekday> {
    let position = DAYS.iter().position(|known| *known == day)?;
    Weekday::from_monday_zero_offset(i8::try_from(position).ok()?).ok()
}
