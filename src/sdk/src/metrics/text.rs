//! Metrics as Prometheus reads them: text, format version 0.0.4.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    Family, Labels,
    series::{BOUNDS, Series},
};

// Writing to a `String` does not fail.

pub(super) fn write(families: &BTreeMap<&'static str, Family>) -> String {
    let mut text = String::new();
    for (name, family) in families {
        let Some(kind) = family.series.values().next().map(Series::kind) else { continue };
        let help = family.help.replace('\\', r"\\").replace('\n', r"\n");
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, series) in &family.series {
            let labels = written(labels);
            let _ = match series {
                Series::Counter(counter) => writeln!(text, "{name}{{{labels}}} {}", counter.value()),
                Series::Gauge(gauge) => writeln!(text, "{name}{{{labels}}} {}", gauge.value()),
                Series::Watched(read) => writeln!(text, "{name}{{{labels}}} {}", read()),
                Series::Histogram(histogram) => {
                    let (counts, sum) = histogram.cumulative();
                    let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
                    for (bound, count) in bounds.zip(counts) {
                        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
                    }
                    let all = counts[BOUNDS.len()];
                    writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {all}")
                }
            };
        }
    }
    text
}

/// `service="user-service",kind="command"`: never empty, every series has the service's name.
fn written(labels: &Labels) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    labels.join(",")
}
