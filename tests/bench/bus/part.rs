//! The parts of the benchmark, each a process of its own: servers, which say that they are ready, and clients, which are
//! told on their standard input how many calls to keep under way and for how long.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use tokio::sync::mpsc;

use crate::load::Load;

/// A process of the benchmark, seen from the one that measures. It ends when its standard input does.
pub struct Part {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Part {
    /// This program in another role, with its arguments.
    pub fn ours(name: &str, arguments: &[&str]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let mut command = Command::new(program);
        command.arg("--part").arg(name).args(arguments);
        Self::start(name, command)
    }

    /// Starts it and waits until it says that it is ready.
    pub fn start(name: &str, mut command: Command) -> Result<Self, String> {
        let trouble = |e| format!("{name}: {e}");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(trouble)?;
        let missing = || format!("{name} has no input or output");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut part = Self { name: name.to_owned(), child, orders: Some(orders), answers };
        match part.line()?.as_str() {
            "ready" => Ok(part),
            other => Err(format!("{name} is not ready: {other}")),
        }
    }

    /// One load.
    pub fn load(&mut self, in_flight: usize, time: Duration) -> Result<Load, String> {
        self.order(&format!("{in_flight} {}", time.as_millis()))
    }

    /// One order, and the answer to it.
    pub fn order<T: serde::de::DeserializeOwned>(&mut self, order: &str) -> Result<T, String> {
        let orders = self.orders.as_mut().ok_or("it ended")?;
        writeln!(orders, "{order}").map_err(|e| format!("{}: {e}", self.name))?;
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|e| format!("{} answers {line}: {e}", self.name))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(format!("{} ended", self.name)),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(e) => Err(format!("{}: {e}", self.name)),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.orders = None;
        // Parts of other makers may not look at their input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The orders that a part gets.
pub struct Orders(mpsc::UnboundedReceiver<String>);

impl Orders {
    /// Says that this part is ready.
    pub fn ready() -> Self {
        let (heard, orders) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if heard.send(line).is_err() {
                    return;
                }
            }
        });
        println!("ready");
        Self(orders)
    }

    /// The next order in words; none at the end.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        let line = self.0.recv().await?;
        Some(line.split_whitespace().map(str::to_owned).collect())
    }

    /// The next load; none at the end.
    pub async fn load(&mut self) -> Option<(usize, Duration)> {
        let words = self.next().await?;
        let number = |at: usize| words.get(at)?.parse::<u64>().ok();
        Some((usize::try_from(number(0)?).ok()?, Duration::from_millis(number(1)?)))
    }

    /// Waits for the end.
    pub async fn end(mut self) {
        while self.next().await.is_some() {}
    }
}

/// Answers an order.
pub fn answer(value: &impl serde::Serialize) -> Result<(), String> {
    println!("{}", serde_json::to_string(value).map_err(|e| e.to_string())?);
    Ok(())
}
