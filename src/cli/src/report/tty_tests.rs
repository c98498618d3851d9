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
        self.tty.news(&Progress { kind, name: name.into(), of: None, phase, note, at: self.now });
    }

    fn layer(&mut self, of: &str, name: &str, phase: Phase) {
        let (kind, of) = (Kind::Layer, Some(of.to_owned()));
        self.tty.news(&Progress { kind, name: name.into(), of, phase, note: None, at: self.now });
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
            " ⠦ image   redis:7               pulling     1.6s  ██████░░░░░░  15.0 MB / 30.0 MB  10.0 MB/s  1.0s left",
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
fn layers_are_shown_below_their_image_while_there_is_room() {
    let mut bench = Bench::new(90, 8, PLAIN);
    bench.tell(Kind::Image, "web:1", Phase::Bytes("pulling", 20_000_000, 40_000_000), "1 of 4 layers");
    bench.service("redis", Phase::Doing("waiting"), "");
    bench.layer("web:1", "a1", Phase::Done("pulled"));
    bench.layer("web:1", "b2", Phase::Bytes("downloading", 10_000_000, 20_000_000));
    bench.layer("web:1", "c3", Phase::Bytes("extracting", 5_000_000, 20_000_000));
    bench.layer("web:1", "d4", Phase::Doing("waiting"));
    let all = [
        " ⠙ image   web:1 pulling       0.1s  ██████░░░░░░  20.0 MB / 40.0 MB  1 of 4 layers",
        " ✓ layer     a1  pulled        0.0s",
        " ⠙ layer     b2  downloading   0.1s  ██████░░░░░░  10.0 MB / 20.0 MB",
        " ⠙ layer     c3  extracting    0.1s  ███░░░░░░░░░  5.0 MB / 20.0 MB",
        " ⠙ layer     d4  waiting       0.1s",
        " ⠙ service redis waiting       0.1s",
    ];
    assert_eq!(bench.pass(100), all);
    // a lower window has less room: first for what is done, then for layers at all
    let mut lower = |rows: u16| {
        bench.size.lock().unwrap().1 = rows;
        let head = |line: &&str| line.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
        bench.pass(100).iter().map(head).collect::<Vec<_>>()
    };
    assert_eq!(lower(6), ["image web:1", "layer b2", "layer c3", "layer d4", "service redis"]);
    assert_eq!(lower(4), ["image web:1", "layer b2", "service redis"]);
    assert_eq!(lower(3), ["image web:1", "service redis"]);
    bench.service("db", Phase::Doing("waiting"), "");
    assert_eq!(bench.pass(100)[0], " · 2 under way", "layers are no resources");
    // in the end one line per resource is left
    bench.size.lock().unwrap().1 = 20;
    bench.tell(Kind::Image, "web:1", Phase::Done("pulled"), "");
    bench.service("redis", Phase::Done("ready"), "");
    bench.service("db", Phase::Done("ready"), "");
    assert_eq!(bench.end().len(), 3);
}

#[test]
fn an_interrupted_pull_leaves_no_layers_on_the_screen() {
    let mut bench = Bench::new(90, 8, PLAIN);
    bench.tell(Kind::Image, "web:1", Phase::Doing("pulling"), "0 of 1 layer");
    bench.layer("web:1", "b2", Phase::Bytes("downloading", 10_000_000, 20_000_000));
    assert_eq!(bench.pass(100).len(), 2);
    assert_eq!(bench.end().len(), 1);
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
