//! A service: its name, its state, its handlers, and the one line that runs it.

mod beginning;
mod beside;
mod checker;
mod follow;
mod intake;
mod lifecycle;
mod once;
mod panics;
mod prepared;
mod presence;
mod queues;
mod running;
mod watch;

use std::{future::Future, marker::PhantomData, sync::Arc};

use axum::Router;

use crate::{
    Error,
    context::Context,
    dependency::Dependency,
    handler::{self, Handler},
    health,
    outcome::Outcome,
    platform::Platform,
    policy::Rule,
    projection::{Projection, Runner},
    protocol::{
        Command, Contract, Event, Fault, Kind, Query, Request,
        contract::{self, Severity},
        names::{self, ServiceName},
    },
    server::Around,
    store::{EventStore, Upcasters},
    testing::Outline,
};

pub use checker::Checker;
pub use running::Running;

use beginning::Beginning;

/// Starts to follow a store.
type Following = Box<dyn FnOnce(EventStore) -> Runner + Send + Sync>;

/// A service. What it is made of is said with the methods below, one line each; [`Service::run`] does the rest.
///
/// ```no_run
/// use banyan_sdk::{Command, Context, Fault, Outcome, Service};
/// use banyan_sdk::schemars::{self, JsonSchema};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct User { id: String }
///
/// /// Creates a user.
/// #[derive(Serialize, Deserialize, JsonSchema, Command)]
/// #[command(reply = User, permissions = ["users:create"])]
/// struct CreateUser { email: String }
///
/// async fn create_user(_: Context<()>, command: CreateUser) -> Result<Outcome<User>, Fault> {
///     Ok(Outcome::reply(User { id: command.email }))
/// }
///
/// #[tokio::main]
/// async fn main() -> banyan_sdk::Result<()> {
///     Service::new("user-service", ()).command(create_user).run().await
/// }
/// ```
#[must_use = "a service does nothing before it is run"]
pub struct Service<S> {
    name: String,
    version: String,
    port: u16,
    state: S,
    handlers: Vec<Handler<S>>,
    beginnings: Vec<Beginning<S>>,
    projections: Vec<Following>,
    upcasters: Option<Upcasters>,
    published: Vec<fn(&ServiceName) -> Contract>,
    routes: Router,
    around: Option<Around>,
    needs: Vec<Dependency>,
    without_store: bool,
    tasks: Vec<beside::Task<S>>,
    tables: Vec<Tables>,
    facts: Option<health::Facts>,
    mistakes: Vec<String>,
}

/// The tables of a service's own: their name as a whole, and what makes them.
type Tables = (&'static str, &'static [(&'static str, &'static str)]);

impl<S: Send + Sync + 'static> Service<S> {
    /// A service called `name`, with a state that all of its handlers share.
    pub fn new(name: impl Into<String>, state: S) -> Self {
        Self {
            name: name.into(),
            version: "1.0.0".to_owned(),
            port: 3000,
            state,
            handlers: Vec::new(),
            beginnings: Vec::new(),
            projections: Vec::new(),
            upcasters: None,
            published: Vec::new(),
            routes: Router::new(),
            around: None,
            needs: Vec::new(),
            without_store: false,
            tasks: Vec::new(),
            tables: Vec::new(),
            facts: None,
            mistakes: Vec::new(),
        }
    }

    /// The same with a version of its own; `1.0.0` otherwise. `SERVICE_VERSION` wins.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The same on another HTTP port than 3000. `PORT` wins.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same with a handler for a command: `async fn(Context<S>, C) -> Result<Outcome<C::Reply>, Fault>`. The plain
    /// reply, and any error that turns into a fault, will do as well.
    pub fn command<C, F, Fut, O, E>(self, handler: F) -> Self
    where
        C: Command,
        F: Fn(Context<S>, C) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Into<Outcome<C::Reply>> + Send + 'static,
        E: Into<Fault> + Send + 'static,
    {
        self.with(handler::command(handler))
    }

    /// The same with a handler for a query: `async fn(Context<S>, Q) -> Result<Q::Reply, Fault>`.
    pub fn query<Q, F, Fut, E>(self, handler: F) -> Self
    where
        Q: Query,
        F: Fn(Context<S>, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Q::Reply, E>> + Send + 'static,
        E: Into<Fault> + Send + 'static,
    {
        handler::forgetful::<S, Q>().fold(self.with(handler::query(handler)), Self::with)
    }

    /// The same with a handler for an event: `async fn(Context<S>, E) -> Result<(), Fault>`, or an [`Outcome`] of its
    /// own. An event may have any number of handlers, in one service and in many; those of one service are told apart by
    /// the order in which they are named here, see [`Service::event_as`].
    pub fn event<E, F, Fut, O, X>(self, handler: F) -> Self
    where
        E: Event,
        F: Fn(Context<S>, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, X>> + Send + 'static,
        O: Into<Outcome<()>> + Send + 'static,
        X: Into<Fault> + Send + 'static,
    {
        self.with(handler::event(handler))
    }

    /// The same with a handler for an event that is called `name`. What it has handled is remembered under that name for
    /// a day, so that the handlers of an event may be put in another order, or some of them be left out.
    pub fn event_as<E, F, Fut, O, X>(self, name: &str, handler: F) -> Self
    where
        E: Event,
        F: Fn(Context<S>, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, X>> + Send + 'static,
        O: Into<Outcome<()>> + Send + 'static,
        X: Into<Fault> + Send + 'static,
    {
        self.with(handler::event(handler).called(name))
    }

    /// The same with a function that hears of every event `E`, in every instance of the service, while it is there: for
    /// what instances keep in memory. Nothing is tried again, and what happens while an instance is away it never hears.
    pub fn listen<E, F, Fut, X>(self, listener: F) -> Self
    where
        E: Event,
        F: Fn(Context<S>, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), X>> + Send + 'static,
        X: Into<Fault> + Send + 'static,
    {
        self.with(handler::event(listener).listening())
    }

    /// The same with work of its own that goes on beside the handlers, in every instance, from when the service is ready
    /// until it stops; then it is dropped wherever it waits. Its context acts for the service itself.
    pub fn beside<F, Fut>(mut self, work: F) -> Self
    where
        F: FnOnce(Context<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.tasks.push(Box::new(|cx| Box::pin(work(cx))));
        self
    }

    /// The same with tables of its own in the database of the event store, which are there before anything is handled.
    /// `migrations` are names and SQL, in order: those that the database has not seen under the name of the `set` are
    /// applied, each in a transaction of its own. New ones are added at the end; one that is out in the world stays as it is.
    /// See [`EventStore::connection`] for using the tables.
    pub fn tables(mut self, set: &'static str, migrations: &'static [(&'static str, &'static str)]) -> Self {
        self.tables.push((set, migrations));
        self
    }

    /// The same with more to say on `/health`: fields that are added to the answer.
    pub fn health(
        mut self,
        facts: impl Fn() -> serde_json::Map<String, serde_json::Value> + Send + Sync + 'static,
    ) -> Self {
        self.facts = Some(Arc::new(facts));
        self
    }

    /// The same with a rule in front of the handler of `M`, asked after the permissions: `true` lets the message
    /// through, `false` refuses it with `POLICY_VIOLATION` and the policy's name, a fault refuses it in its own words.
    pub fn policy<M, F, Fut>(mut self, name: &'static str, rule: F) -> Self
    where
        M: Request,
        F: Fn(Context<S>, M) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, Fault>> + Send + 'static,
    {
        let policy = Arc::new(Rule { name, rule, message: PhantomData::<fn(M)> });
        match self.handlers.iter_mut().find(|handler| handler.message_type == M::MESSAGE_TYPE) {
            Some(handler) => handler.settings.policies.push(policy),
            None => self.mistakes.push(format!("the policy `{name}` is for {}, which has no handler", M::MESSAGE_TYPE)),
        }
        self
    }

    /// The same, with the handler of `M` taking so many messages at a time instead of 10.
    pub fn prefetch<M: Request>(mut self, messages: u16) -> Self {
        match self.handlers.iter_mut().find(|handler| handler.message_type == M::MESSAGE_TYPE) {
            Some(handler) => handler.settings.prefetch = Some(messages.max(1)),
            None => self.mistakes.push(format!("a prefetch is set for {}, which has no handler", M::MESSAGE_TYPE)),
        }
        self
    }

    /// The same, with nothing of the answers to `M` being kept: they hold secrets. An idempotency key of such a command is
    /// not looked at.
    pub fn secret<M: Request>(mut self) -> Self {
        match self.handlers.iter_mut().find(|handler| handler.message_type == M::MESSAGE_TYPE) {
            Some(handler) => handler.settings.secret = true,
            None => self.mistakes.push(format!("{} is secret, and has no handler", M::MESSAGE_TYPE)),
        }
        self
    }

    /// The same with something that is done before the first message is taken, on the service's own behalf: what must
    /// be there in any case. A fault has it done again; several instances may do it at once.
    pub fn begin_with<F, Fut>(mut self, beginning: F) -> Self
    where
        F: Fn(Context<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome<()>, Fault>> + Send + 'static,
    {
        self.beginnings.push(Box::new(move |cx| Box::pin(beginning(cx))));
        self
    }

    /// The same with an event that it publishes, so that others can look its contract up.
    pub fn publishes<E: Event>(mut self) -> Self {
        self.published.push(E::contract);
        self
    }

    /// The same, where events that were stored in an older form are brought to the current one whenever they are read.
    pub fn upcasters(mut self, upcasters: Upcasters) -> Self {
        self.upcasters = Some(upcasters);
        self
    }

    /// The same with a read model that follows the event store. [`Running::rebuild`] and
    /// [`Context::rebuild`](crate::Context::rebuild) build it anew.
    pub fn projection(mut self, projection: impl Projection + 'static) -> Self {
        self.projections.push(Box::new(|store| Runner::new(store, projection)));
        self
    }

    /// The same with HTTP routes of its own beside `/health` and `/metrics`.
    pub fn routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// The same with something around all of its routes, `/health` and `/metrics` among them: a layer that every request
    /// goes through.
    pub fn around(mut self, around: impl FnOnce(Router) -> Router + Send + Sync + 'static) -> Self {
        self.around = Some(Box::new(around));
        self
    }

    /// The same with one more thing whose health is its own, beside its stores.
    pub fn needs(mut self, dependency: Dependency) -> Self {
        self.needs.push(dependency);
        self
    }

    /// The same without an event store, wherever `DATABASE_URL` points.
    pub fn without_store(mut self) -> Self {
        self.without_store = true;
        self
    }

    /// Runs the service with the settings of the environment, until SIGTERM or SIGINT; then it takes nothing new,
    /// finishes what it began, and returns.
    ///
    /// # Errors
    /// Every mistake in the settings and among the handlers, in one error; a port that is taken. A dependency that
    /// cannot be reached is none: the service says so on `/health` and goes on trying.
    pub async fn run(self) -> Result<(), Error> {
        self.run_with(&|name| std::env::var(name).ok()).await
    }

    /// The same with settings that `env` knows, in place of the environment.
    ///
    /// # Errors
    /// See [`Service::run`].
    pub async fn run_with(self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Error> {
        lifecycle::run(self, env).await
    }

    /// Runs the service on a platform that is there already: in tests, or beside others in one process.
    ///
    /// # Errors
    /// Every mistake among the handlers, in one error; [`Error::Bus`], [`Error::Store`].
    pub async fn start(self, platform: Platform) -> Result<Running, Error> {
        lifecycle::start(self, platform).await
    }

    fn with(mut self, mut handler: Handler<S>) -> Self {
        // Names that differ in upper and lower case only mean the same queue to some readers.
        let operation = |it: &Handler<S>| names::operation(it.kind, it.message_type).to_lowercase();
        let mut others = self.handlers.iter().filter(|it| {
            it.kind == handler.kind
                && it.settings.listens == handler.settings.listens
                && operation(it) == operation(&handler)
        });
        let unnamed = handler.identity == handler.message_type;
        if handler.kind == Kind::Event && unnamed {
            let before = others.filter(|other| !other.identity.contains(' ')).count();
            if before > 0 {
                handler.identity = format!("{}#{}", handler.message_type, before + 1);
            }
        } else if handler.kind == Kind::Event {
            if let Some(first) = others.find(|other| other.identity == handler.identity) {
                let (first, second) = (first.name, handler.name);
                self.mistakes.push(format!("`{}` names two handlers: {first} and {second}", handler.identity));
            }
        } else if let Some(first) = others.next() {
            let (first, second) = (first.name, handler.name);
            self.mistakes.push(format!("{} has two handlers: {first} and {second}", handler.message_type));
        }
        self.handlers.push(handler);
        self
    }

    /// The contracts of everything that it offers.
    fn contracts(&self, service: &ServiceName) -> Vec<Contract> {
        let requests = self.handlers.iter().filter(|handler| handler.kind != Kind::Event);
        requests
            .filter_map(|handler| handler.contract)
            .chain(self.published.iter().copied())
            .map(|make| make(service))
            .collect()
    }

    /// Its name, and the commands and queries that it handles.
    pub(crate) fn outline(&self) -> Result<Outline, Error> {
        let requests = self.handlers.iter().filter(|handler| handler.kind != Kind::Event);
        Ok((self.checked()?, requests.map(|handler| handler.message_type).collect()))
    }

    /// Checks what can be checked before anything runs.
    fn checked(&self) -> Result<ServiceName, Error> {
        let mut mistakes = self.mistakes.clone();
        let name = ServiceName::new(self.name.clone()).map_err(|error| mistakes.push(error.to_string())).ok();
        if let Some(name) = &name {
            let validation = contract::validate(&self.contracts(name));
            let errors = validation.errors.iter().filter(|flaw| flaw.severity == Severity::Error);
            mistakes.extend(errors.map(|flaw| format!("{}: {}", flaw.field, flaw.message)));
        }
        match name {
            Some(name) if mistakes.is_empty() => Ok(name),
            _ => Err(Error::Service { name: self.name.clone(), mistakes }),
        }
    }
}
