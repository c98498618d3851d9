//! The connection to Redis: made when it is needed, given up when it is silent, left alone while Redis is gone.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use redis::{FromRedisValue, Pipeline, RedisError, ScriptInvocation, aio::MultiplexedConnection, pipe};
use tokio::time::timeout;
use tracing::{info, warn};

use super::{
    breaker::{Advice, Breaker, Change},
    shelf::Unavailable,
};
use crate::{
    config::{Endpoint, Secret, redis_database},
    dependency::redis::Redis as Place,
    metrics::Counter,
    telemetry::Tracer,
};

pub(crate) struct Link {
    place: Place,
    password: Option<Secret>,
    /// How long one exchange may take, with connecting.
    deadline: Duration,
    breaker: Mutex<Breaker>,
    line: Mutex<Line>,
    connecting: tokio::sync::Mutex<()>,
    failures: Counter,
    tracer: OnceLock<Tracer>,
    /// The number of the database.
    instance: String,
}

/// What Redis is asked.
#[derive(Clone, Copy)]
enum Question<'a> {
    Commands(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

/// The connection, if there is one.
#[derive(Default)]
struct Line {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    pub(super) fn new(endpoint: &Endpoint, deadline: Duration, failures: Counter) -> Self {
        Self {
            place: Place::new(endpoint),
            password: endpoint.password.clone(),
            deadline,
            breaker: Mutex::default(),
            line: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            failures,
            tracer: OnceLock::new(),
            instance: redis_database(endpoint).unwrap_or_default().to_string(),
        }
    }

    /// Records a span of everything that is asked from now on.
    pub(super) fn trace(&self, tracer: &Tracer) {
        // The first one wins.
        let _ = self.tracer.set(tracer.clone());
    }

    /// Asks Redis, unless it is known to be gone.
    pub(crate) async fn ask<T: FromRedisValue>(
        self: &Arc<Self>,
        what: &'static str,
        pipeline: &Pipeline,
    ) -> Result<T, Unavailable> {
        self.put(what, Question::Commands(pipeline)).await
    }

    /// The same for a script, which Redis is sent when it does not know it yet.
    pub(crate) async fn run<T: FromRedisValue>(
        self: &Arc<Self>,
        what: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        self.put(what, Question::Script(script)).await
    }

    async fn put<T: FromRedisValue>(
        self: &Arc<Self>,
        what: &'static str,
        question: Question<'_>,
    ) -> Result<T, Unavailable> {
        let advice = locked(&self.breaker).advice(Instant::now());
        match advice {
            Advice::Use => {
                let _span = self.tracer.get().and_then(|tracer| tracer.asking("redis", what, &self.instance));
                self.attempt(question).await
            }
            Advice::Skip => Err(Unavailable),
            Advice::Probe => {
                let link = Arc::clone(self);
                tokio::spawn(async move {
                    let mut ping = pipe();
                    ping.cmd("PING").ignore();
                    // the breaker hears of it
                    let _: Result<(), Unavailable> = link.attempt(Question::Commands(&ping)).await;
                });
                Err(Unavailable)
            }
        }
    }

    async fn attempt<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, Unavailable> {
        let mut used = None;
        let exchange = async {
            let (number, mut connection) = self.connection().await?;
            used = Some(number);
            match question {
                Question::Commands(pipeline) => pipeline.query_async(&mut connection).await,
                Question::Script(script) => script.invoke_async(&mut connection).await,
            }
        };
        match timeout(self.deadline, exchange).await {
            Ok(Ok(answer)) => {
                if locked(&self.breaker).succeeded() == Change::Closed {
                    info!("Redis is back");
                }
                Ok(answer)
            }
            Ok(Err(error)) => {
                if error.is_io_error() || error.is_unrecoverable_error() {
                    self.give_up(used);
                }
                Err(self.failed(&said(&error)))
            }
            Err(_) => {
                // it may be gone without a word
                self.give_up(used);
                Err(self.failed("no answer in time"))
            }
        }
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let connection = self.place.open().await?;
        let mut line = locked(&self.line);
        line.number += 1;
        line.connection = Some(connection.clone());
        Ok((line.number, connection))
    }

    fn current(&self) -> Option<(u64, MultiplexedConnection)> {
        let line = locked(&self.line);
        line.connection.clone().map(|connection| (line.number, connection))
    }

    /// Lets nobody use a connection any more, unless there is a newer one.
    fn give_up(&self, used: Option<u64>) {
        let mut line = locked(&self.line);
        if Some(line.number) == used {
            line.connection = None;
        }
    }

    fn failed(&self, reason: &str) -> Unavailable {
        self.failures.add(1);
        if locked(&self.breaker).failed(Instant::now()) == Change::Opened {
            let reason = self.password.as_ref().map_or_else(|| reason.to_owned(), |it| it.redact(reason));
            warn!("Redis is gone; everything is loaded, and nothing shared, until it is back: {reason}");
        }
        Unavailable
    }
}

fn said(error: &RedisError) -> String {
    if error.is_connection_refusal() {
        "connection refused".to_owned()
    } else if error.is_connection_dropped() {
        "connection closed".to_owned()
    } else {
        error.to_string()
    }
}
