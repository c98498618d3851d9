//! One line per final state, and a sign of life during long waits: for logs and pipes.

use std::io::Write;
use std::time::Duration;

use engine::progress::{Kind, Phase, Progress};

use super::board::{Board, Row};
use super::pump::Renderer;
use super::style::{Style, Tone, humansize, humantime};
use super::text::fit;

/// Silence that may last while something is waited for.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Resources that a heartbeat names.
const NAMED: usize = 5;
/// A note longer than this is cut: it comes from a log, and this is one line.
const NOTE: usize = 300;

/// Renders final states as lines.
pub(super) struct Plain {
    out: Box<dyn Write + Send>,
    style: Style,
    board: Board,
    spoke: Option<Duration>,
}

impl Plain {
    pub(super) fn new(out: Box<dyn Write + Send>, style: Style) -> Self {
        Plain { out, style, board: Board::default(), spoke: None }
    }

    fn say(&mut self, line: &str, at: Duration) {
        // nobody is left to tell when stderr is gone
        let _ = self.out.write_all(format!("{line}\n").as_bytes());
        let _ = self.out.flush();
        self.spoke = Some(at);
    }

    fn heartbeat(&self, now: Duration) -> String {
        let open: Vec<&Row> = self.board.open().collect();
        let mut names: Vec<String> = open.iter().take(NAMED).map(|row| self.waiting(row, now)).collect();
        if open.len() > NAMED {
            names.push(format!("{} more", open.len() - NAMED));
        }
        format!(" {} waiting for {}", self.style.mark(Tone::Busy), names.join("; "))
    }

    fn waiting(&self, row: &Row, now: Duration) -> String {
        let (kind, word) = (row.kind.as_str(), row.phase.word());
        let time = humantime(row.elapsed(now));
        let mut text = format!("{kind} {}: {word} ({time})", self.style.text(&row.name));
        match row.phase {
            Phase::Bytes(_, done, 0) => text.push_str(&format!(" {}", humansize(done))),
            Phase::Bytes(_, done, total) => {
                text.push_str(&format!(" {} / {}", humansize(done), humansize(total)));
            }
            _ if row.note.is_empty() => {}
            _ => text.push_str(&format!(" - {}", note(self.style, row))),
        }
        text
    }
}

impl Renderer for Plain {
    fn news(&mut self, news: &Progress) {
        if news.kind == Kind::Layer {
            return;
        }
        let style = self.style;
        let row = self.board.note(news);
        let line = row.phase.is_final().then(|| line(style, row, news.at));
        match line {
            Some(line) => self.say(&line, news.at),
            None if self.spoke.is_none() => self.spoke = Some(news.at),
            None => {}
        }
    }

    fn tick(&mut self, now: Duration) {
        if self.wake().is_some_and(|at| now >= at) {
            let line = self.heartbeat(now);
            self.say(&line, now);
        }
    }

    fn wake(&self) -> Option<Duration> {
        self.board.open().next()?;
        Some(self.spoke? + HEARTBEAT)
    }
}

/// A final state in one line.
pub(super) fn line(style: Style, row: &Row, now: Duration) -> String {
    let tone = row.tone();
    let (kind, name, word) = (row.kind.as_str(), style.text(&row.name), row.phase.word());
    let mut line = format!(" {} {kind} {name} {}", style.mark(tone), style.paint(tone, word));
    let elapsed = row.elapsed(now);
    if elapsed >= Duration::from_millis(50) {
        line.push_str(&format!(" ({})", humantime(elapsed)));
    }
    if !row.note.is_empty() {
        line.push_str(&format!(" - {}", note(style, row)));
    }
    line
}

fn note(style: Style, row: &Row) -> String {
    fit(&style.text(&row.note), NOTE, style.ellipsis())
}

#[cfg(test)]
mod tests {
    use super::super::emulator::Sink;
    use super::*;

    const ASCII: Style = Style { color: false, unicode: false };

    fn plain(style: Style) -> (Plain, Sink) {
        let sink = Sink::default();
        (Plain::new(Box::new(sink.clone()), style), sink)
    }

    fn tell(plain: &mut Plain, name: &str, phase: Phase, note: &str, seconds: f64) {
        let note = (!note.is_empty()).then(|| note.to_owned());
        let at = Duration::from_secs_f64(seconds);
        plain.news(&Progress { kind: Kind::Service, name: name.into(), of: None, phase, note, at });
    }

    #[test]
    fn only_final_states_make_lines() {
        let (mut plain, sink) = plain(Style { color: false, unicode: true });
        tell(&mut plain, "postgres", Phase::Doing("creating"), "", 0.0);
        tell(&mut plain, "postgres", Phase::Reached("started"), "", 0.5);
        tell(&mut plain, "postgres", Phase::Bytes("pulling", 1, 2), "", 0.6);
        tell(&mut plain, "postgres", Phase::Done("ready"), "SQL answered", 1.2);
        tell(&mut plain, "redis", Phase::Done("unchanged"), "", 1.2);
        tell(&mut plain, "web", Phase::Failed("failed"), "exit 1\n ✓ service web ready\x1b[2J", 1.3);
        assert_eq!(
            sink.text(),
            " ✓ service postgres ready (1.2s) - SQL answered\n ✓ service redis unchanged\n \
             ✗ service web failed - exit 1  ✓ service web ready\n"
        );
    }

    #[test]
    fn layers_are_not_told() {
        let (mut plain, sink) = plain(ASCII);
        tell(&mut plain, "web", Phase::Bytes("pulling", 1, 2), "0 of 1 layer", 0.0);
        let (kind, of, at) = (Kind::Layer, Some("web".to_owned()), Duration::from_secs(1));
        for phase in [Phase::Bytes("downloading", 1, 2), Phase::Done("pulled")] {
            plain.news(&Progress { kind, name: "a".into(), of: of.clone(), phase, note: None, at });
        }
        plain.tick(Duration::from_secs(15));
        assert_eq!(sink.text(), " - waiting for service web: pulling (15.0s) 1 B / 2 B\n");
    }

    #[test]
    fn without_utf8_every_byte_is_ascii() {
        let (mut plain, sink) = plain(ASCII);
        tell(&mut plain, "größe", Phase::Doing("starting"), "", 0.0);
        plain.tick(Duration::from_secs(16));
        tell(&mut plain, "größe", Phase::Warned("kept"), &"é".repeat(400), 17.0);
        assert!(sink.text().is_ascii());
        assert!(sink.text().contains(" ! service gr??e kept (17.0s) - ????"));
        assert!(sink.text().ends_with("?...\n"));
    }

    #[test]
    fn a_long_wait_has_a_heartbeat_and_no_more_than_one_in_15_seconds() {
        let (mut plain, sink) = plain(ASCII);
        assert_eq!(plain.wake(), None);
        tell(&mut plain, "rabbitmq", Phase::Doing("waiting"), "AMQP handshake", 1.0);
        tell(&mut plain, "redis", Phase::Bytes("pulling", 1_500_000, 3_000_000), "", 1.0);
        assert_eq!(plain.wake(), Some(Duration::from_secs(16)));
        plain.tick(Duration::from_millis(15_999));
        assert_eq!(sink.text(), "");
        for millis in (16_000..=30_900).step_by(100) {
            plain.tick(Duration::from_millis(millis));
        }
        assert_eq!(
            sink.take(),
            " - waiting for service rabbitmq: waiting (15.0s) - AMQP handshake; \
             service redis: pulling (15.0s) 1.5 MB / 3.0 MB\n"
        );
        tell(&mut plain, "redis", Phase::Done("ready"), "", 30.95);
        sink.take();
        plain.tick(Duration::from_secs(31));
        assert_eq!(sink.text(), "", "a line was written just now");
        tell(&mut plain, "rabbitmq", Phase::Done("ready"), "", 32.0);
        assert_eq!(plain.wake(), None, "nothing is waited for");
    }

    #[test]
    fn a_heartbeat_names_a_few() {
        let (mut plain, sink) = plain(ASCII);
        for index in 0..8 {
            tell(&mut plain, &format!("s{index}"), Phase::Doing("starting"), "", 0.0);
        }
        plain.tick(Duration::from_secs(15));
        assert!(sink.text().ends_with("service s4: starting (15.0s); 3 more\n"), "{}", sink.text());
    }
}
