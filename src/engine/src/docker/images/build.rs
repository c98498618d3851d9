//! Making an image from a Dockerfile, with the engine's classic builder.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bollard::query_parameters::BuildImageOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;

use crate::docker::Engine;
use crate::docker::error::{Error, doing};
use crate::progress::{Journal, Kind, Phase};

/// Lines of a failed build's log that go into its error.
const LAST_LINES: usize = 20;

/// A build from a Dockerfile.
#[derive(Debug, Clone, Default)]
pub struct Build {
    /// The name under which the journal hears of it.
    pub name: String,
    /// The name that the image gets.
    pub tag: String,
    /// The build context: a tar archive with the Dockerfile.
    pub context: Bytes,
    /// The Dockerfile's path in the context; empty: `Dockerfile`.
    pub dockerfile: String,
    /// The stage to build; empty: the last.
    pub target: String,
    /// Values for the Dockerfile's `ARG`s.
    pub args: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
}

/// A build that failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An instruction failed.
    #[error("cannot build {name}: {step}: {message}")]
    Failed {
        /// What was being built.
        name: String,
        /// `step 3/8: RUN apt-get update`
        step: String,
        /// The engine's own words.
        message: String,
        /// The end of the log.
        log: Vec<String>,
    },
    /// The engine did not take it.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Engine {
    /// Builds an image. The journal hears each step; the end of the log is in the error.
    pub async fn build(&self, build: Build, journal: &Journal) -> Result<(), BuildError> {
        let Build { name, tag, context, dockerfile, target, args, labels } = build;
        let mut options = BuildImageOptionsBuilder::default().t(&tag).rm(true).forcerm(true).target(&target);
        if !dockerfile.is_empty() {
            options = options.dockerfile(&dockerfile);
        }
        let args: HashMap<&str, &str> = args.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let labels: HashMap<&str, &str> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let options = options.buildargs(&args).labels(&labels).build();
        let mut news = self.docker.build_image(options, None, Some(bollard::body_full(context)));
        let mut log = Log::default();
        while let Some(one) = news.next().await {
            match one.map_err(doing(|| format!("build {name}"))) {
                Ok(one) => {
                    if let Some(text) = one.stream.or(one.status)
                        && log.add(&text)
                    {
                        journal.tell(Kind::Image, &name, Phase::Doing("building"), Some(log.step.clone()));
                    }
                }
                Err(Error::Stream { message, .. }) => {
                    let step = if log.step.is_empty() { "before the first step".to_owned() } else { log.step };
                    return Err(BuildError::Failed { name, step, message, log: log.lines.into() });
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

/// The log of a build, which comes in pieces that are not lines.
#[derive(Default)]
struct Log {
    step: String,
    lines: VecDeque<String>,
    rest: String,
}

impl Log {
    /// True when a step began.
    fn add(&mut self, text: &str) -> bool {
        let mut began = false;
        self.rest.push_str(text);
        while let Some(end) = self.rest.find(['\n', '\r']) {
            let line: String = self.rest.drain(..=end).collect();
            began |= self.line(line.trim_end());
        }
        // a step is told as a piece without a line end
        if self.rest.starts_with("Step ") {
            let line = std::mem::take(&mut self.rest);
            began |= self.line(&line);
        }
        began
    }

    fn line(&mut self, line: &str) -> bool {
        if line.trim().is_empty() {
            return false;
        }
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
        let Some((number, instruction)) = line.strip_prefix("Step ").and_then(|step| step.split_once(" : ")) else {
            return false;
        };
        let words: Vec<&str> = instruction.split_whitespace().collect();
        self.step = shortened(format!("step {number}: {}", words.join(" ")), 100);
        true
    }
}

fn shortened(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_in_a_log_that_comes_in_pieces() {
        let mut log = Log::default();
        assert!(log.add("Step 1/2 : FROM scratch"));
        assert!(!log.add("\n"));
        assert!(!log.add(" ---> 599c\n---> Running"));
        assert!(!log.add(" in 1\nE: no\rE: yes\n"));
        assert!(log.add("Step 2/2 : RUN a   &&  b\n"));
        assert_eq!(log.step, "step 2/2: RUN a && b");
        assert_eq!(log.lines.len(), 6);
        for n in 0..30 {
            log.add(&format!("{n}\n"));
        }
        assert_eq!(log.lines.len(), LAST_LINES);
        assert_eq!(log.lines[0], "10");
    }

    #[test]
    fn long_steps_are_cut_between_characters() {
        assert_eq!(shortened("äöü".to_owned(), 2), "äö…");
        assert_eq!(shortened("äö".to_owned(), 2), "äö");
    }
}
