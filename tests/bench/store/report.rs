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

/// What must be reached, and what should be.
#[derive(Clone, Copy)]
pub struct Level {
    at_least: bool,
    pass: f64,
    goal: f64,
}

impl Level {
    pub fn at_least(pass: f64, goal: f64) -> Self {
        Self { at_least: true, pass, goal }
    }

    pub fn at_most(pass: f64, goal: f64) -> Self {
        Self { at_least: false, pass, goal }
    }

    fn words(self) -> String {
        let sign = if self.at_least { ">=" } else { "<=" };
        format!("{sign} {} ({})", self.pass, self.goal)
    }

    fn verdict(self, value: f64) -> &'static str {
        let reaches = |level: f64| if self.at_least { value >= level } else { value <= level };
        match () {
            () if !value.is_finite() => "not measured",
            () if reaches(self.goal) => "goal met",
            () if reaches(self.pass) => "passed",
            () => "missed",
        }
    }
}

/// One result.
struct Line {
    what: String,
    ours: String,
    theirs: String,
    value: f64,
    level: Level,
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

    /// Something to know that has no level.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Why the run does not count; the whole benchmark fails with it.
    pub fn invalid(&mut self, why: impl Into<String>) {
        self.invalid.push(why.into());
    }

    /// A load with errors does not count.
    pub fn errors(&mut self, scenario: &str, errors: u64) {
        if errors > 0 {
            self.invalid(format!("{scenario}: {errors} appends failed"));
        }
    }

    /// Ours, theirs, and the ratio of the two of each round.
    pub fn ratio(&mut self, what: &str, unit: &str, ours: &[f64], theirs: &[f64], level: Level) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let words = |values: &[f64]| format!("{:.0} {unit}", median(values));
        self.series.push((format!("{what}: banyan"), ours.to_vec()));
        self.series.push((format!("{what}: against"), theirs.to_vec()));
        let (ours, theirs, value) = (words(ours), words(theirs), median(&ratios));
        self.lines.push(Line { what: what.to_owned(), ours, theirs, value, level });
    }

    /// Values that stand for themselves.
    pub fn plain(&mut self, what: &str, unit: &str, values: &[f64], level: Level) {
        let value = median(values);
        self.series.push((what.to_owned(), values.to_vec()));
        let ours = format!("{value:.2} {unit}");
        self.lines.push(Line { what: what.to_owned(), ours, theirs: String::new(), value, level });
    }

    /// Prints everything; true when the run counts.
    pub fn print(&self) -> bool {
        println!();
        for (name, value) in &self.conditions {
            println!("{name:>10}  {value}");
        }
        println!();
        let head = ["", "banyan", "against", "value", "pass (goal)", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(head)
            .chain(self.lines.iter().map(|it| {
                let value = format!("{:.2}", it.value);
                let verdict = it.level.verdict(it.value).to_owned();
                [it.what.clone(), it.ours.clone(), it.theirs.clone(), value, it.level.words(), verdict]
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
            println!("INVALID: {why}; this run does not count");
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
                    "pass": it.level.pass, "goal": it.level.goal, "verdict": it.level.verdict(it.value),
                })
            })
            .collect();
        let series: serde_json::Map<String, Value> =
            self.series.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
        json!({
            "schema_version": 1, "benchmark": "store", "conditions": conditions, "lines": lines, "notes": self.notes,
            "invalid": self.invalid, "series": series,
        })
    }
}
