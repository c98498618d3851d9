//! What is known of each resource: the memory behind the live screen and the heartbeat.

use std::time::Duration;

use engine::progress::{Kind, Phase, Progress};

use super::style::Tone;
use super::text;

/// A rate is measured over at least this long.
const WINDOW: Duration = Duration::from_secs(1);
/// No more of a note is kept: no window shows more, and it may be a line of a log.
const NOTE: usize = 1000;

/// All resources, in the order in which they were first heard of; the layers of an image below it, while it is pulled.
#[derive(Default)]
pub(super) struct Board {
    pub(super) rows: Vec<Row>,
}

/// One resource, with its texts made harmless.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The image that it is a layer of.
    pub(super) of: Option<String>,
    pub(super) phase: Phase,
    pub(super) note: String,
    /// Bytes per second, while there is something to measure.
    pub(super) rate: Option<u64>,
    began: Duration,
    latest: Duration,
    sample: Option<(Duration, u64)>,
}

impl Board {
    /// Notes the news; the row that it is about.
    pub(super) fn note(&mut self, news: &Progress) -> &Row {
        let (name, of) = (text::clean(&news.name), news.of.as_deref().map(text::clean));
        if news.kind == Kind::Image && news.phase.is_final() {
            self.rows.retain(|row| row.of.as_ref() != Some(&name));
        }
        let known = self.rows.iter().position(|row| row.kind == news.kind && row.name == name && row.of == of);
        let index = known.unwrap_or_else(|| self.place(of.as_deref()));
        if known.is_none() {
            let row = Row {
                kind: news.kind,
                name,
                of,
                phase: news.phase.clone(),
                note: String::new(),
                rate: None,
                began: news.at,
                latest: news.at,
                sample: None,
            };
            self.rows.insert(index, row);
        }
        let row = &mut self.rows[index];
        if row.phase.is_final() && !news.phase.is_final() {
            // it was done with, and something new begins: a restart
            row.began = news.at;
        }
        row.measure(news);
        row.phase = news.phase.clone();
        row.note = news.note.as_deref().map(|note| text::clean(note).chars().take(NOTE).collect()).unwrap_or_default();
        row.latest = news.at;
        row
    }

    /// Where a new row belongs: at the end, or below the image that it is of and the other layers of that.
    fn place(&self, of: Option<&str>) -> usize {
        let belongs = |row: &Row| row.of.as_deref() == of || (row.kind == Kind::Image && Some(row.name.as_str()) == of);
        let last = of.and_then(|_| self.rows.iter().rposition(belongs));
        last.map_or(self.rows.len(), |last| last + 1)
    }

    /// All but the layers, which are parts of something that has a row of its own.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.of.is_none())
    }

    /// The resources of which more is expected.
    pub(super) fn open(&self) -> impl Iterator<Item = &Row> {
        self.resources().filter(|row| !row.phase.is_final())
    }
}

impl Row {
    fn measure(&mut self, news: &Progress) {
        let Phase::Bytes(word, done, _) = news.phase else {
            self.sample = None;
            self.rate = None;
            return;
        };
        match self.sample {
            Some((at, before)) if word == self.phase.word() && done >= before => {
                let passed = news.at.saturating_sub(at);
                if passed >= WINDOW {
                    self.rate = Some(((done - before) as f64 / passed.as_secs_f64()) as u64);
                    self.sample = Some((news.at, done));
                }
            }
            _ => self.sample = Some((news.at, done)),
        }
    }

    /// How long it has taken, or took.
    pub(super) fn elapsed(&self, now: Duration) -> Duration {
        let until = if self.phase.is_final() { self.latest } else { now.max(self.latest) };
        until.saturating_sub(self.began)
    }

    pub(super) fn tone(&self) -> Tone {
        tone(&self.phase)
    }
}

/// The tone in which a phase is told.
pub(super) fn tone(phase: &Phase) -> Tone {
    match phase {
        Phase::Doing(_) | Phase::Bytes(..) | Phase::Reached(_) => Tone::Busy,
        Phase::Done(_) => Tone::Ok,
        Phase::Warned(_) => Tone::Warn,
        Phase::Failed(_) => Tone::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(board: &mut Board, phase: Phase, millis: u64) {
        let at = Duration::from_millis(millis);
        board.note(&Progress { kind: Kind::Image, name: "redis".into(), of: None, phase, note: None, at });
    }

    fn layer(board: &mut Board, of: &str, name: &str, phase: Phase) {
        let (kind, of, at) = (Kind::Layer, Some(of.to_owned()), Duration::ZERO);
        board.note(&Progress { kind, name: name.into(), of, phase, note: None, at });
    }

    #[test]
    fn layers_stand_below_their_image_until_it_is_there() {
        let mut board = Board::default();
        tell(&mut board, Phase::Doing("pulling"), 0);
        let (kind, phase, at) = (Kind::Image, Phase::Doing("pulling"), Duration::ZERO);
        board.note(&Progress { kind, name: "web".into(), of: None, phase, note: None, at });
        // a layer that two images have in common
        for (of, name) in [("redis", "a"), ("web", "a"), ("redis", "b"), ("web", "c")] {
            layer(&mut board, of, name, Phase::Doing("waiting"));
        }
        layer(&mut board, "redis", "a", Phase::Done("pulled"));
        let names = |board: &Board| board.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&board), ["redis", "a", "b", "web", "a", "c"]);
        assert_eq!(board.open().count(), 2, "a layer is nothing that somebody waits for");
        tell(&mut board, Phase::Done("pulled"), 1_000);
        assert_eq!(names(&board), ["redis", "web", "a", "c"]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_second_or_more() {
        let mut board = Board::default();
        tell(&mut board, Phase::Bytes("pulling", 0, 10_000), 0);
        tell(&mut board, Phase::Bytes("pulling", 400, 10_000), 500);
        assert_eq!(board.rows[0].rate, None);
        tell(&mut board, Phase::Bytes("pulling", 2_000, 10_000), 1_000);
        assert_eq!(board.rows[0].rate, Some(2_000));
        tell(&mut board, Phase::Bytes("pulling", 8_000, 10_000), 3_000);
        assert_eq!(board.rows[0].rate, Some(3_000));
        tell(&mut board, Phase::Done("pulled"), 3_100);
        assert_eq!(board.rows[0].rate, None);
    }

    #[test]
    fn the_timer_stops_at_the_end_and_starts_anew_after_it() {
        let mut board = Board::default();
        tell(&mut board, Phase::Doing("stopping"), 1_000);
        assert_eq!(board.rows[0].elapsed(Duration::from_secs(3)), Duration::from_secs(2));
        tell(&mut board, Phase::Done("stopped"), 5_000);
        assert_eq!(board.rows[0].elapsed(Duration::from_secs(60)), Duration::from_secs(4));
        tell(&mut board, Phase::Doing("starting"), 6_000);
        assert_eq!(board.rows[0].elapsed(Duration::from_secs(7)), Duration::from_secs(1));
        assert_eq!(board.open().count(), 1);
    }
}
