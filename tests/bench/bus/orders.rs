//! The other side of a part: what a process of this benchmark is told, and what it answers.

use std::{process::Command, time::Duration};

use tokio::sync::mpsc;

use crate::part::Part;

/// This program in another role, with its arguments.
pub fn part(name: &str, arguments: &[&str]) -> Result<Part, String> {
    let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
    let mut command = Command::new(program);
    command.arg("--part").arg(name).args(arguments);
    Part::start(name, command)
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
