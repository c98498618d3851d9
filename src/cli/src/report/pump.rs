//! The thread that renders, so that whoever reports never waits for a terminal.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::progress::{Progress, Reporter};

use super::Screen;

/// One way to show the news. Times are those of the run: what [`Progress::at`] counts in.
pub(super) trait Renderer {
    /// Something happened.
    fn news(&mut self, news: &Progress);
    /// Time has passed; called after every piece of news, too.
    fn tick(&mut self, _now: Duration) {}
    /// When `tick` is wanted next, if nothing happens before.
    fn wake(&self) -> Option<Duration> {
        None
    }
    /// Take everything that will change off the screen.
    fn hide(&mut self) {}
    /// Let what is shown stay, and begin anew below it.
    fn settle(&mut self) {}
    /// The last word.
    fn end(&mut self) {}
}

enum Message {
    News(Progress),
    Hide(Sender<()>),
    Show,
    Settle,
    End,
}

/// A renderer on a thread of its own.
pub(super) struct Pump {
    to: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pump {
    /// The renderer is made on its thread, where it stays.
    pub(super) fn start<R: Renderer>(make: impl FnOnce() -> R + Send + 'static) -> Self {
        let (to, from) = mpsc::channel();
        // without a thread there is no progress to see, which is no reason to stop the work
        let thread = thread::Builder::new().name("report".into()).spawn(move || render(make(), &from)).ok();
        Pump { to, thread: Mutex::new(thread) }
    }
}

impl Reporter for Pump {
    fn report(&self, progress: &Progress) {
        // after `finish` nobody listens, and nobody needs to
        let _ = self.to.send(Message::News(progress.clone()));
    }
}

impl Screen for Pump {
    fn finish(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = self.to.send(Message::End);
            let _ = thread.join();
        }
    }

    fn settle(&self) {
        let _ = self.to.send(Message::Settle);
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        /// Shows the screen again, also when `f` panics.
        struct Shown<'a>(&'a Sender<Message>);
        impl Drop for Shown<'_> {
            fn drop(&mut self) {
                let _ = self.0.send(Message::Show);
            }
        }
        let (hidden, wait) = mpsc::channel();
        if self.to.send(Message::Hide(hidden)).is_ok() {
            // an error means that the thread ended, and then the screen is free as well
            let _ = wait.recv();
        }
        let _shown = Shown(&self.to);
        f();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.finish();
    }
}

fn render(mut renderer: impl Renderer, from: &Receiver<Message>) {
    let mut clock = Clock::start();
    let mut hidden = 0_usize;
    let mut held = Vec::new();
    loop {
        let wake = if hidden == 0 { renderer.wake() } else { None };
        let message = match wake {
            Some(at) => from.recv_timeout(at.saturating_sub(clock.now())),
            None => from.recv().map_err(RecvTimeoutError::from),
        };
        match message {
            Ok(Message::News(news)) => {
                clock.set(news.at);
                held.push(news);
            }
            Ok(Message::Hide(done)) => {
                hidden += 1;
                renderer.hide();
                let _ = done.send(());
            }
            Ok(Message::Show) => hidden = hidden.saturating_sub(1),
            Ok(Message::Settle) => {
                held.drain(..).for_each(|news| renderer.news(&news));
                renderer.settle();
            }
            // `finish` wins over a question that is still open: an interrupt must not wait for an answer
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if hidden == 0 {
            held.drain(..).for_each(|news| renderer.news(&news));
            renderer.tick(clock.now());
        }
    }
    held.iter().for_each(|news| renderer.news(news));
    renderer.end();
}

/// The run's time, carried on from the last news.
struct Clock {
    at: Duration,
    seen: Instant,
}

impl Clock {
    fn start() -> Self {
        Clock { at: Duration::ZERO, seen: Instant::now() }
    }

    fn set(&mut self, at: Duration) {
        *self = Clock { at, seen: Instant::now() };
    }

    fn now(&self) -> Duration {
        self.at + self.seen.elapsed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use engine::progress::{Kind, Phase};

    use super::*;

    /// Writes down what it is told.
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Renderer for Diary {
        fn news(&mut self, news: &Progress) {
            self.0.lock().unwrap().push(news.name.clone());
        }
        fn hide(&mut self) {
            self.0.lock().unwrap().push("hide".into());
        }
        fn end(&mut self) {
            self.0.lock().unwrap().push("end".into());
        }
    }

    fn diary() -> (Pump, Arc<Mutex<Vec<String>>>) {
        let pages = Arc::new(Mutex::new(Vec::new()));
        let kept = pages.clone();
        (Pump::start(move || Diary(kept)), pages)
    }

    fn news(name: &str) -> Progress {
        Progress {
            kind: Kind::Service,
            name: name.into(),
            of: None,
            phase: Phase::Done("ready"),
            note: None,
            at: Duration::ZERO,
        }
    }

    #[test]
    fn news_waits_while_the_screen_is_lent() {
        let (pump, pages) = diary();
        pump.report(&news("a"));
        pump.suspend(&mut || {
            pump.report(&news("b"));
            assert_eq!(*pages.lock().unwrap(), ["a", "hide"]);
        });
        pump.finish();
        pump.report(&news("too late"));
        assert_eq!(*pages.lock().unwrap(), ["a", "hide", "b", "end"]);
    }

    #[test]
    fn the_end_does_not_wait_for_an_open_question() {
        let (pump, pages) = diary();
        pump.suspend(&mut || {
            pump.report(&news("a"));
            pump.finish();
            assert_eq!(*pages.lock().unwrap(), ["hide", "a", "end"]);
        });
    }

    #[test]
    fn dropping_it_ends_it() {
        let (pump, pages) = diary();
        pump.report(&news("a"));
        drop(pump);
        assert_eq!(*pages.lock().unwrap(), ["a", "end"]);
    }
}
