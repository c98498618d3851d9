//! Logs: one event, one line of JSON on standard output.
//!
//! A line has `timestamp`, `level`, `serviceName` and `message`; `correlationId`, `traceId`, `spanId` and `userId` while a
//! message is handled (see [`Flow`]); and `context`, the event's own fields, when it has any. Nothing in a value can break a line or reach
//! a terminal as a control sequence: control characters of every kind are escaped. What stands under a sensitive key
//! (see [`is_sensitive`]) is replaced.

mod redaction;

pub use redaction::{REDACTED, Sensitive, is_sensitive, redacted, redacted_text};

use std::{
    fmt,
    io::{self, Write},
    panic,
};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    subscriber,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
};

use crate::{Flow, clock, config::LogLevel};

/// Libraries that report every failed attempt themselves; the monitors report a failure once.
const CHATTY: [&str; 3] = ["lapin", "async_rs", "sqlx"];

/// Sends the events of this process to standard output, and panics with them. The first call wins.
pub fn init(service: &str, level: LogLevel) {
    let subscriber = Registry::default().with(lines(service, io::stdout).with_filter(filter(level)));
    if subscriber::set_global_default(subscriber).is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            let message = panic.payload_as_str().unwrap_or("unknown reason");
            tracing::error!(place, "panicked: {message}");
        }));
    }
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let targets = Targets::new().with_default(level);
    if level == LevelFilter::TRACE {
        targets
    } else {
        targets.with_targets(CHATTY.map(|target| (target, LevelFilter::OFF)))
    }
}

/// A layer that writes the events of `service` as lines of JSON.
pub fn lines<S: Subscriber>(service: &str, writer: impl for<'w> MakeWriter<'w> + 'static) -> impl Layer<S> {
    Lines { service: service.to_owned(), writer }
}

struct Lines<W> {
    service: String,
    writer: W,
}

impl<S: Subscriber, W: for<'w> MakeWriter<'w> + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let mut fields = fields.0;
        let message = fields.remove("message").unwrap_or_else(|| "".into());
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), clock::now().into());
        line.insert("level".to_owned(), word(*event.metadata().level()).into());
        line.insert("serviceName".to_owned(), self.service.as_str().into());
        line.insert("message".to_owned(), message);
        Flow::look(|flow| {
            line.insert("correlationId".to_owned(), flow.correlation_id.as_str().into());
            line.insert("traceId".to_owned(), format!("{:032x}", flow.trace.trace_id()).into());
            line.insert("spanId".to_owned(), format!("{:016x}", flow.trace.span_id()).into());
            if let Some(auth) = &flow.auth {
                line.insert("userId".to_owned(), auth.user_id.as_str().into());
            }
        });
        if !fields.is_empty() {
            line.insert("context".to_owned(), fields.into());
        }
        let line = printable(&Value::Object(line).to_string());
        // There is nobody to tell when standard output is gone, and a service must not stop for it.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// JSON already escapes the control characters below U+0020; this escapes the others, and the two line separators
/// that some readers split at. They can only stand inside of strings. Ends the line.
fn printable(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let value = if is_sensitive(field.name()) { REDACTED.into() } else { value };
        self.0.insert(field.name().to_owned(), value);
    }

    /// Text may hold a value of its own, as JSON or as `Debug` writes it.
    fn put_text(&mut self, field: &Field, text: &str) {
        self.put(field, redacted_text(text).into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::protocol::Auth;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, events: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = lines("auth-service", move || writer.clone()).with_filter(filter(level));
        subscriber::with_default(Registry::default().with(layer), events);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_a_line_of_json() {
        let text = logged(LogLevel::Info, || {
            tracing::warn!(port = 3001, ready = false, "waiting for {}", "redis");
        });
        let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        assert_eq!(line["level"], "warn");
        assert_eq!(line["serviceName"], "auth-service");
        assert_eq!(line["message"], "waiting for redis");
        assert_eq!(line["context"]["port"], 3001);
        assert_eq!(line["context"]["ready"], false);
        assert!(line["timestamp"].is_string());
    }

    #[tokio::test]
    async fn lines_say_which_message_they_are_about() {
        let page = Page::default();
        let writer = page.clone();
        let layer = lines("auth-service", move || writer.clone());
        let _guard = subscriber::set_default(Registry::default().with(layer));
        let mut flow = Flow::begin(|| 7);
        flow.auth = Some(Arc::new(Auth { user_id: "u1".to_owned(), ..Auth::default() }));
        let flow = Arc::new(flow);
        flow.clone().scope(async { tracing::info!("inside") }).await;
        tracing::info!("outside");
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["correlationId"], flow.correlation_id.as_str());
        assert_eq!(lines[0]["traceId"], "00000000000000000000000000000007");
        assert_eq!(lines[0]["spanId"], "0000000000000007");
        assert_eq!(lines[0]["userId"], "u1");
        for key in ["correlationId", "traceId", "spanId", "userId"] {
            assert!(lines[1].get(key).is_none(), "{key}");
        }
    }

    #[test]
    fn secrets_are_not_written() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only shown")]
        struct Login<'a> {
            name: &'a str,
            password: &'a str,
            pin: Sensitive<u16>,
        }
        let login = Login { name: "ada", password: "hunter2", pin: Sensitive(1_234) };
        let text = logged(LogLevel::Info, || {
            tracing::info!(password = "hunter2", apiKey = 12_345_678, user_token = true, ?login, "got {login:?}");
            tracing::info!(body = r#"{"password":"hunter2","name":"ada"}"#, "password=hunter2");
        });
        for secret in ["hunter2", "12345678", "1234"] {
            assert!(!text.contains(secret), "{text}");
        }
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["context"]["password"], REDACTED);
        assert_eq!(lines[0]["context"]["apiKey"], REDACTED);
        assert_eq!(lines[0]["context"]["user_token"], REDACTED);
        let shown = r#"Login { name: "ada", password: "***REDACTED***", pin: [REDACTED] }"#;
        assert_eq!(lines[0]["context"]["login"], shown);
        assert_eq!(lines[0]["message"], format!("got {shown}"));
        assert_eq!(lines[1]["context"]["body"], r#"{"password":"***REDACTED***","name":"ada"}"#);
    }

    #[test]
    fn no_value_can_break_a_line() {
        let nasty: String = (0..=0x9f_u32).chain([0x2028, 0x2029]).filter_map(char::from_u32).collect();
        let text = logged(LogLevel::Info, || {
            tracing::info!(value = nasty, display = %nasty, "{nasty}");
        });
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}'));
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["message"], nasty.as_str());
        assert_eq!(line["context"]["value"], nasty.as_str());
    }

    #[test]
    fn levels_below_the_chosen_one_and_chatty_libraries_are_silent() {
        let text = logged(LogLevel::Warn, || {
            tracing::info!("no");
            tracing::error!(target: "lapin::io_loop", "no");
            tracing::error!("yes");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let everything = logged(LogLevel::Trace, || {
            tracing::error!(target: "lapin::io_loop", "yes");
        });
        assert_eq!(everything.lines().count(), 1, "{everything}");
    }
}
