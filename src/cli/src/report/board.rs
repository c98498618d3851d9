//! What is known of each resource: the memory behind the live screen and the heartbeat.

use std::time::Duration;

use engine::progress::{Kind, Phase, Progress};

use super::style::Tone;
use super::text;

/// A rate is measured over at least this long.
const WINDOW: Duration = Duration::from_secs(1);
/// No more of a note is kept: no window shows more, and it may be a line of a log.
const NOTE: usize = 1000;

/// All resources, in the order in which they were first heard of.
#[derive(Default)]
pub(super) struct Board {
    pub(super) rows: Vec<Row>,
}

/// One resource, with its texts made harmless.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) name: String,
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
        let name = text::clean(&news.name);
        let known = self.rows.iter().position(|row| row.kind == news.kind && row.name == name);
        let index = known.unwrap_or(self.rows.len());
        if known.is_none() {
            self.rows.push(Row {
                kind: news.kind,
                name,
                phase: news.phase.clone(),
                note: String::new(),
                rate: None,
                began: news.at,
                latest: news.at,
                sample: None,
            });
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

    /// The resources of which more is expected.
    pub(super) fn open(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.phase.is_final())
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
        board.note(&Progress { kind: Kind::Image, name: "redis".into(), phase, note: None, at });
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
