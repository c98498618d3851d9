//! Handlers: functions for one message each, and what the platform knows about them.

use std::{any::type_name, future::Future, marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;

use crate::{
    cache,
    context::{Context, kept_under},
    outcome::{Changes, Outcome},
    policy::Policy,
    protocol::{Command, Contract, Event, Fault, Kind, Payload, Query, Request, names::ServiceName},
};

/// What a handler did with a message.
pub(crate) struct Handled {
    pub(crate) reply: Payload,
    pub(crate) changes: Changes,
}

/// A handler whose message type is known at run time only.
pub(crate) trait Handle<S>: Send + Sync {
    /// Reads the message and decides. The events of the outcome are not stored yet.
    fn handle<'a>(&'a self, cx: Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<Handled, Fault>>;
}

/// A handler with everything that the platform needs to know to feed it.
pub(crate) struct Handler<S> {
    pub(crate) kind: Kind,
    pub(crate) message_type: &'static str,
    /// Where the message must come from; anywhere, when nothing is said.
    pub(crate) publisher: Option<&'static str>,
    pub(crate) permissions: &'static [&'static str],
    pub(crate) public: bool,
    /// The function, for people.
    pub(crate) name: &'static str,
    /// What tells it from all other handlers of its service, for as long as messages are remembered: it must not change
    /// with a name or a place in the code.
    pub(crate) identity: String,
    /// What its messages look like; anything, when nothing is said.
    pub(crate) contract: Option<fn(&ServiceName) -> Contract>,
    pub(crate) settings: Settings<S>,
    pub(crate) inner: Arc<dyn Handle<S>>,
}

impl<S> Handler<S> {
    /// The same for every instance of the service.
    pub(crate) fn listening(mut self) -> Self {
        self.settings.listens = true;
        self.identity = format!("{} listener", self.message_type);
        self
    }

    /// The same, told from other handlers of its message by `name`.
    pub(crate) fn called(self, name: &str) -> Self {
        Self { identity: format!("{} {name}", self.message_type), ..self }
    }
}

/// How a handler is fed.
pub(crate) struct Settings<S> {
    /// Whether every instance hears of its event, and nothing is tried again.
    pub(crate) listens: bool,
    pub(crate) prefetch: Option<u16>,
    pub(crate) policies: Vec<Arc<dyn Policy<S>>>,
    /// Whether answers must not be kept.
    pub(crate) secret: bool,
}

impl<S> Default for Settings<S> {
    fn default() -> Self {
        Self { listens: false, prefetch: None, policies: Vec::new(), secret: false }
    }
}

struct Typed<M, F>(F, PhantomData<fn(M)>);

/// Handlers of commands.
impl<S, C, F, Fut, O, E> Handle<S> for Typed<(C, O, E), F>
where
    S: Send + Sync + 'static,
    C: Command,
    F: Fn(Context<S>, C) -> Fut + Send + Sync,
    Fut: Future<Output = Result<O, E>> + Send,
    O: Into<Outcome<C::Reply>> + Send,
    E: Into<Fault> + Send,
{
    fn handle<'a>(&'a self, cx: Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<Handled, Fault>> {
        Box::pin(async move {
            let command = read::<C>(payload)?;
            let outcome = (self.0)(cx, command).await.map_err(Into::into)?.into();
            handled(outcome)
        })
    }
}

/// Handlers of queries. Their type says how long answers are kept.
struct Asked<M, F>(Arc<F>, PhantomData<fn(M)>);

impl<S, Q, F, Fut, E> Handle<S> for Asked<(Q, E), F>
where
    S: Send + Sync + 'static,
    Q: Query,
    F: Fn(Context<S>, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Q::Reply, E>> + Send + 'static,
    E: Into<Fault> + Send + 'static,
{
    fn handle<'a>(&'a self, cx: Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<Handled, Fault>> {
        Box::pin(async move {
            let query = read::<Q>(payload)?;
            let kept = Q::CACHE.map(|kept| {
                let asked = kept_under(&query, payload, cx.auth());
                (asked, cache::Policy::of(kept, query.cache_tags()))
            });
            let runtime = Arc::clone(&cx.runtime);
            let handler = Arc::clone(&self.0);
            let answer = async move {
                let reply = handler(cx, query).await.map_err(Into::into)?;
                written(&reply)
            };
            let reply = match kept {
                None => answer.await?,
                Some((key, policy)) => runtime.cache.fetch(Q::MESSAGE_TYPE, &key, &policy, answer).await?,
            };
            Ok(Handled { reply, changes: Changes::default() })
        })
    }
}

/// What forgets the answers to a query when an event says that they may be wrong.
struct Forget(&'static str);

impl<S: Send + Sync + 'static> Handle<S> for Forget {
    fn handle<'a>(&'a self, cx: Context<S>, _: &'a Payload) -> BoxFuture<'a, Result<Handled, Fault>> {
        Box::pin(async move {
            cx.runtime.cache.invalidate_type(self.0).await;
            Ok(Handled { reply: Payload::null(), changes: Changes::default() })
        })
    }
}

/// Handlers of events.
struct Heard<M, F>(F, PhantomData<fn(M)>);

impl<S, E, F, Fut, O, X> Handle<S> for Heard<(E, O, X), F>
where
    S: Send + Sync + 'static,
    E: Event,
    F: Fn(Context<S>, E) -> Fut + Send + Sync,
    Fut: Future<Output = Result<O, X>> + Send,
    O: Into<Outcome<()>> + Send,
    X: Into<Fault> + Send,
{
    fn handle<'a>(&'a self, cx: Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<Handled, Fault>> {
        Box::pin(async move {
            let event = read::<E>(payload)?;
            let outcome = (self.0)(cx, event).await.map_err(Into::into)?.into();
            handled(outcome)
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(payload: &Payload) -> Result<T, Fault> {
    payload.read().map_err(|error| Fault::validation(error.to_string()))
}

fn written(reply: &impl serde::Serialize) -> Result<Payload, Fault> {
    Payload::of(reply).map_err(|error| {
        tracing::error!("{error}: {}", error.source);
        Fault::internal("the answer cannot be written")
    })
}

fn handled<R: serde::Serialize>(outcome: Outcome<R>) -> Result<Handled, Fault> {
    Ok(Handled { reply: written(&outcome.reply)?, changes: outcome.changes })
}

fn request<S, M: Request, F>(inner: Arc<dyn Handle<S>>) -> Handler<S> {
    Handler {
        kind: M::KIND,
        message_type: M::MESSAGE_TYPE,
        publisher: None,
        permissions: M::PERMISSIONS,
        public: M::PUBLIC,
        name: type_name::<F>(),
        identity: M::MESSAGE_TYPE.to_owned(),
        contract: Some(M::contract),
        settings: Settings::default(),
        inner,
    }
}

/// A handler for the command `C`.
pub(crate) fn command<S, C, F, Fut, O, E>(handler: F) -> Handler<S>
where
    S: Send + Sync + 'static,
    C: Command,
    F: Fn(Context<S>, C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Into<Outcome<C::Reply>> + Send + 'static,
    E: Into<Fault> + Send + 'static,
{
    request::<S, C, F>(Arc::new(Typed::<(C, O, E), F>(handler, PhantomData)))
}

/// A handler for the query `Q`.
pub(crate) fn query<S, Q, F, Fut, E>(handler: F) -> Handler<S>
where
    S: Send + Sync + 'static,
    Q: Query,
    F: Fn(Context<S>, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Q::Reply, E>> + Send + 'static,
    E: Into<Fault> + Send + 'static,
{
    request::<S, Q, F>(Arc::new(Asked::<(Q, E), F>(Arc::new(handler), PhantomData)))
}

/// What keeps the answers to the query `Q` true: one handler for each event after which they may be wrong.
pub(crate) fn forgetful<S: Send + Sync + 'static, Q: Query>() -> impl Iterator<Item = Handler<S>> {
    let events = Q::CACHE.map_or(&[][..], |kept| kept.invalidate_on);
    events.iter().map(|event| Handler {
        kind: Kind::Event,
        message_type: event,
        publisher: None,
        permissions: &[],
        public: true,
        name: Q::MESSAGE_TYPE,
        identity: format!("{event} {}", Q::MESSAGE_TYPE),
        contract: None,
        settings: Settings::default(),
        inner: Arc::new(Forget(Q::MESSAGE_TYPE)),
    })
}

/// A handler for the event `E`.
pub(crate) fn event<S, E, F, Fut, O, X>(handler: F) -> Handler<S>
where
    S: Send + Sync + 'static,
    E: Event,
    F: Fn(Context<S>, E) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, X>> + Send + 'static,
    O: Into<Outcome<()>> + Send + 'static,
    X: Into<Fault> + Send + 'static,
{
    Handler {
        kind: Kind::Event,
        message_type: E::EVENT_TYPE,
        publisher: E::SERVICE,
        permissions: &[],
        public: true,
        name: type_name::<F>(),
        identity: E::EVENT_TYPE.to_owned(),
        contract: Some(E::contract),
        settings: Settings::default(),
        inner: Arc::new(Heard::<(E, O, X), F>(handler, PhantomData)),
    }
}
