//! The text of the rule: JavaScript that polkit 0.106 and later understands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

/// The user as whom the agent runs, as its package makes it.
pub const USER: &str = "sentinel";

/// What the agent asks for (`systemd/restart.rs`), in the words in which systemd asks polkit. Neither `stop` nor `restart`:
/// a restart of what does not run would start it, and of what somebody has just stopped as well.
pub const VERBS: [&str; 3] = ["start", "try-restart", "reset-failed"];

/// What it asks for of a socket, a path or a timer that triggers one of its units and has failed.
pub const TRIGGER_VERBS: [&str; 2] = ["start", "reset-failed"];

/// What precedes the names of those that trigger them.
const TRIGGERS_BEGIN: &str = "    var triggers = [";

/// What precedes the names of the units, a line for each.
const UNITS_BEGIN: &str = "    var units = [";

/// What follows them.
const UNITS_END: &str = "    ];";

/// What the first line of every rule begins with.
const MARK: &str = "// Made by `sentinel polkit-rules";

/// Which units the agent's user may start and restart. `Display` gives the text of the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// systemd's name of each unit, and what the configuration calls it, where that is another name.
    units: BTreeMap<String, BTreeSet<String>>,
    /// systemd's name of each socket, path and timer that triggers one of them, with that unit.
    triggers: BTreeMap<String, String>,
}

impl Rule {
    /// A rule for these units: the name in the configuration, and systemd's own, which is the one that counts.
    pub fn new(names: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut units: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (configured, name) in names {
            let aliases = units.entry(name.clone()).or_default();
            if configured != name {
                aliases.insert(configured);
            }
        }
        let triggers = BTreeMap::new();
        Self { units, triggers }
    }

    /// The same with these sockets, paths and timers, each with the unit that it triggers. What is configured itself is a unit
    /// like the others.
    #[must_use]
    pub fn with_triggers(mut self, triggers: impl IntoIterator<Item = (String, String)>) -> Self {
        let units = &self.units;
        let others = triggers.into_iter().filter(|(name, _)| !units.contains_key(name));
        self.triggers = others.collect();
        self
    }

    /// systemd's names of what triggers the units.
    pub fn triggers(&self) -> BTreeSet<String> {
        self.triggers.keys().cloned().collect()
    }

    /// Everything of which anything is granted.
    pub fn names(&self) -> BTreeSet<String> {
        self.units.keys().chain(self.triggers.keys()).cloned().collect()
    }

    /// systemd's names of the units.
    pub fn units(&self) -> BTreeSet<String> {
        self.units.keys().cloned().collect()
    }

    /// Everything of which a text made by this grants anything; `None` for a text of another origin.
    pub fn names_in(text: &str) -> Option<BTreeSet<String>> {
        if !text.starts_with(MARK) {
            return None;
        }
        // What is escaped is so as in JSON, and holds no quotation mark.
        let unit = |line: &str| {
            let (name, _) = line.trim_start().strip_prefix('"')?.split_once('"')?;
            serde_json::from_str::<String>(&format!("\"{name}\"")).ok()
        };
        let listed = |begin: &'static str| {
            let lines = text.lines().skip_while(move |line| *line != begin).skip(1);
            lines.take_while(|line| *line != UNITS_END).filter_map(unit)
        };
        Some(listed(UNITS_BEGIN).chain(listed(TRIGGERS_BEGIN)).collect())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted_all = |verbs: &[&str]| verbs.iter().map(|verb| quoted(verb)).collect::<Vec<_>>().join(", ");
        writeln!(
            f,
            "{MARK} --install`, which overwrites it whenever sentinel.service starts or reloads.\n\
             // Do not edit it: change the configuration, /etc/sentinel, and `systemctl reload sentinel`.\n\
             //\n\
             // What the user `{USER}`, as whom the agent runs, may ask of systemd: these verbs, of these units, and fewer of\n\
             // the sockets, paths and timers that trigger them. Everything else is denied here, and not left to others, so that no later rule and no default grants that user more.\n\
             // An exception has to stand in a rule before this one, such as 50-exception.rules.\n\
             polkit.addRule(function (action, subject) {{\n    \
                 if (subject.user !== {}) {{\n        \
                     return polkit.Result.NOT_HANDLED;\n    \
                 }}\n    \
                 var verbs = [{}];\n\
             {UNITS_BEGIN}",
            quoted(USER),
            quoted_all(&VERBS)
        )?;
        for (unit, aliases) in &self.units {
            write!(f, "        {},", quoted(unit))?;
            for (index, alias) in aliases.iter().enumerate() {
                write!(
                    f,
                    "{} {}",
                    if index == 0 { " // configured as" } else { "," },
                    quoted(alias)
                )?;
            }
            writeln!(f)?;
        }
        writeln!(
            f,
            "{UNITS_END}\n    var triggerVerbs = [{}];\n{TRIGGERS_BEGIN}",
            quoted_all(&TRIGGER_VERBS)
        )?;
        for (trigger, unit) in &self.triggers {
            writeln!(f, "        {}, // triggers {}", quoted(trigger), quoted(unit))?;
        }
        writeln!(
            f,
            "{UNITS_END}\n    \
                 var unit = action.lookup(\"unit\"), verb = action.lookup(\"verb\");\n    \
                 var isAllowed = action.id === \"org.freedesktop.systemd1.manage-units\" &&\n        \
                     ((units.indexOf(unit) >= 0 && verbs.indexOf(verb) >= 0) ||\n        \
                     (triggers.indexOf(unit) >= 0 && triggerVerbs.indexOf(verb) >= 0));\n    \
                 return isAllowed ? polkit.Result.YES : polkit.Result.NO;\n\
             }});"
        )
    }
}

/// `text` as a string of JavaScript that may also stand in a comment: whatever no name of a unit has, and what it may have but
/// means something in a string or in a pattern, is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut units = [0; 2];
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || ":-_.@".contains(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(names: &[(&str, &str)]) -> Rule {
        Rule::new(names.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())))
    }

    #[test]
    fn the_rule_names_units_and_verbs_and_denies_the_rest() {
        let text = rule(&[
            ("redis.service", "redis-server.service"),
            ("nginx.service", "nginx.service"),
        ])
        .with_triggers([
            ("redis-server.socket".to_owned(), "redis-server.service".to_owned()),
            // Configured itself.
            ("nginx.service".to_owned(), "nginx.service".to_owned()),
        ])
        .to_string();
        let code: String = text
            .lines()
            .filter(|line| !line.starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        assert_eq!(
            code,
            r#"polkit.addRule(function (action, subject) {
    if (subject.user !== "sentinel") {
        return polkit.Result.NOT_HANDLED;
    }
    var verbs = ["start", "try-restart", "reset-failed"];
    var units = [
        "nginx.service",
        "redis-server.service", // configured as "redis.service"
    ];
    var triggerVerbs = ["start", "reset-failed"];
    var triggers = [
        "redis-server.socket", // triggers "redis-server.service"
    ];
    var unit = action.lookup("unit"), verb = action.lookup("verb");
    var isAllowed = action.id === "org.freedesktop.systemd1.manage-units" &&
        ((units.indexOf(unit) >= 0 && verbs.indexOf(verb) >= 0) ||
        (triggers.indexOf(unit) >= 0 && triggerVerbs.indexOf(verb) >= 0));
    return isAllowed ? polkit.Result.YES : polkit.Result.NO;
});"#
        );
        assert!(text.ends_with("});\n"));
    }

    #[test]
    fn no_name_becomes_code() {
        for name in [
            "a\"]; evil(); [\".service",
            "a\nevil();.service",
            "a\\\".service",
            "a\u{2028}evil()\u{2029}.service",
            "a*/.service",
            "a\u{1f41b}.service",
        ] {
            let with = |rule: Rule, trigger: &str| rule.with_triggers([(trigger.to_owned(), trigger.to_owned())]);
            let text = with(
                rule(&[(name, name), (name, "other.service")]),
                &format!("{name}.socket"),
            )
            .to_string();
            assert_eq!(
                text.lines().count(),
                with(rule(&[("x", "x"), ("y", "z")]), "x.socket")
                    .to_string()
                    .lines()
                    .count(),
                "{name:?}"
            );
            for wrong in ["evil(", "\\\"", "*/", "\u{2028}", "\u{1f41b}"] {
                assert!(!text.contains(wrong), "{wrong:?} in {text}");
            }
        }
        assert_eq!(quoted(r"dev\x2dsda@a:b.service"), r#""dev\u005cx2dsda@a:b.service""#);
    }

    #[test]
    fn what_a_rule_grants_can_be_read_back() {
        let both = rule(&[("b", "b.service"), (r"a\x2d.service", r"a\x2d.service")]);
        let mut expected: BTreeSet<String> = [r"a\x2d.service", "b.service"].map(str::to_owned).into();
        assert_eq!(Rule::names_in(&both.to_string()), Some(expected.clone()));
        let triggered = both.with_triggers([("b.timer".to_owned(), "b.service".to_owned())]);
        expected.insert("b.timer".to_owned());
        assert_eq!(Rule::names_in(&triggered.to_string()), Some(expected));
        assert_eq!(Rule::names_in(&Rule::default().to_string()), Some(BTreeSet::new()));
        assert_eq!(Rule::names_in("polkit.addRule(function () {});"), None);
    }
}
