//! Metrics: counters, gauges and histograms, read as Prometheus text on `GET /metrics`.
//!
//! A series is looked up once, by name and labels; what is got is a handle, and counting with it is one or two atomic
//! additions. Every series carries the label `service`. The same name and labels give the same series.

mod process;
mod series;
mod standard;
mod text;

pub use series::{Counter, Gauge, Histogram};
pub use standard::{DatabaseMetrics, HandlerMetrics, OperationMetrics};

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{Router, extract::State, http::header, routing::get};

use series::Series;

/// A family with more series than this has a label that takes any value; what comes later is counted, but not shown.
const MOST_SERIES: usize = 1_000;

/// The metrics of one service. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    service: String,
    families: RwLock<BTreeMap<&'static str, Family>>,
}

#[derive(Clone)]
struct Family {
    help: &'static str,
    series: BTreeMap<Labels, Series>,
}

type Labels = Vec<(&'static str, String)>;

impl Metrics {
    /// Metrics of `service`: to begin with, its resident memory and the time since now.
    #[must_use]
    pub fn new(service: &str) -> Self {
        let metrics = Self(Arc::new(Inner { service: service.to_owned(), families: RwLock::default() }));
        process::watch(&metrics);
        metrics
    }

    /// A number that only grows. Its name ends with `_total`.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        let series = self.series(name, help, labels, || Series::Counter(Counter::default()));
        if let Series::Counter(counter) = series { counter } else { taken(name) }
    }

    /// Shows a counter that something counts with already.
    pub(crate) fn show(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        counter: &Counter,
    ) {
        let _ = self.series(name, help, labels, || Series::Counter(counter.clone()));
    }

    /// A number that goes up and down. Its name ends with its unit, where it has one.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        let series = self.series(name, help, labels, || Series::Gauge(Gauge::default()));
        if let Series::Gauge(gauge) = series { gauge } else { taken(name) }
    }

    /// How long something takes, in seconds, from half a millisecond to ten seconds. Its name ends with `_seconds`.
    #[must_use]
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        let series = self.series(name, help, labels, || Series::Histogram(Histogram::default()));
        if let Series::Histogram(histogram) = series { histogram } else { taken(name) }
    }

    /// A number that is read whenever somebody looks, such as the size of a pool. The first reading function wins.
    pub fn watched(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let _ = self.series(name, help, labels, || Series::Watched(Arc::new(read)));
    }

    fn series(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        new: impl FnOnce() -> Series,
    ) -> Series {
        let mut wanted: Labels = vec![("service", self.0.service.clone())];
        wanted.extend(labels.iter().map(|(label, value)| (*label, (*value).to_owned())));
        let mut families = self.0.families.write().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        if let Some(found) = family.series.get(&wanted) {
            return found.clone();
        }
        let series = new();
        let fits = family.series.values().next().is_none_or(|other| other.kind() == series.kind());
        if family.series.len() >= MOST_SERIES {
            tracing::warn!(metric = name, "a metric has too many series: one of its labels takes any value");
        } else if fits {
            family.series.insert(wanted, series.clone());
        } else {
            taken::<()>(name);
        }
        series
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn text(&self) -> String {
        // a copy, so that reading functions may look up metrics themselves
        let families = self.0.families.read().unwrap_or_else(PoisonError::into_inner).clone();
        text::write(&families)
    }

    /// The route `GET /metrics`.
    pub fn routes(&self) -> Router {
        async fn read(State(metrics): State<Metrics>) -> ([(header::HeaderName, &'static str); 2], String) {
            let heading = [
                (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (heading, metrics.text())
        }
        Router::new().route("/metrics", get(read)).with_state(self.clone())
    }
}

/// The name belongs to another kind of metric. Work goes on; only the number is not shown.
fn taken<T: Default>(name: &str) -> T {
    tracing::error!(metric = name, "two kinds of metrics have the same name");
    T::default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lines(metrics: &Metrics, of: &str) -> Vec<String> {
        metrics.text().lines().filter(|line| line.contains(of)).map(str::to_owned).collect()
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::new("user-service");
        metrics.counter("x_total", "How many \\ there\nwere.", &[("kind", "a\"b\\c\nd")]).add(3);
        metrics.counter("x_total", "ignored", &[("kind", "z")]).add(1);
        metrics.gauge("depth", "How deep.", &[]).set(-1.5);
        let expected = [
            "# HELP x_total How many \\\\ there\\nwere.",
            "# TYPE x_total counter",
            "x_total{service=\"user-service\",kind=\"a\\\"b\\\\c\\nd\"} 3",
            "x_total{service=\"user-service\",kind=\"z\"} 1",
        ];
        assert_eq!(lines(&metrics, "x_total"), expected);
        assert_eq!(lines(&metrics, "depth")[1..], ["# TYPE depth gauge", "depth{service=\"user-service\"} -1.5"]);
    }

    #[test]
    fn a_histogram_counts_what_is_at_most_each_bound() {
        let metrics = Metrics::new("s");
        let histogram = metrics.histogram("t_seconds", "Time.", &[]);
        for micros in [100, 500, 501, 2_000_000, 60_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let lines = lines(&metrics, "t_seconds");
        for expected in [
            "# TYPE t_seconds histogram",
            "t_seconds_bucket{service=\"s\",le=\"0.0005\"} 2",
            "t_seconds_bucket{service=\"s\",le=\"0.001\"} 3",
            "t_seconds_bucket{service=\"s\",le=\"1\"} 3",
            "t_seconds_bucket{service=\"s\",le=\"2.5\"} 4",
            "t_seconds_bucket{service=\"s\",le=\"10\"} 4",
            "t_seconds_bucket{service=\"s\",le=\"+Inf\"} 5",
            "t_seconds_sum{service=\"s\"} 62.001101",
            "t_seconds_count{service=\"s\"} 5",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:#?}");
        }
    }

    #[test]
    fn the_same_name_and_labels_are_the_same_series() {
        let metrics = Metrics::new("s");
        let clone = metrics.clone();
        metrics.counter("a_total", "", &[("k", "v")]).add(1);
        clone.counter("a_total", "", &[("k", "v")]).add(1);
        assert_eq!(metrics.counter("a_total", "", &[("k", "v")]).value(), 2);
        assert_eq!(metrics.counter("a_total", "", &[("k", "w")]).value(), 0);
    }

    #[test]
    fn a_mistaken_or_endless_metric_hurts_nobody() {
        let metrics = Metrics::new("s");
        metrics.counter("a_total", "", &[]).add(1);
        metrics.gauge("a_total", "", &[]).set(7.0);
        metrics.gauge("a_total", "", &[("k", "v")]).set(7.0);
        assert_eq!(lines(&metrics, "a_total")[1..], ["# TYPE a_total counter", "a_total{service=\"s\"} 1"]);
        for user in 0..MOST_SERIES + 5 {
            metrics.counter("b_total", "", &[("user", &user.to_string())]).add(1);
        }
        assert_eq!(lines(&metrics, "b_total{").len(), MOST_SERIES);
    }

    #[test]
    fn the_process_tells_its_size_and_age() {
        let metrics = Metrics::new("s");
        let value = |name: &str| -> f64 {
            lines(&metrics, &format!("{name}{{"))[0].rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!((0.0..1_000.0).contains(&value("process_uptime_seconds")));
    }

    #[test]
    fn handles_may_be_used_from_any_thread() {
        let metrics = Metrics::new("s");
        let (counter, gauge) = (metrics.counter("c_total", "", &[]), metrics.gauge("g", "", &[]));
        let histogram = metrics.histogram("h_seconds", "", &[]);
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..10_000 {
                        counter.add(1);
                        gauge.add(1.0);
                        histogram.observe(Duration::from_millis(1));
                    }
                });
            }
        });
        assert_eq!(counter.value(), 40_000);
        assert_eq!(gauge.value(), 40_000.0);
        assert_eq!(histogram.count(), 40_000);
    }
}
