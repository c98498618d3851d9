//! The metrics that every service has, under the platform's names.

use std::time::Duration;

use super::{Counter, Histogram, Metrics};

/// A query that takes longer is slow.
const SLOW_QUERY: Duration = Duration::from_secs(1);

/// Commands, queries and events of one type, as their senders see them: `requests_total{operation,status}`,
/// `request_duration_seconds{operation}`, `request_errors_total{operation}`.
#[derive(Clone)]
pub struct OperationMetrics {
    succeeded: Counter,
    failed: Counter,
    errors: Counter,
    duration: Histogram,
}

impl OperationMetrics {
    /// The metrics of the messages that are called `operation`.
    #[must_use]
    pub fn new(metrics: &Metrics, operation: &str) -> Self {
        let total = |status| {
            let labels = [("operation", operation), ("status", status)];
            metrics.counter("requests_total", "Messages that were answered.", &labels)
        };
        let labels = [("operation", operation)];
        Self {
            succeeded: total("success"),
            failed: total("error"),
            errors: metrics.counter("request_errors_total", "Messages that were answered with a fault.", &labels),
            duration: metrics.histogram(
                "request_duration_seconds",
                "From the arrival of a message until its answer was sent, in seconds.",
                &labels,
            ),
        }
    }

    /// Counts a message that was answered with a result.
    pub fn succeeded(&self, time: Duration) {
        self.succeeded.add(1);
        self.duration.observe(time);
    }

    /// Counts a message that was answered with a fault.
    pub fn failed(&self, time: Duration) {
        self.failed.add(1);
        self.errors.add(1);
        self.duration.observe(time);
    }
}

/// One handler: `handler_executions_total{handler}`, `handler_duration_seconds{handler}`, `handler_errors_total{handler}`.
#[derive(Clone)]
pub struct HandlerMetrics {
    executions: Counter,
    errors: Counter,
    duration: Histogram,
}

impl HandlerMetrics {
    /// The metrics of the handler that is called `handler`.
    #[must_use]
    pub fn new(metrics: &Metrics, handler: &str) -> Self {
        let labels = [("handler", handler)];
        Self {
            executions: metrics.counter("handler_executions_total", "How often a handler ran.", &labels),
            errors: metrics.counter("handler_errors_total", "How often a handler failed.", &labels),
            duration: metrics.histogram("handler_duration_seconds", "How long a handler ran, in seconds.", &labels),
        }
    }

    /// Counts a run that gave a result.
    pub fn succeeded(&self, time: Duration) {
        self.executions.add(1);
        self.duration.observe(time);
    }

    /// Counts a run that failed.
    pub fn failed(&self, time: Duration) {
        self.succeeded(time);
        self.errors.add(1);
    }
}

/// Queries to PostgreSQL: `db_queries_total`, `db_query_duration_seconds`, `db_slow_queries_total` (over 1 s), and the
/// connections `db_connections_active`, `db_connections_idle`, `db_connections_total`.
#[derive(Clone)]
pub struct DatabaseMetrics {
    queries: Counter,
    slow: Counter,
    duration: Histogram,
}

impl DatabaseMetrics {
    /// The metrics of the service's queries.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            queries: metrics.counter("db_queries_total", "Queries to the database.", &[]),
            slow: metrics.counter("db_slow_queries_total", "Queries that took more than a second.", &[]),
            duration: metrics.histogram("db_query_duration_seconds", "How long queries took, in seconds.", &[]),
        }
    }

    /// Counts a query.
    pub fn query(&self, time: Duration) {
        self.queries.add(1);
        self.duration.observe(time);
        if time > SLOW_QUERY {
            self.slow.add(1);
        }
    }

    /// Shows the connections of a pool: `read` tells all of them, and those of them that are idle.
    pub fn connections(metrics: &Metrics, read: impl Fn() -> (u32, u32) + Clone + Send + Sync + 'static) {
        let (all, idle, active) = (read.clone(), read.clone(), read);
        let total = "Connections to the database.";
        metrics.watched("db_connections_total", total, &[], move || f64::from(all().0));
        metrics.watched("db_connections_idle", "Connections that nobody uses.", &[], move || f64::from(idle().1));
        metrics.watched("db_connections_active", "Connections in use.", &[], move || {
            let (all, idle) = active();
            f64::from(all.saturating_sub(idle))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_names_are_kept() {
        let metrics = Metrics::new("user-service");
        let operation = OperationMetrics::new(&metrics, "GetUser");
        operation.succeeded(Duration::from_millis(1));
        operation.failed(Duration::from_millis(1));
        HandlerMetrics::new(&metrics, "get_user").failed(Duration::from_millis(1));
        let database = DatabaseMetrics::new(&metrics);
        database.query(Duration::from_millis(1));
        database.query(Duration::from_millis(1_001));
        DatabaseMetrics::connections(&metrics, || (10, 4));
        let text = metrics.text();
        for line in [
            r#"requests_total{service="user-service",operation="GetUser",status="success"} 1"#,
            r#"requests_total{service="user-service",operation="GetUser",status="error"} 1"#,
            r#"request_errors_total{service="user-service",operation="GetUser"} 1"#,
            r#"request_duration_seconds_count{service="user-service",operation="GetUser"} 2"#,
            r#"handler_executions_total{service="user-service",handler="get_user"} 1"#,
            r#"handler_errors_total{service="user-service",handler="get_user"} 1"#,
            r#"handler_duration_seconds_count{service="user-service",handler="get_user"} 1"#,
            r#"db_queries_total{service="user-service"} 2"#,
            r#"db_slow_queries_total{service="user-service"} 1"#,
            r#"db_query_duration_seconds_count{service="user-service"} 2"#,
            r#"db_connections_total{service="user-service"} 10"#,
            r#"db_connections_idle{service="user-service"} 4"#,
            r#"db_connections_active{service="user-service"} 6"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
    }
}
