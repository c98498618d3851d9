//! Failures only.

use std::io::Write;

use engine::progress::{Phase, Progress};

use super::board::Board;
use super::plain::line;
use super::pump::Renderer;
use super::style::Style;

/// Renders what failed.
pub(super) struct Quiet {
    out: Box<dyn Write + Send>,
    style: Style,
    board: Board,
}

impl Quiet {
    pub(super) fn new(out: Box<dyn Write + Send>, style: Style) -> Self {
        Quiet { out, style, board: Board::default() }
    }
}

impl Renderer for Quiet {
    fn news(&mut self, news: &Progress) {
        let row = self.board.note(news);
        if matches!(row.phase, Phase::Failed(_)) {
            // nobody is left to tell when stderr is gone
            let _ = self.out.write_all(format!("{}\n", line(self.style, row, news.at)).as_bytes());
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::progress::Kind;

    use super::super::emulator::Sink;
    use super::*;

    #[test]
    fn only_a_failure_is_heard() {
        let sink = Sink::default();
        let mut quiet = Quiet::new(Box::new(sink.clone()), Style { color: true, unicode: false });
        let phases = [
            Phase::Doing("starting"),
            Phase::Reached("started"),
            Phase::Done("ready"),
            Phase::Warned("killed"),
            Phase::Failed("timed out"),
        ];
        for (second, phase) in (0..).zip(phases) {
            let at = Duration::from_secs(second);
            quiet.news(&Progress {
                kind: Kind::Service,
                name: "db".into(),
                of: None,
                phase,
                note: Some("no SQL".into()),
                at,
            });
        }
        assert_eq!(sink.text(), " \x1b[31mx\x1b[0m service db \x1b[31mtimed out\x1b[0m (4.0s) - no SQL\n");
    }
}
