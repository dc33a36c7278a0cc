//! What was measured.

use serde::{Deserialize, Serialize};

/// One thing, measured several times of one contestant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured, in words.
    pub what: String,
    /// Whose it is.
    pub who: String,
    /// `ms`, `MB` (a million bytes), `s`, `%`.
    pub unit: String,
    /// In the order of measuring: the n-th value of one contestant was taken right beside the n-th of another.
    pub values: Vec<f64>,
}

impl Figure {
    /// Hands this figure to the outer program.
    pub fn emit(what: &str, who: &str, unit: &str, values: Vec<f64>) -> anyhow::Result<()> {
        let figure = Self {
            what: what.to_owned(),
            who: who.to_owned(),
            unit: unit.to_owned(),
            values,
        };
        println!("{}", serde_json::to_string(&figure)?);
        Ok(())
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.values.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The value in the middle.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.values.iter().copied().fold(f64::NAN, f64::max)
    }

    /// The median of the ratios to `other`, pair by pair.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let ratios: Vec<f64> = self.values.iter().zip(&other.values).map(|(a, b)| a / b).collect();
        median(&ratios)
    }
}

/// The middle of `values`, or of its two middle ones; not a number when there is none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN);
    let lower = sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN);
    f64::midpoint(lower, upper)
}
