//! What was measured, as a table and as JSON, with a last line that hides nothing: which levels were missed, and whom
//! banyan could not be compared with.

use serde_json::{Map, Value, json};

#[path = "table.rs"]
mod table;

/// The middle one; not a number when there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 0.5)
}

/// What `share` of ascending values stay below, between two of them in proportion.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = last as f64 * share;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// What must be reached, and what should be.
#[derive(Clone, Copy)]
pub struct Level(Option<Bounds>);

#[derive(Clone, Copy)]
struct Bounds {
    at_least: bool,
    pass: f64,
    goal: f64,
}

impl Level {
    /// For figures that explain others.
    pub const NONE: Self = Self(None);

    pub fn at_least(pass: f64) -> Self {
        Self(Some(Bounds { at_least: true, pass, goal: pass }))
    }

    pub fn at_most(pass: f64) -> Self {
        Self(Some(Bounds { at_least: false, pass, goal: pass }))
    }

    /// The same with something higher to aim at.
    pub fn goal(self, goal: f64) -> Self {
        Self(self.0.map(|bounds| Bounds { goal, ..bounds }))
    }

    fn words(self) -> String {
        let Some(Bounds { at_least, pass, goal }) = self.0 else { return String::new() };
        let sign = if at_least { ">=" } else { "<=" };
        if goal == pass { format!("{sign} {pass}") } else { format!("{sign} {pass} ({goal})") }
    }

    fn verdict(self, value: f64) -> Verdict {
        let Some(Bounds { at_least, pass, goal }) = self.0 else {
            return if value.is_finite() { Verdict::NotScored } else { Verdict::NotMeasured };
        };
        let reaches = |level: f64| if at_least { value >= level } else { value <= level };
        match () {
            () if !value.is_finite() => Verdict::NotMeasured,
            () if reaches(goal) => Verdict::GoalMet,
            () if reaches(pass) => Verdict::Passed,
            () => Verdict::Missed,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoalMet,
    Passed,
    Missed,
    NotMeasured,
    NotScored,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::GoalMet => "goal met",
            Self::Passed => "passed",
            Self::Missed => "MISSED",
            Self::NotMeasured => "not measured",
            Self::NotScored => "not scored",
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

impl Line {
    fn verdict(&self) -> Verdict {
        self.level.verdict(self.value)
    }
}

/// All results of a run.
pub struct Report {
    benchmark: &'static str,
    conditions: Vec<(String, String)>,
    lines: Vec<Line>,
    series: Vec<(String, Vec<f64>)>,
    notes: Vec<String>,
    absent: Vec<String>,
    invalid: Vec<String>,
}

impl Report {
    pub fn new(benchmark: &'static str) -> Self {
        let (conditions, lines, series, notes, absent, invalid) = Default::default();
        Self { benchmark, conditions, lines, series, notes, absent, invalid }
    }

    pub fn condition(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.conditions.push((name.into(), value.into()));
    }

    /// Something to know that has no level.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Whom or what this run says nothing about, and why.
    pub fn absent(&mut self, who: &str, why: impl std::fmt::Display) {
        self.absent.push(format!("{who} ({why})"));
    }

    /// Why the run does not count; the whole benchmark fails with it.
    pub fn invalid(&mut self, why: impl Into<String>) {
        self.invalid.push(why.into());
    }

    /// A load with errors, or with nothing in it, does not count.
    pub fn load(&mut self, what: &str, done: u64, errors: u64) {
        if errors > 0 || done == 0 {
            self.invalid(format!("{what}: {errors} failed and {done} did not"));
        }
    }

    /// Keeps single measurements for the JSON file.
    pub fn keep(&mut self, name: impl Into<String>, values: &[f64]) {
        self.series.push((name.into(), values.to_vec()));
    }

    /// Ours, theirs, and the ratio of the two of each round.
    pub fn ratio(&mut self, what: impl Into<String>, unit: &str, ours: &[f64], theirs: &[f64], level: Level) {
        let what = what.into();
        self.keep(format!("{what}: banyan, {unit}"), ours);
        self.keep(format!("{what}: against, {unit}"), theirs);
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (ours, theirs, value) = (words(ours, unit), words(theirs, unit), median(&ratios));
        self.lines.push(Line { what, ours, theirs, value, level });
    }

    /// Values that stand for themselves.
    pub fn plain(&mut self, what: impl Into<String>, unit: &str, values: &[f64], level: Level) {
        let what = what.into();
        self.keep(format!("{what}, {unit}"), values);
        self.lines.push(Line { what, ours: words(values, unit), theirs: String::new(), value: median(values), level });
    }

    /// Prints everything; true when the run counts.
    pub fn print(&self) -> bool {
        println!();
        for (name, value) in &self.conditions {
            println!("{name:>10}  {value}");
        }
        println!();
        let head = ["", "banyan", "against", "value", "level (goal)", ""].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(head)
            .chain(self.lines.iter().map(|it| {
                let value = if it.value.is_finite() { format!("{:.2}", it.value) } else { String::new() };
                let (level, verdict) = (it.level.words(), it.verdict().words().to_owned());
                [it.what.clone(), it.ours.clone(), it.theirs.clone(), value, level, verdict]
            }))
            .collect();
        table::print(&rows);
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        for why in &self.invalid {
            println!("INVALID: {why}; this run does not count");
        }
        println!("{}: {}", self.benchmark, self.closing());
        self.invalid.is_empty()
    }

    /// What nobody should overlook, in one line.
    fn closing(&self) -> String {
        let lines = |verdict| self.lines.iter().filter(move |it| it.verdict() == verdict);
        let missed: Vec<String> = lines(Verdict::Missed).map(|it| format!("{} {:.2}", it.what, it.value)).collect();
        let mut text = match missed.len() {
            0 => "no level missed".to_owned(),
            1 => format!("1 level missed: {}", missed[0]),
            n => format!("{n} levels missed: {}", missed.join(", ")),
        };
        let unknown = lines(Verdict::NotMeasured).map(|it| it.what.clone());
        let absent: Vec<String> = self.absent.iter().cloned().chain(unknown).collect();
        if !absent.is_empty() {
            text.push_str(&format!("; not measured: {}", absent.join(", ")));
        }
        text
    }

    pub fn json(&self) -> Value {
        let conditions: Map<String, Value> =
            self.conditions.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|it| {
                json!({
                    "what": it.what, "banyan": it.ours, "against": it.theirs, "value": it.value,
                    "level": it.level.words(), "verdict": it.verdict().words(),
                })
            })
            .collect();
        let series: Map<String, Value> =
            self.series.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
        json!({
            "schema_version": 1, "benchmark": self.benchmark, "conditions": conditions, "lines": lines,
            "notes": self.notes, "invalid": self.invalid, "closing": self.closing(), "series": series,
        })
    }
}

fn words(values: &[f64], unit: &str) -> String {
    match median(values) {
        middle if !middle.is_finite() => "not measured".to_owned(),
        middle if middle.abs() < 100.0 => format!("{middle:.2} {unit}"),
        middle => format!("{middle:.0} {unit}"),
    }
}
