//! The live screen on terminals of several sizes.

use engine::progress::{Kind, Phase, Progress};

use super::super::emulator::{Sink, Terminal};
use super::*;

const PLAIN: Style = Style { color: false, unicode: true };

/// A screen, its terminal and its clock.
struct Bench {
    tty: Tty,
    sink: Sink,
    terminal: Terminal,
    size: Arc<Mutex<(u16, u16)>>,
    now: Duration,
}

impl Bench {
    fn new(columns: u16, rows: u16, style: Style) -> Self {
        let (sink, size) = (Sink::default(), Arc::new(Mutex::new((columns, rows))));
        let asked = size.clone();
        let ask: Size = Box::new(move || asked.lock().ok().map(|size| *size));
        let tty = Tty::new(Box::new(sink.clone()), style, ask);
        let terminal = Terminal::new(columns.into(), rows.into());
        Bench { tty, sink, terminal, size, now: Duration::ZERO }
    }

    fn tell(&mut self, kind: Kind, name: &str, phase: Phase, note: &str) {
        let note = (!note.is_empty()).then(|| note.to_owned());
        self.tty.news(&Progress { kind, name: name.into(), phase, note, at: self.now });
    }

    fn service(&mut self, name: &str, phase: Phase, note: &str) {
        self.tell(Kind::Service, name, phase, note);
    }

    /// Time passes, and a frame is drawn.
    fn pass(&mut self, millis: u64) -> Vec<&str> {
        self.now += Duration::from_millis(millis);
        self.tty.tick(self.now);
        self.show()
    }

    fn end(&mut self) -> Vec<&str> {
        self.tty.end();
        self.show()
    }

    fn show(&mut self) -> Vec<&str> {
        self.terminal.feed(&self.sink.take());
        assert_eq!(self.terminal.wraps, 0, "a line ran over the edge");
        self.terminal.lines()
    }
}

#[test]
fn a_wide_window_shows_everything() {
    let mut bench = Bench::new(120, 40, PLAIN);
    bench.tell(Kind::Network, "flow-platform-network", Phase::Done("created"), "");
    bench.service("postgres", Phase::Doing("waiting"), "SQL not answered yet");
    bench.tell(Kind::Image, "redis:7", Phase::Bytes("pulling", 0, 30_000_000), "");
    bench.pass(1_500);
    bench.tell(Kind::Image, "redis:7", Phase::Bytes("pulling", 15_000_000, 30_000_000), "");
    assert_eq!(
        bench.pass(100),
        [
            " ✓ network flow-platform-network created     0.0s",
            " ⠦ service postgres              waiting     1.6s  SQL not answered yet",
            " ⠦ image   redis:7               pulling     1.6s  ██████░░░░░░  15.0 MB / 30.0 MB  10.0 MB/s",
        ]
    );
    bench.service("postgres", Phase::Done("ready"), "SQL answered");
    bench.tell(Kind::Image, "redis:7", Phase::Failed("failed"), "no answer");
    let last = [
        " ✓ network flow-platform-network created     0.0s",
        " ✓ service postgres              ready       1.6s  SQL answered",
        " ✗ image   redis:7               failed      1.6s  no answer",
    ];
    assert_eq!(bench.end(), last);
    assert_eq!(bench.terminal.cursor(), (3, 0), "the shell goes on below");
    assert!(!bench.terminal.colors);
}

#[test]
fn a_small_window_is_folded_and_opens_at_the_end() {
    let mut bench = Bench::new(40, 10, PLAIN);
    for index in 0..9 {
        bench.service(&format!("finished-{index}"), Phase::Done("ready"), "");
    }
    for index in 0..3 {
        bench.service(&format!("waiting-for-long-{index}"), Phase::Doing("starting"), "a note that has no room");
    }
    bench.service("broken", Phase::Failed("failed"), "exit 1");
    assert_eq!(
        bench.pass(100),
        [
            " ✓ 9 done",
            " ⠙ svc waiting-for-lo… starting    0.1s",
            " ⠙ svc waiting-for-lo… starting    0.1s",
            " ⠙ svc waiting-for-lo… starting    0.1s",
            " ✗ svc broken          failed      0.0s",
        ]
    );
    for index in 3..20 {
        bench.service(&format!("waiting-for-long-{index}"), Phase::Doing("starting"), "");
    }
    let frame = bench.pass(100);
    assert_eq!(frame.len(), 9);
    assert_eq!(frame[0], " ✓ 9 done  · 13 under way");
    assert!(frame.iter().any(|line| line.contains("broken")), "a failure stays in sight");
    let list = bench.end();
    assert_eq!(list.len(), 30, "one line per resource");
    assert_eq!(list[9], " · svc waiting-for-lo… starting    0.2s", "nothing turns any more");
}

#[test]
fn wide_characters_are_cut_by_their_width() {
    for columns in 1..60 {
        let mut bench = Bench::new(columns, 10, PLAIN);
        bench.service("日本語のサービス名前がとても長い", Phase::Doing("starting"), "まだ答えがない 🦀🦀");
        bench.pass(100);
        bench.end();
    }
}

#[test]
fn colours_are_used_only_when_asked_for() {
    for color in [true, false] {
        let mut bench = Bench::new(40, 10, Style { color, unicode: false });
        bench.service("web", Phase::Doing("starting"), "\x1b[31mno\x1b[0m\nsuch \u{9b}2J thing \u{202e}");
        assert_eq!(bench.pass(100), [" / svc web starting    0.1s  no such..."]);
        assert_eq!(bench.terminal.colors, color);
    }
}

#[test]
fn a_narrower_window_leaves_no_traces() {
    let mut bench = Bench::new(120, 20, PLAIN);
    for name in ["postgres", "rabbitmq", "redis"] {
        bench.service(name, Phase::Doing("waiting"), &"a long note ".repeat(6));
    }
    assert_eq!(bench.pass(100).len(), 3);
    for columns in [70, 41, 40] {
        bench.terminal.narrow(columns);
        if let Ok(mut size) = bench.size.lock() {
            size.0 = columns as u16;
        }
        let frame = bench.pass(100);
        assert_eq!(frame.len(), 3, "{frame:#?}");
    }
    assert_eq!(bench.end().len(), 3);
}

#[test]
fn hiding_gives_the_place_to_others() {
    let mut bench = Bench::new(80, 10, PLAIN);
    bench.service("postgres", Phase::Doing("waiting"), "");
    bench.service("redis", Phase::Doing("waiting"), "");
    bench.pass(100);
    bench.tty.hide();
    assert!(bench.show().is_empty());
    assert_eq!(bench.terminal.cursor(), (0, 0));
    bench.terminal.feed("Delete it? y\r\n");
    assert_eq!(bench.pass(100).len(), 3);
    assert_eq!(bench.end()[0], "Delete it? y");
}

#[test]
fn what_has_settled_stays_above_what_comes() {
    let mut bench = Bench::new(80, 10, PLAIN);
    bench.service("postgres", Phase::Done("ready"), "");
    bench.pass(100);
    bench.tty.settle();
    let settled = " ✓ service postgres ready       0.0s";
    assert_eq!(bench.show(), [settled]);
    bench.terminal.feed("postgres  localhost:5432\r\n");
    bench.service("jaeger", Phase::Doing("starting"), "");
    let below = [settled, "postgres  localhost:5432", " ⠹ service jaeger starting    0.1s"];
    assert_eq!(bench.pass(100), below);
    bench.service("jaeger", Phase::Done("started"), "");
    assert_eq!(bench.end()[2], " ✓ service jaeger started     0.1s");
}

#[test]
fn it_draws_ten_times_a_second_at_most_and_rests_when_nothing_turns() {
    let mut bench = Bench::new(80, 10, PLAIN);
    assert_eq!(bench.tty.wake(), None);
    bench.service("redis", Phase::Doing("waiting"), "");
    bench.pass(0);
    assert_eq!(bench.tty.wake(), Some(Duration::from_millis(100)));
    bench.service("redis", Phase::Done("ready"), "");
    bench.tty.tick(Duration::from_millis(99));
    assert_eq!(bench.sink.text(), "");
    assert_eq!(bench.pass(100), [" ✓ service redis ready       0.0s"]);
    assert_eq!(bench.tty.wake(), None);
}

#[test]
fn nothing_to_show_is_nothing() {
    let mut bench = Bench::new(80, 10, PLAIN);
    bench.tty.end();
    assert_eq!(bench.sink.take().trim_matches('\r').replace("\x1b[2K", ""), "");
}
