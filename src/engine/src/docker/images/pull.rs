//! Pulling from a registry, and why it did not work.

use std::time::{Duration, Instant};

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;

use super::verdict::{Verdict, judge};
use super::{Credentials, credentials, exact, layers::Layers};
use crate::docker::Engine;
use crate::docker::error::{Error, doing};
use crate::progress::{Journal, Kind, Phase};

/// How often a pull is tried.
const TRIES: u32 = 3;
/// How long a registry may take to its first word. Docker Hub needs one to three seconds.
const FIRST_WORD: Duration = Duration::from_secs(15);
/// While nobody has answered, no new try begins after this.
const UNANSWERED: Duration = Duration::from_secs(3);
/// How long a pull may stand still before it is begun anew; the last step of a large layer says nothing for a while.
const STALLED: Duration = Duration::from_secs(300);

/// Why an image could not be pulled. The reference is the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Nobody answered: no such host, refused, timed out, no TLS, a proxy in the way.
    #[error("cannot pull {reference}: no registry answers: {message}")]
    NoRegistry {
        /// The image.
        reference: String,
        /// The engine's own words.
        message: String,
    },
    /// The registry answered, but the download broke off each time.
    #[error("cannot pull {reference}: broken off {tries} times: {message}")]
    Interrupted {
        /// The image.
        reference: String,
        /// How often it was tried.
        tries: u32,
        /// The engine's own words.
        message: String,
    },
    /// The registry does not have it, or not for the engine's platform, or only for those who are logged in.
    #[error("cannot pull {reference}: not found: {message}")]
    NotFound {
        /// The image.
        reference: String,
        /// The engine's own words.
        message: String,
    },
    /// The registry wants other credentials, or limits the rate.
    #[error("cannot pull {reference}: refused by the registry: {message}")]
    Denied {
        /// The image.
        reference: String,
        /// The engine's own words.
        message: String,
    },
    /// The engine's disk is full.
    #[error("cannot pull {reference}: the engine's disk is full: {message}")]
    DiskFull {
        /// The image.
        reference: String,
        /// The engine's own words.
        message: String,
    },
    /// The engine did not answer, or said something that we do not know.
    #[error(transparent)]
    Other(#[from] Error),
}

/// One try that failed.
struct Failed {
    error: Error,
    /// The registry had said something.
    answered: bool,
}

impl Engine {
    /// Pulls an image. A network failure is tried again; when nobody answers at all, that is known after a second or
    /// two, or, when packets are swallowed, after fifteen.
    pub async fn pull(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        journal: &Journal,
    ) -> Result<(), PullError> {
        let began = Instant::now();
        let mut tries = 1;
        loop {
            let Err(failed) = self.pull_once(reference, credentials, journal).await else { return Ok(()) };
            let message = failed.error.message();
            let verdict = match &failed.error {
                Error::Transport { .. } => Verdict::Other,
                _ => judge(&message, failed.answered),
            };
            let again = tries < TRIES
                && match verdict {
                    Verdict::NoRegistry => began.elapsed() < UNANSWERED,
                    Verdict::Interrupted => true,
                    _ => false,
                };
            if !again {
                return Err(explain(reference, tries, verdict, message, failed.error));
            }
            let wait = pause(tries, verdict);
            let note = format!("again in {:.1} s: {message}", wait.as_secs_f64());
            journal.tell(Kind::Image, reference, Phase::Doing("pulling"), Some(note));
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    async fn pull_once(
        &self,
        reference: &str,
        credentials: Option<&Credentials>,
        journal: &Journal,
    ) -> Result<(), Failed> {
        journal.tell(Kind::Image, reference, Phase::Doing("pulling"), None);
        let options = CreateImageOptionsBuilder::default().from_image(&exact(reference)).build();
        let docker = match credentials {
            Some(_) => self.docker.clone().with_request_modifier(credentials::url_safe),
            None => self.docker.clone(),
        };
        let mut news = Box::pin(docker.create_image(Some(options), None, credentials.map(Credentials::for_docker)));
        let mut layers = Layers::default();
        let mut told = None;
        let mut answered = false;
        loop {
            let limit = if answered { STALLED } else { FIRST_WORD };
            let one = match tokio::time::timeout(limit, news.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(one)) => one.map_err(doing(|| format!("pull {reference}"))),
                Err(_) => Err(Error::Stream {
                    doing: format!("pull {reference}"),
                    message: format!("timed out: nothing heard for {} s", limit.as_secs()),
                }),
            };
            let one = one.map_err(|error| Failed { error, answered })?;
            let (id, status) = (one.id.unwrap_or_default(), one.status.unwrap_or_default());
            // newer engines say this themselves, before they ask the registry
            answered |= !status.starts_with("Pulling from");
            let detail = one.progress_detail.unwrap_or_default();
            let Some(phase) = layers.note(&id, &status, detail.current, detail.total) else { continue };
            journal.tell_layer(reference, &id, phase);
            let sum = layers.sum();
            if told.as_ref() != Some(&sum) {
                journal.tell(Kind::Image, reference, sum.0.clone(), Some(sum.1.clone()));
                told = Some(sum);
            }
        }
    }
}

fn explain(reference: &str, tries: u32, verdict: Verdict, message: String, error: Error) -> PullError {
    let reference = reference.to_owned();
    match verdict {
        Verdict::NoRegistry => PullError::NoRegistry { reference, message },
        Verdict::Interrupted => PullError::Interrupted { reference, tries, message },
        Verdict::NotFound => PullError::NotFound { reference, message },
        Verdict::Denied => PullError::Denied { reference, message },
        Verdict::DiskFull => PullError::DiskFull { reference, message },
        Verdict::Other => PullError::Other(error),
    }
}

/// Back-off: 0.2 s and 0.4 s while nobody answers, 1 s and 2 s after a broken download, each up to half as long again,
/// so that several pulls do not come back at the same moment.
fn pause(tries: u32, verdict: Verdict) -> Duration {
    let base = if verdict == Verdict::Interrupted { 1000 } else { 200 };
    let base = base << (tries - 1);
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), tries);
    Duration::from_millis(base + random % (base / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (tries, from, to) in [(1, 200, 300), (2, 400, 600)] {
            let wait = pause(tries, Verdict::NoRegistry).as_millis();
            assert!((from..=to).contains(&wait), "{wait}");
        }
        let waits: std::collections::HashSet<_> = (0..20).map(|_| pause(2, Verdict::Interrupted)).collect();
        assert!(waits.len() > 1);
    }

    #[test]
    fn the_exact_reference_is_in_the_message() {
        let error = Error::Stream { doing: "pull a:1".to_owned(), message: "no such host".to_owned() };
        let error = explain("a:1", 3, Verdict::NoRegistry, error.message(), error);
        assert_eq!(error.to_string(), "cannot pull a:1: no registry answers: no such host");
    }
}
