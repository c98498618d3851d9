//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

/// The middle one; not a number when there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// What a ratio should be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Goal {
    fn words(self) -> String {
        match self {
            Self::AtLeast(goal) => format!(">= {goal}"),
            Self::AtMost(goal) => format!("<= {goal}"),
            Self::None => String::new(),
        }
    }

    fn verdict(self, value: f64) -> &'static str {
        match self {
            _ if !value.is_finite() => "not measured",
            Self::None => "not scored",
            Self::AtLeast(goal) if value >= goal => "goal met",
            Self::AtMost(goal) if value <= goal => "goal met",
            _ => "goal missed",
        }
    }
}

/// One result.
struct Line {
    what: String,
    ours: String,
    theirs: String,
    value: f64,
    goal: Goal,
}

/// All results of a run.
#[derive(Default)]
pub struct Report {
    conditions: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    series: Vec<(String, Vec<f64>)>,
    notes: Vec<String>,
    invalid: Vec<String>,
}

impl Report {
    pub fn condition(&mut self, name: &'static str, value: impl Into<String>) {
        self.conditions.push((name, value.into()));
    }

    /// Something to know that has no goal.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Why the run does not count; the whole benchmark fails with it.
    pub fn invalid(&mut self, why: impl Into<String>) {
        self.invalid.push(why.into());
    }

    /// Keeps single measurements for the JSON file.
    pub fn keep(&mut self, name: impl Into<String>, values: &[f64]) {
        self.series.push((name.into(), values.to_vec()));
    }

    /// Ours, theirs, and the ratio of the two of each round.
    pub fn ratio(&mut self, what: impl Into<String>, unit: &str, ours: &[f64], theirs: &[f64], goal: Goal) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let words = |values: &[f64]| match median(values) {
            middle if middle.is_nan() => "not measured".to_owned(),
            middle => format!("{middle:.0} {unit}"),
        };
        let (ours, theirs, value) = (words(ours), words(theirs), median(&ratios));
        self.lines.push(Line { what: what.into(), ours, theirs, value, goal });
    }

    /// Prints everything; true when the run counts.
    pub fn print(&self) -> bool {
        println!();
        for (name, value) in &self.conditions {
            println!("{name:>10}  {value}");
        }
        println!();
        let head = ["", "banyan", "against", "ratio", "goal", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(head)
            .chain(self.lines.iter().map(|it| {
                let ratio = if it.value.is_finite() { format!("{:.2}", it.value) } else { String::new() };
                let verdict = it.goal.verdict(it.value).to_owned();
                [it.what.clone(), it.ours.clone(), it.theirs.clone(), ratio, it.goal.words(), verdict]
            }))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        for why in &self.invalid {
            println!("INVALID: {why}; ratios of this run do not count");
        }
        self.invalid.is_empty()
    }

    pub fn json(&self) -> Value {
        let conditions: serde_json::Map<String, Value> =
            self.conditions.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|it| {
                json!({
                    "what": it.what, "banyan": it.ours, "against": it.theirs, "value": it.value,
                    "goal": it.goal.words(), "verdict": it.goal.verdict(it.value),
                })
            })
            .collect();
        let series: serde_json::Map<String, Value> =
            self.series.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
        json!({
            "schema_version": 1, "benchmark": "bus", "conditions": conditions, "lines": lines, "notes": self.notes,
            "invalid": self.invalid, "series": series,
        })
    }
}
