//! What a recovery action would do to others.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a recovery action of one target would do to other units, and no operator has allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlastRadius {
    /// Units that run and would be restarted, by name.
    pub restarts: Vec<String>,
    /// Units that run and would be stopped, by name.
    pub stops: Vec<String>,
    /// Units that an operator stopped and that would be started, by name.
    pub starts: Vec<String>,
    /// At least this many more than are named.
    pub more: usize,
}

impl fmt::Display for BlastRadius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "it would ";
        let verbs = [
            ("restart", &self.restarts),
            ("stop", &self.stops),
            ("start what was stopped on purpose,", &self.starts),
        ];
        for (verb, units) in verbs {
            for (index, unit) in units.iter().enumerate() {
                if index == 0 {
                    write!(f, "{before}{verb} `{unit}`")?;
                } else {
                    write!(f, ", `{unit}`")?;
                }
                before = ", and ";
            }
        }
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_sentence() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        for (restarts, stops, more, words) in [
            (&["a.service"][..], &[][..], 0, "it would restart `a.service`"),
            (
                &["a", "b"],
                &["c", "d"],
                0,
                "it would restart `a`, `b`, and stop `c`, `d`",
            ),
            (&[], &["c"], 2, "it would stop `c`, and 2 more"),
        ] {
            let radius = BlastRadius {
                restarts: names(restarts),
                stops: names(stops),
                starts: Vec::new(),
                more,
            };
            assert_eq!(radius.to_string(), words);
        }
        let radius = BlastRadius {
            starts: names(&["db@1"]),
            ..BlastRadius::default()
        };
        assert_eq!(radius.to_string(), "it would start what was stopped on purpose, `db@1`");
    }
}
