//! Argon2id in threads of its own: few, of low priority, with a queue that has an end.
//!
//! One hash takes 19 MiB and some tens of milliseconds of a core. In the runtime's threads, or in as many threads as
//! there are log-ins, a storm of log-ins would be the end of everything else.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use banyan_sdk::{Fault, FaultCode};
use tokio::sync::oneshot;

/// 19 MiB, 2 passes, 1 lane: the least that OWASP advises.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What waits at most; whoever comes then is told to come again.
const QUEUE: usize = 64;

/// How far the threads stand back behind all others.
const NICE: i32 = 10;

/// The hash of no password, with the usual cost: what is checked when there is none, so that it takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Job = Box<dyn FnOnce(&Argon2<'_>) + Send>;

/// Hashes and checks passwords. Dropped, its threads end.
pub struct Hasher {
    queue: SyncSender<Job>,
}

impl Hasher {
    /// With so many threads, at least one.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("argon2-{number}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Half of the machine, so that the other half goes on serving.
    pub fn usual_threads() -> usize {
        thread::available_parallelism().map_or(1, usize::from) / 2
    }

    /// The hash of `password` as a PHC string.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when too many wait.
    pub async fn hash(&self, password: String, salt: [u8; 16]) -> Result<String, Fault> {
        let hashed = self.run(move |argon2| argon2.hash_password_with_salt(password.as_bytes(), &salt)).await?;
        hashed.map(|hash| hash.to_string()).map_err(|error| {
            tracing::error!("cannot hash a password: {error}");
            Fault::internal("the password cannot be hashed")
        })
    }

    /// Whether `password` is the one that `hash` was made of. Without a hash it is not, and that takes as long.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when too many wait.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Fault> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let right = self.run(move |argon2| argon2.verify_password(password.as_bytes(), hash.as_str()).is_ok()).await?;
        Ok(right && known)
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Argon2<'_>) -> T + Send + 'static) -> Result<T, Fault> {
        let busy = || Fault::new(FaultCode::ServiceUnavailable, "too many log-ins at once; try again in a moment");
        let (reply, answer) = oneshot::channel();
        let job = move |argon2: &Argon2<'_>| {
            // nobody waits any more
            if !reply.is_closed() {
                let _ = reply.send(job(argon2));
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|_| busy())?;
        answer.await.map_err(|_| busy())
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // Where the system does not allow it, hashes are only faster than they should be.
    let _ = rustix::process::nice(NICE);
    let params = Params::new(MEMORY, PASSES, LANES, None).expect("constants within Argon2's bounds");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job(&argon2);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_and_no_other() {
        let hasher = Hasher::new(1).unwrap();
        let hash = hasher.hash("correct horse".to_owned(), [7; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("correct horsf".to_owned(), Some(hash.clone())).await.unwrap());
        assert_ne!(hash, hasher.hash("correct horse".to_owned(), [8; 16]).await.unwrap());
        for other in ["", "x", "$argon2id$v=19$m=1,t=1,p=1$x$x", "correct horse"] {
            assert!(!hasher.verify("correct horse".to_owned(), Some(other.to_owned())).await.unwrap(), "{other}");
        }
    }

    #[tokio::test]
    async fn it_takes_as_long_when_there_is_nobody() {
        let hasher = Hasher::new(1).unwrap();
        let hash = hasher.hash("correct horse".to_owned(), [7; 16]).await.unwrap();
        let mut least = [Duration::MAX; 2];
        // the shortest of several: everything else on the machine only makes it longer
        for _ in 0..5 {
            for (least, hash) in least.iter_mut().zip([Some(hash.clone()), None]) {
                let began = Instant::now();
                assert!(!hasher.verify("wrong".to_owned(), hash).await.unwrap());
                *least = began.elapsed().min(*least);
            }
        }
        let [somebody, nobody] = least.map(|it| it.as_secs_f64());
        assert!((0.7..1.4).contains(&(nobody / somebody)), "{nobody} s for nobody, {somebody} s for somebody");
    }

    #[tokio::test]
    async fn whoever_comes_when_the_queue_is_full_is_sent_away() {
        let hasher = Arc::new(Hasher::new(1).unwrap());
        let storm = (0..QUEUE * 2).map(|_| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move { hasher.verify("x".to_owned(), None).await })
        });
        let storm: Vec<_> = storm.collect();
        let (mut served, mut refused) = (0, 0);
        for one in storm {
            match one.await.unwrap() {
                Ok(right) => served += usize::from(!right),
                Err(fault) => refused += usize::from(fault.code == FaultCode::ServiceUnavailable),
            }
        }
        assert_eq!(served + refused, QUEUE * 2);
        assert!(served >= QUEUE && refused > 0, "{served} served, {refused} refused");
    }
}
