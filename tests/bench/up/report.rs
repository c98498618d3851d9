//! What was measured, as a table and as JSON.

use serde_json::{Value, json};

#[path = "../table.rs"]
mod table;

/// Measurements of one thing.
#[derive(Debug, Clone, Default)]
pub struct Series(pub Vec<f64>);

impl Series {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// `8.21 s (8.05 to 8.60, n 3)`
    pub fn seconds(&self) -> String {
        let n = self.0.len();
        match self.median() {
            m if m.is_nan() => "not measured".to_owned(),
            m if m < 1.0 => {
                format!("{:.1} ms ({:.1} to {:.1}, n {n})", m * 1e3, self.least() * 1e3, self.most() * 1e3)
            }
            m => format!("{m:.2} s ({:.2} to {:.2}, n {n})", self.least(), self.most()),
        }
    }
}

/// One result.
struct Line {
    what: &'static str,
    ours: String,
    theirs: String,
    result: String,
    goal: String,
    verdict: String,
    value: f64,
}

/// All results of a run.
#[derive(Default)]
pub struct Report {
    conditions: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    notes: Vec<String>,
    invalid: Vec<String>,
    series: Vec<(String, Series)>,
}

impl Report {
    pub fn condition(&mut self, name: &'static str, value: impl Into<String>) {
        self.conditions.push((name, value.into()));
    }

    /// Something to know that has no goal.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// A run that does not count; the whole benchmark fails with it.
    pub fn invalid(&mut self, why: impl Into<String>) {
        let why = why.into();
        eprintln!("invalid: {why}");
        self.invalid.push(why);
    }

    /// Keeps single measurements for the JSON file.
    pub fn keep(&mut self, name: impl Into<String>, series: &Series) {
        self.series.push((name.into(), series.clone()));
    }

    /// Ours divided by theirs, and the most that it may be, if that is scored.
    pub fn ratio(&mut self, what: &'static str, ours: &Series, theirs: (String, f64), goal: Option<f64>) {
        let value = ours.median() / theirs.1;
        let result = format!("{value:.3}");
        self.line(what, ours.seconds(), theirs.0, (value, result), goal.map(|g| (g, format!("<= {g}"))));
    }

    /// A number of ours alone: value and goal with their unit.
    pub fn number(&mut self, what: &'static str, ours: String, value: f64, goal: (f64, &str)) {
        self.line(what, ours, String::new(), (value, String::new()), Some((goal.0, format!("< {}", goal.1))));
    }

    fn line(
        &mut self,
        what: &'static str,
        ours: String,
        theirs: String,
        (value, result): (f64, String),
        goal: Option<(f64, String)>,
    ) {
        let verdict = match &goal {
            _ if !value.is_finite() => "not measured",
            None => "not scored",
            Some((most, _)) if value <= *most => "goal met",
            Some(_) => "goal missed",
        };
        let goal = goal.map_or_else(String::new, |(_, text)| text);
        self.lines.push(Line { what, ours, theirs, result, goal, verdict: verdict.to_owned(), value });
    }

    /// Prints everything; true when every run counts.
    pub fn print(&self) -> bool {
        println!();
        for (name, value) in &self.conditions {
            println!("{name:>10}  {value}");
        }
        println!();
        let rows: Vec<[String; 6]> = std::iter::once(["", "banyan", "against", "ratio", "goal", ""])
            .chain(self.lines.iter().map(|l| [l.what, &*l.ours, &*l.theirs, &*l.result, &*l.goal, &*l.verdict]))
            .map(|row| row.map(str::to_owned))
            .collect();
        table::print(&rows);
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
            self.conditions.iter().map(|(k, v)| ((*k).to_owned(), v.as_str().into())).collect();
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|l| {
                json!({
                    "what": l.what, "banyan": l.ours, "against": l.theirs, "value": l.value, "goal": l.goal,
                    "verdict": l.verdict,
                })
            })
            .collect();
        let series: serde_json::Map<String, Value> =
            self.series.iter().map(|(name, s)| (name.clone(), json!(s.0))).collect();
        json!({
            "schema_version": 1, "benchmark": "up", "conditions": conditions, "lines": lines, "notes": self.notes,
            "invalid": self.invalid, "series": series,
        })
    }
}
