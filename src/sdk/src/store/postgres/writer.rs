//! The one task of a process that writes events: what arrives while a commit is under way goes into the next one.

use std::{collections::VecDeque, io, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::yield_now,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    COMMIT_LIMIT, batch,
    commit::{self, Outcome},
    failure::{self, Kind},
    session::{Session, Sessions},
    wake::News,
};
use crate::store::{
    StoreError,
    event::{Append, Appended, Position},
};

const CAP: batch::Cap = batch::Cap { events: 4_096, bytes: 8 << 20 };

/// How often others are let run before a commit when the previous one served several callers: those that it woke are
/// about to come back, and a commit that goes without them makes them wait for the next one. A lone caller never waits.
const COURTESY: usize = 4;

/// An append, and who waits for it.
pub(super) struct Request {
    pub(super) append: Append,
    pub(super) reply: oneshot::Sender<Result<Appended, StoreError>>,
}

pub(super) struct Writer {
    pub(super) sessions: Sessions,
    pub(super) session: Option<Session>,
    /// The newest position known in this process.
    pub(super) head: watch::Sender<Position>,
    /// Why the database took nothing the last time.
    pub(super) refusal: failure::Refusal,
    /// What other processes are to be told.
    pub(super) news: News,
}

impl Writer {
    /// Writes until `stop` is cancelled and everything that was accepted before is answered.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut waiting = VecDeque::new();
        let mut served = 0;
        loop {
            if waiting.is_empty() {
                let next = tokio::select! {
                    biased;
                    next = queue.recv() => next,
                    () = stop.cancelled(), if !queue.is_closed() => {
                        queue.close();
                        continue;
                    }
                };
                let Some(next) = next else { break };
                waiting.push_back(next);
            }
            collect(&mut queue, &mut waiting, if served > 1 { COURTESY } else { 0 }).await;
            let mut batch = batch::take(&mut waiting, |request| &request.append, CAP);
            // Whoever has gone is not told what became of it, so that nothing should.
            batch.retain(|request| !request.reply.is_closed());
            served = batch.len();
            if !batch.is_empty() {
                self.write(batch).await;
            }
        }
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    async fn write(&mut self, batch: Vec<Request>) {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.sessions.open().await {
                Ok(session) => session,
                Err(error) => return answer_all(batch, Arc::new(error), failure::shared),
            },
        };
        let appends: Vec<&Append> = batch.iter().map(|request| &request.append).collect();
        let tell = self.news.is_due(Instant::now());
        let done = timeout(COMMIT_LIMIT, commit::commit(&mut session.connection, &appends, tell)).await;
        let error = match done {
            Ok(Ok(outcome)) => {
                self.session = Some(session);
                return self.answer(batch, outcome, tell);
            }
            Ok(Err(commit::Failed::Undone(error))) => {
                if failure::kind(&error) != Kind::Lost {
                    self.session = Some(session);
                }
                let error = Arc::new(error);
                self.refusal.note(Err(&failure::shared(&error)));
                return answer_all(batch, error, failure::shared);
            }
            Ok(Err(commit::Failed::Unknown(error))) => error,
            Err(_) => sqlx::Error::Io(io::Error::from(io::ErrorKind::TimedOut)),
        };
        tracing::warn!(%error, appends = batch.len(), "a commit of events broke off; looking what became of it");
        self.settle(batch, session, Arc::new(error)).await;
    }

    /// Finds out on a new connection whether the batch was stored.
    async fn settle(&mut self, batch: Vec<Request>, broken: Session, error: Arc<sqlx::Error>) {
        let identity = broken.identity.clone();
        // What the connection still does after this is ended below.
        drop(broken);
        let appends: Vec<&Append> = batch.iter().map(|request| &request.append).collect();
        let found = async {
            let mut session = self.sessions.open().await?;
            if !session.end(&identity).await? {
                return Err(sqlx::Error::Io(io::Error::from(io::ErrorKind::TimedOut)));
            }
            let found = commit::stored(&mut session.connection, &appends).await?;
            Ok((session, found))
        };
        match found.await {
            Ok((session, found)) => {
                self.session = Some(session);
                let results = found.into_iter().map(|stored| {
                    stored.ok_or_else(|| match failure::shared(&error) {
                        StoreError::Unavailable(source) | StoreError::Database(source) => {
                            StoreError::Interrupted(source)
                        }
                        known => known,
                    })
                });
                let results: Vec<_> = results.collect();
                self.answer(batch, Outcome { results }, false);
            }
            Err(_) => {
                for Request { append, reply } in batch {
                    let first = append.events.first().map(|event| event.id).unwrap_or_default();
                    let _ = reply.send(Err(StoreError::UnknownOutcome { first, source: Arc::clone(&error) }));
                }
            }
        }
    }

    fn answer(&mut self, batch: Vec<Request>, outcome: Outcome, told: bool) {
        let newest = outcome.results.iter().flatten().map(|appended| appended.last_position).max();
        if let Some(one) = outcome.results.iter().find(|it| it.is_ok()).or(outcome.results.first()) {
            self.refusal.note(one.as_ref().map(|_| ()));
        }
        for (request, result) in batch.into_iter().zip(outcome.results) {
            // Whoever has gone does not want to know.
            let _ = request.reply.send(result);
        }
        if let Some(newest) = newest {
            advance(&self.head, newest);
            self.news.written(newest, told.then(Instant::now));
        }
    }
}

/// Tells readers of `head` that there are events up to `newest`.
pub(super) fn advance(head: &watch::Sender<Position>, newest: Position) {
    head.send_if_modified(|head| {
        let further = newest > *head;
        if further {
            *head = newest;
        }
        further
    });
}

async fn collect(queue: &mut mpsc::Receiver<Request>, waiting: &mut VecDeque<Request>, courtesy: usize) {
    let mut turns = 0;
    loop {
        let before = waiting.len();
        while let Ok(next) = queue.try_recv() {
            waiting.push_back(next);
        }
        if turns == courtesy || (turns > 0 && waiting.len() == before) {
            break;
        }
        turns += 1;
        yield_now().await;
    }
}

fn answer_all(batch: Vec<Request>, error: Arc<sqlx::Error>, say: impl Fn(&Arc<sqlx::Error>) -> StoreError) {
    for request in batch {
        let _ = request.reply.send(Err(say(&error)));
    }
}
