//! One JSON object per piece of news, for programs.

use std::io::Write;

use engine::progress::{Phase, Progress};
use serde::Serialize;

use super::pump::Renderer;
use super::text::clean;

/// Raised when a field changes its meaning or goes away; not when one is added.
const SCHEMA_VERSION: u32 = 1;

/// Renders news as lines of JSON.
pub(super) struct Json {
    out: Box<dyn Write + Send>,
}

impl Json {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Json { out }
    }
}

#[derive(Serialize)]
struct Line {
    schema_version: u32,
    kind: &'static str,
    name: String,
    of: Option<String>,
    state: &'static str,
    phase: &'static str,
    note: Option<String>,
    bytes: Option<Bytes>,
    at_ms: u64,
}

#[derive(Serialize)]
struct Bytes {
    done: u64,
    /// Not there when it is not known.
    total: Option<u64>,
}

impl Line {
    fn of(news: &Progress) -> Self {
        let bytes = match news.phase {
            Phase::Bytes(_, done, total) => Some(Bytes { done, total: (total > 0).then_some(total) }),
            _ => None,
        };
        Line {
            schema_version: SCHEMA_VERSION,
            kind: news.kind.as_str(),
            name: clean(&news.name),
            of: news.of.as_deref().map(clean),
            state: news.phase.word(),
            phase: match news.phase {
                Phase::Doing(_) => "doing",
                Phase::Bytes(..) => "bytes",
                Phase::Reached(_) => "reached",
                Phase::Done(_) => "done",
                Phase::Warned(_) => "warned",
                Phase::Failed(_) => "failed",
            },
            note: news.note.as_deref().map(clean),
            bytes,
            at_ms: news.at.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }
}

impl Renderer for Json {
    fn news(&mut self, news: &Progress) {
        if let Ok(line) = serde_json::to_string(&Line::of(news)) {
            // nobody is left to tell when stderr is gone
            let _ = self.out.write_all(format!("{line}\n").as_bytes());
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use engine::progress::Kind;
    use serde_json::{Value, json};

    use super::super::emulator::Sink;
    use super::*;

    #[test]
    fn every_line_is_one_object_whatever_the_names_hold() {
        let sink = Sink::default();
        let mut renderer = Json::new(Box::new(sink.clone()));
        let foreign = "a\n{\"kind\":\"service\"}\x1b[31m\u{9b}2J\x07\u{7f}\u{85}é\"\\";
        let phases = [
            Phase::Doing("starting"),
            Phase::Bytes("pulling", 5, 0),
            Phase::Reached("started"),
            Phase::Done("ready"),
            Phase::Warned("kept"),
            Phase::Failed("failed"),
        ];
        for phase in phases {
            let (name, note, at) = (foreign.to_owned(), Some(foreign.to_owned()), Duration::from_millis(1500));
            renderer.news(&Progress { kind: Kind::Service, name, of: None, phase, note, at });
        }
        let text = sink.text();
        assert_eq!(text.lines().count(), 6);
        for line in text.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["name"], "a {\"kind\":\"service\"} é\"\\");
            assert_eq!(value["note"], value["name"]);
        }
    }

    #[test]
    fn the_fields_are_always_there() {
        let sink = Sink::default();
        let mut renderer = Json::new(Box::new(sink.clone()));
        let (kind, name, at) = (Kind::Image, String::from("redis:7"), Duration::from_millis(42));
        for (phase, note) in [(Phase::Bytes("pulling", 5, 9), None), (Phase::Done("pulled"), Some("new".into()))] {
            renderer.news(&Progress { kind, name: name.clone(), of: None, phase, note, at });
        }
        let (of, phase) = (Some(name), Phase::Doing("waiting"));
        renderer.news(&Progress { kind: Kind::Layer, name: "a1".into(), of, phase, note: None, at });
        let lines: Vec<Value> = sink.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = [
            json!({"schema_version": 1, "kind": "image", "name": "redis:7", "of": null, "state": "pulling", "phase": "bytes",
                "note": null, "bytes": {"done": 5, "total": 9}, "at_ms": 42}),
            json!({"schema_version": 1, "kind": "image", "name": "redis:7", "of": null, "state": "pulled", "phase": "done",
                "note": "new", "bytes": null, "at_ms": 42}),
            json!({"schema_version": 1, "kind": "layer", "name": "a1", "of": "redis:7", "state": "waiting", "phase": "doing",
                "note": null, "bytes": null, "at_ms": 42}),
        ];
        assert_eq!(lines, expected);
    }
}
