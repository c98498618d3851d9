//! What every command needs from outside, read once: options, environment, terminal, folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::Engine;
use engine::docker::connect::{self, Request, Unreachable};
use engine::progress::Journal;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Output};
use crate::failure::{Exit, Failure};
use crate::project::{Chooser, Loaded, Origin};
use crate::report::style::Style;
use crate::report::terminal::{Facts, Stream};
use crate::report::{Mode, Screen, reporter};
use crate::setup;

/// The outside world as one command sees it.
pub struct Context {
    /// Options of every command.
    pub global: Global,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The terminal.
    pub terminal: Facts,
    /// Colours and marks on standard output.
    pub style: Style,
    /// Who shows progress.
    pub screen: Arc<dyn Screen>,
    /// Where progress is told.
    pub journal: Journal,
    /// This executable.
    pub executable: PathBuf,
    /// Set by the first Ctrl-C.
    pub cancel: CancellationToken,
    /// Set when nobody reads standard output any more: a stream ends then.
    pub reader_gone: CancellationToken,
    folder: PathBuf,
    asking: Arc<AtomicBool>,
    signal: Arc<OnceLock<Exit>>,
    unwritten: OnceLock<String>,
    undo: OnceLock<serde_json::Value>,
}

impl Context {
    /// Reads the outside world.
    pub fn new(global: Global) -> Result<Self, Failure> {
        let folder = std::env::current_dir().map_err(|e| {
            Failure::new(Exit::Other, 3, format!("cannot tell the current folder: {e}"))
                .hint("change into a folder that exists")
        })?;
        let executable = std::env::current_exe()
            .map_err(|e| Failure::new(Exit::Other, 3, format!("cannot tell the path of this executable: {e}")))?;
        let terminal = Facts::read();
        let mode = if global.quiet { Mode::Quiet } else { global.progress };
        let screen = reporter(mode, global.color, &terminal);
        let style = terminal.style(global.color, Stream::Out);
        let journal = Journal::new(screen.clone());
        // a variable that is not UTF-8 cannot be meant for us
        let env =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        Ok(Self {
            global,
            env,
            terminal,
            style,
            screen,
            journal,
            executable,
            cancel: CancellationToken::new(),
            folder,
            reader_gone: CancellationToken::new(),
            asking: Arc::default(),
            signal: Arc::default(),
            unwritten: OnceLock::new(),
            undo: OnceLock::new(),
        })
    }

    /// Finds and loads the project.
    pub fn load(&self, profiles: &[String], named: &[String]) -> Result<Loaded, Failure> {
        self.load_with(profiles, named, BTreeMap::new())
    }

    /// The same, with stand-ins for the built-in stack's images.
    pub fn load_with(
        &self,
        profiles: &[String],
        named: &[String],
        stand_ins: BTreeMap<String, String>,
    ) -> Result<Loaded, Failure> {
        self.chooser(profiles, named, stand_ins).load()
    }

    fn chooser<'a>(
        &'a self,
        profiles: &'a [String],
        named: &'a [String],
        stand_ins: BTreeMap<String, String>,
    ) -> Chooser<'a> {
        let (global, env, folder) = (&self.global, &self.env, self.folder.as_path());
        Chooser { global, env, folder, profiles, named, stand_ins }
    }

    /// Connects to the engine.
    pub async fn engine(&self) -> Result<Engine, Failure> {
        self.try_engine().await.map_err(|error| Failure::unreachable(&error, &self.pasteable(&["up", "--setup"])))
    }

    /// Connects to the engine, or tells what was tried.
    pub async fn try_engine(&self) -> Result<Engine, Unreachable> {
        let env = |name: &str| self.env.get(name).cloned();
        let engine = connect::connect(&self.request(&env)).await?;
        if self.global.verbose {
            self.note(&format!(
                "engine: {} {} at {} ({})",
                engine.product(),
                engine.version(),
                engine.endpoint(),
                engine.source()
            ));
        }
        Ok(engine)
    }

    /// What decides which engine is taken.
    pub fn request<'a>(&self, env: &'a (dyn Fn(&str) -> Option<String> + Sync)) -> Request<'a> {
        let uid = rustix::process::getuid().as_raw();
        Request { host: self.global.host.clone(), env, home: self.env.get("HOME").map(PathBuf::from), uid }
    }

    /// A command of banyan that works as pasted into a shell.
    pub fn pasteable(&self, args: &[&str]) -> String {
        let on_path = setup::on_path(&self.executable, self.env.get("PATH").map(|p| p.as_ref()));
        let words = self.words(args);
        setup::command_line(&self.executable, on_path, &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The arguments of such a command, with the options that say what it is about.
    pub fn words(&self, args: &[&str]) -> Vec<String> {
        let path = |p: &PathBuf| p.display().to_string();
        let options = [
            ("--file", self.global.file.iter().map(path).collect()),
            ("--env-file", self.global.env_file.iter().map(path).collect()),
            ("--instance", Vec::from_iter(self.global.instance.clone())),
            ("--host", Vec::from_iter(self.global.host.clone())),
        ];
        let mut words: Vec<&str> = Vec::new();
        for (option, values) in options.iter().filter(|(option, _)| !args.contains(option)) {
            words.extend(values.iter().flat_map(|value| [*option, value.as_str()]));
        }
        words.extend(args);
        words.into_iter().map(str::to_owned).collect()
    }

    /// This very command with something added, as it can be pasted; an option with a value replaces the one given.
    pub fn again(&self, more: &[&str]) -> String {
        let replaced = more.first().filter(|_| more.len() == 2).copied().unwrap_or("--no-such-option");
        let mut words: Vec<String> = Vec::new();
        let mut given = std::env::args().skip(1);
        while let Some(word) = given.next() {
            if word == replaced {
                given.next();
            } else if !word.starts_with(&format!("{replaced}=")) && !more.contains(&word.as_str()) {
                words.push(word);
            }
        }
        let on_path = setup::on_path(&self.executable, self.env.get("PATH").map(|p| p.as_ref()));
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        setup::command_line(&self.executable, on_path, &words)
    }

    /// True when data is wanted as JSON.
    pub fn json(&self) -> bool {
        self.global.output == Output::Json
    }

    /// Data for standard output. A reader that has gone away is no failure; a full disk is, see [`Self::unwritten`].
    pub fn print(&self, text: &str) {
        use std::io::Write;
        let written = self.screen_aside(|| {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") })?;
            out.flush()
        });
        match written {
            Some(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => self.reader_gone.cancel(),
            Some(Err(error)) => drop(self.unwritten.set(error.to_string())),
            _ => {}
        }
    }

    /// What asked the command to end.
    pub fn signal(&self) -> Exit {
        self.signal.get().copied().unwrap_or(Exit::Interrupted)
    }

    /// Why data could not be written, if it could not.
    pub fn unwritten(&self) -> Option<Failure> {
        let why = self.unwritten.get()?;
        Some(Failure::new(Exit::Other, 6, format!("cannot write to standard output: {why}")))
    }

    /// A JSON document for standard output.
    pub fn print_json(&self, value: &serde_json::Value) {
        let mut value = value.clone();
        if let (Some(undo), Some(fields)) = (self.undo.get(), value.as_object_mut()) {
            fields.insert("undo".to_owned(), undo.clone());
        }
        self.print(&format!("{value:#}"));
    }

    /// From now on JSON says how what this command does can be undone.
    pub fn keep_undo(&self, file: &Path, command: &str) {
        // the first one has what was there in the beginning
        let _ = self.undo.set(serde_json::json!({ "file": file, "command": command }));
    }

    /// A remark for standard error.
    pub fn note(&self, text: &str) {
        if !self.global.quiet && self.global.progress != Mode::Json {
            self.screen.suspend(&mut || eprintln!("{text}"));
        }
    }

    fn screen_aside<T>(&self, mut f: impl FnMut() -> T) -> Option<T> {
        let mut result = None;
        self.screen.suspend(&mut || result = Some(f()));
        result
    }

    /// Asks on the terminal; `None` when there is nobody to ask.
    pub fn ask(&self, question: &str) -> Option<bool> {
        use std::io::{IsTerminal, Write};
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        self.asking.store(true, Ordering::Relaxed);
        let answer = self.screen_aside(|| {
            eprint!("{question} [y/N] ");
            let _ = std::io::stderr().flush();
            let mut answer = String::new();
            let _ = std::io::stdin().read_line(&mut answer);
            matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
        });
        self.asking.store(false, Ordering::Relaxed);
        answer
    }

    /// The first Ctrl-C (or SIGTERM) asks the command to end well, which may take a while for one that changes
    /// something; the second one ends it at once.
    pub fn watch_signals(&self, changes_something: bool) {
        let (cancel, screen, asking) = (self.cancel.clone(), self.screen.clone(), self.asking.clone());
        let signal = self.signal.clone();
        tokio::spawn(async move {
            let exit = interrupted().await;
            let _ = signal.set(exit);
            // nothing is under way while a question is open
            if asking.load(Ordering::Relaxed) {
                eprintln!();
                std::process::exit(exit as i32);
            }
            if changes_something {
                screen.suspend(&mut || eprintln!("stopping; once more ends it at once"));
            }
            cancel.cancel();
            let exit = interrupted().await;
            screen.finish();
            std::process::exit(exit as i32);
        });
    }

    /// Limits for carrying out a plan.
    pub fn limits(&self, wait: Duration) -> engine::apply::Limits {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        engine::apply::Limits { wait, set_ups: cores.clamp(2, 8) }
    }

    /// Where the project comes from, for when its files cannot be loaded.
    pub fn origin(&self) -> Result<Origin, Failure> {
        self.chooser(&[], &[], BTreeMap::new()).origin()
    }

    /// The nearest `banyan.yaml`.
    pub fn manifest(&self) -> Option<PathBuf> {
        self.chooser(&[], &[], BTreeMap::new()).manifest()
    }

    /// The folder in which the command was typed.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Waits for a signal that asks to end; the exit code that goes with it.
async fn interrupted() -> Exit {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
            _ = hang_up.recv() => Exit::Terminated,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
        Exit::Interrupted
    }
}
