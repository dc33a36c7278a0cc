//! What comes out: a table for operators, and a file for programs.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::aims::aim;
use crate::figures::Figure;
use crate::inside::SENTINEL;
use crate::machine::Machine;
use crate::options::target_dir;

/// Everything that was measured.
pub struct Report {
    machine: Machine,
    /// In the order of measuring.
    pub figures: Vec<Figure>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            figures: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Everything was measured.
    pub fn finish(&mut self) {
        self.machine.finish();
    }

    /// Writes the file for programs. Answers where.
    pub fn save(&self) -> anyhow::Result<PathBuf> {
        let folder = target_dir().join("bench");
        fs::create_dir_all(&folder)?;
        let path = folder.join("host.json");
        let figures: Vec<Value> = self.figures.iter().map(|figure| self.entry(figure)).collect();
        let text = json!({ "machine": self.machine, "figures": figures, "missing": self.missing });
        fs::write(&path, format!("{text:#}\n"))?;
        Ok(path)
    }

    fn entry(&self, figure: &Figure) -> Value {
        let aim = self.aim_of(figure);
        json!({
            "what": figure.what,
            "who": figure.who,
            "unit": figure.unit,
            "n": figure.values.len(),
            "min": figure.min(),
            "median": figure.median(),
            "max": figure.max(),
            "sentinel_is_times_this": self.sentinels_ratio(figure),
            "aim": aim.as_ref().map(|(words, _)| words),
            "reached": aim.map(|(_, reached)| reached),
            "values": figure.values,
        })
    }

    /// How many times this contestant's value the agent's is, pair by pair.
    fn sentinels_ratio(&self, figure: &Figure) -> Option<f64> {
        let ours = self
            .figures
            .iter()
            .find(|ours| ours.what == figure.what && ours.who == SENTINEL && figure.who != SENTINEL)?;
        Some(ours.ratio_to(figure))
    }

    /// The aim for this figure in words, and whether it was reached.
    fn aim_of(&self, figure: &Figure) -> Option<(String, bool)> {
        let aim = aim(&figure.what).filter(|_| figure.who == SENTINEL)?;
        let reached = aim.reached(figure, &self.figures)?;
        Some((aim.describe(&figure.unit), reached))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(f, "{} at {}", machine.revision, machine.date)?;
        writeln!(
            f,
            "Linux {}, {} x {}, {} MB, load {} before and {} after\n",
            machine.kernel,
            machine.cores,
            machine.processor,
            machine.memory_mb,
            machine.load_before,
            machine.load_after
        )?;
        writeln!(f, "| what | who | min | median | max | n | Sentinel is | aim |")?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")?;
        for figure in &self.figures {
            let ratio = self
                .sentinels_ratio(figure)
                .map_or_else(String::new, |ratio| format!("{ratio:.2} × this"));
            let aim = self.aim_of(figure).map_or_else(String::new, |(aim, reached)| {
                format!("{aim}: {}", if reached { "reached" } else { "missed" })
            });
            let number = |value| shown(value, &figure.unit);
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {ratio} | {aim} |",
                figure.what,
                figure.who,
                number(figure.min()),
                number(figure.median()),
                number(figure.max()),
                figure.values.len(),
            )?;
        }
        Ok(())
    }
}

/// With three or so figures that mean something.
fn shown(value: f64, unit: &str) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$} {unit}")
}
