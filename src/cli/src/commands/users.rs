//! `banyan users`: the users of the running platform, for development. It asks auth over the bus, as a service would.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use auth::messages::{
    AssignPermission, AssignRole, CreateUser, IssueToken, Issued, ListUsers, Profile, RemovePermission, RemoveRole,
    UserFilter, UserView,
};
use banyan_sdk::bus::Bus;
use banyan_sdk::protocol::{Auth, Fault, FaultCode, Payload, Request, names::ServiceName};
use banyan_sdk::{Call, Client, Flow, ids};

use super::broker::Broker;
use crate::args::UsersCommand;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::table::Table;

/// How long auth may take for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Whoever uses this is called so in the record of who did what.
const ACTOR: &str = "banyan-cli";
/// How many users are asked for at once.
const PAGE: u32 = 100;
/// Longer than anything that is a password, in bytes.
const LONGEST_INPUT: u64 = 4096;

/// Adds, lists, changes, or gets a token.
pub async fn run(context: &Context, command: UsersCommand) -> Result<u8, Failure> {
    let given = match &command {
        UsersCommand::Add { password_stdin: true, .. } => Some(password()?),
        _ => None,
    };
    let broker = Broker::of(context, "banyan users").await?;
    let users = Users::over(Arc::clone(&broker.bus));
    let done = users.act(command, given).await;
    broker.bus.close().await;
    show(context, done.map_err(|fault| failed(context, &fault))?);
    Ok(0)
}

/// The first line of standard input.
fn password() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::new(Exit::Usage, 43, format!("cannot read the password: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::new(Exit::Usage, 43, "standard input holds no password"));
    }
    Ok(line.to_owned())
}

/// Auth, as it is asked here.
struct Users {
    client: Client,
    auth: ServiceName,
}

/// What came of a command.
enum Done {
    Added { id: String, email: String, password: Option<String> },
    Listed(Vec<UserView>),
    Changed { user: String, what: Vec<String>, has: bool },
    Token(Issued),
}

impl Users {
    fn over(bus: Arc<dyn Bus>) -> Self {
        let name = |text: &str| ServiceName::new(text).expect("a constant that is a service's name");
        Self { client: Client::new(name(ACTOR), bus), auth: name(auth::SERVICE) }
    }

    async fn act(&self, command: UsersCommand, password: Option<String>) -> Result<Done, Fault> {
        match command {
            UsersCommand::Add { email, name, role, .. } => self.add(email, name, role, password).await,
            UsersCommand::List => self.list().await.map(Done::Listed),
            UsersCommand::Grant { user, what } => self.change(user, what, true).await,
            UsersCommand::Revoke { user, what } => self.change(user, what, false).await,
            UsersCommand::Token { user } => self.ask(IssueToken { user }).await.map(Done::Token),
        }
    }

    async fn add(
        &self,
        email: String,
        name: Option<String>,
        roles: Vec<String>,
        given: Option<String>,
    ) -> Result<Done, Fault> {
        let made_up = given.is_none().then(|| format!("{:032x}", ids::random()));
        let command = CreateUser {
            email,
            password: given.or_else(|| made_up.clone()).unwrap_or_default(),
            profile: Profile { display_name: name, ..Profile::default() },
            initial_roles: roles,
            skip_email_verification: true,
        };
        let created = self.ask(command).await?;
        Ok(Done::Added { id: created.user_id, email: created.email, password: made_up })
    }

    async fn list(&self) -> Result<Vec<UserView>, Fault> {
        let (mut all, mut page) = (Vec::new(), 1);
        loop {
            let query = ListUsers { page: Some(page), page_size: Some(PAGE), filter: UserFilter::default() };
            let found = self.ask(query).await?;
            all.extend(found.items);
            if !found.has_more {
                return Ok(all);
            }
            page += 1;
        }
    }

    async fn change(&self, user: String, what: Vec<String>, has: bool) -> Result<Done, Fault> {
        let id = self.id(&user).await?;
        for it in &what {
            let (user_id, it) = (id.clone(), it.clone());
            match (it.contains(':'), has) {
                (true, true) => drop(self.ask(AssignPermission { user_id, permission: it }).await?),
                (true, false) => drop(self.ask(RemovePermission { user_id, permission: it }).await?),
                (false, true) => drop(self.ask(AssignRole { user_id, role_name: it }).await?),
                (false, false) => drop(self.ask(RemoveRole { user_id, role_name: it }).await?),
            }
        }
        Ok(Done::Changed { user, what, has })
    }

    /// The id of a user who may be named by the address.
    async fn id(&self, user: &str) -> Result<String, Fault> {
        if !user.contains('@') {
            return Ok(user.to_owned());
        }
        let filter = UserFilter { email: Some(user.to_owned()), ..UserFilter::default() };
        let found = self.ask(ListUsers { filter, ..ListUsers::default() }).await?;
        let first = found.items.into_iter().next();
        first.map(|it| it.id).ok_or_else(|| Fault::not_found(format!("there is no user {user}")))
    }

    async fn ask<M: Request>(&self, message: M) -> Result<M::Reply, Fault> {
        let broken = |error: &dyn std::fmt::Display| Fault::internal(error.to_string());
        let call = Call {
            kind: M::KIND,
            message_type: M::MESSAGE_TYPE.to_owned(),
            service: self.auth.clone(),
            payload: Payload::of(&message).map_err(|error| broken(&error))?,
            timeout: PATIENCE,
            idempotency_key: None,
            repeatable: false,
            priority: None,
        };
        // Whoever may talk to the broker may do everything anyway.
        let permissions = M::PERMISSIONS.iter().chain(&["auth:assign-roles"]).map(|it| (*it).to_owned()).collect();
        let auth = Auth { user_id: ACTOR.to_owned(), permissions, ..Auth::default() };
        let flow = Flow { auth: Some(Arc::new(auth)), ..Flow::begin(ids::random) };
        self.client.call(call, &flow).await?.read().map_err(|error| broken(&error))
    }
}

fn show(context: &Context, done: Done) {
    if context.json() {
        return context.print_json(&as_json(&done));
    }
    match done {
        Done::Added { id, email, password } => {
            context.print(&format!("added {email} as {id}\n"));
            if let Some(password) = password {
                context.print(&format!("password: {password}\n"));
            }
        }
        Done::Listed(users) => {
            let mut table = Table::new(["EMAIL", "ID", "NAME", "ROLES", "PERMISSIONS", "ACTIVE"]);
            for user in &users {
                let (roles, permissions) = (user.roles.join(", "), user.direct_permissions.join(", "));
                let active = if user.is_active { "yes" } else { "no" };
                let name = user.profile.name().unwrap_or_default();
                table.row([user.email.clone(), user.id.clone(), name, roles, permissions, active.to_owned()]);
            }
            if table.is_empty() {
                context.note("no users");
            }
            context.print(&table.render(context.style, context.terminal.table_width()));
        }
        Done::Changed { user, what, has } => {
            let verb = if has { "has" } else { "does not have" };
            let user = context.style.text(&user);
            context.print(&format!("{user} {verb} {}, from the next token on\n", what.join(", ")));
        }
        Done::Token(issued) => context.print(&format!("{}\n", issued.access_token)),
    }
}

fn as_json(done: &Done) -> serde_json::Value {
    match done {
        Done::Added { id, email, password } => {
            serde_json::json!({ "schema_version": 1, "id": id, "email": email, "password": password })
        }
        Done::Listed(users) => serde_json::json!({ "schema_version": 1, "items": users }),
        Done::Changed { user, what, has } => {
            let (granted, revoked) = if *has { (&what[..], &[][..]) } else { (&[][..], &what[..]) };
            serde_json::json!({ "schema_version": 1, "user": user, "granted": granted, "revoked": revoked })
        }
        Done::Token(issued) => serde_json::json!({
            "schema_version": 1,
            "token": issued.access_token,
            "expires_in": issued.expires_in,
            "user": issued.user,
        }),
    }
}

fn failed(context: &Context, fault: &Fault) -> Failure {
    match fault.code {
        FaultCode::HandlerNotFound => Failure::new(Exit::NotRunning, 42, "the auth service does not run")
            .hint(format!("bring it up: {}", context.pasteable(&["up", "auth-service"]))),
        FaultCode::RequestTimeout | FaultCode::Timeout => Failure::new(Exit::TimedOut, 42, fault.message.clone()),
        FaultCode::MessageBus | FaultCode::EventStore | FaultCode::ServiceUnavailable => {
            Failure::new(Exit::Unhealthy, 42, fault.message.clone())
                .hint(format!("see what is wrong: {}", context.pasteable(&["health"])))
        }
        _ => Failure::new(Exit::Usage, 42, fault.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use banyan_sdk::Platform;
    use banyan_sdk::bus::memory::{MemoryBroker, SystemClock};
    use banyan_sdk::store::{EventStore, Options};
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};

    use super::*;

    fn add(email: &str, roles: &[&str]) -> UsersCommand {
        let role = roles.iter().map(|it| (*it).to_owned()).collect();
        UsersCommand::Add { email: email.to_owned(), name: Some("Ann".to_owned()), role, password_stdin: false }
    }

    /// The listed users, once there are so many.
    async fn listed(users: &Users, count: usize) -> Vec<UserView> {
        for _ in 0..500 {
            let Done::Listed(all) = users.act(UsersCommand::List, None).await.unwrap() else { panic!("no list") };
            if all.len() == count {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there are never {count} users");
    }

    #[tokio::test]
    async fn a_developer_adds_changes_and_becomes_a_user() {
        let server = std::env::var("BANYAN_TEST_DATABASE_URL").expect(
            "set BANYAN_TEST_DATABASE_URL to a server for tests, such as postgresql://user:password@host:port/postgres",
        );
        let server: PgConnectOptions = server.parse().unwrap();
        let database = format!("banyan_test_{:016x}", ids::random() as u64);
        let mut admin = server.clone().connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database {database}"))).execute(&mut admin).await.unwrap();
        let store = EventStore::connect_with(server.database(&database), Options::default()).await.unwrap();
        let broker = MemoryBroker::new(SystemClock);
        let env = |name: &str| match name {
            "DATABASE_URL" => Some("postgresql://db/x".to_owned()),
            "RABBITMQ_URL" => Some("amqp://mq".to_owned()),
            "REDIS_URL" => Some("redis://redis".to_owned()),
            _ => None,
        };
        let service = auth::service(auth::Settings::read(&env).ok().unwrap(), auth::World::default()).unwrap();
        let running = service.start(Platform::new(broker.connect()).with_store(store)).await.unwrap();

        let users = Users::over(Arc::new(broker.connect()));
        let Done::Added { id, email, password } = users.act(add("Ann@example.com", &["user"]), None).await.unwrap()
        else {
            panic!("not added")
        };
        assert_eq!((email.as_str(), password.unwrap().len()), ("ann@example.com", 32));
        let given = users.act(add("bob@example.com", &["admin"]), Some("correct horse battery".to_owned())).await;
        assert!(matches!(given, Ok(Done::Added { password: None, .. })));
        let weak = users.act(add("carl@example.com", &[]), Some("password".to_owned())).await.err().unwrap();
        assert!(weak.message.contains("most common"), "{weak}");
        listed(&users, 2).await;

        let what = vec!["orders:place".to_owned(), "admin".to_owned()];
        let (user, same) = ("ann@example.com".to_owned(), id.clone());
        users.act(UsersCommand::Grant { user: user.clone(), what: what.clone() }, None).await.unwrap();
        let token = |user| users.act(UsersCommand::Token { user }, None);
        let Done::Token(issued) = token(user.clone()).await.unwrap() else { panic!("no token") };
        assert_eq!((&issued.user.id, issued.access_token.split('.').count()), (&id, 3));
        assert!(issued.user.permissions.contains(&what[0]) && issued.user.roles.contains(&what[1]));
        users.act(UsersCommand::Revoke { user: same.clone(), what: what.clone() }, None).await.unwrap();
        let Done::Token(issued) = token(same).await.unwrap() else { panic!("no token") };
        assert!(!issued.user.permissions.contains(&what[0]) && !issued.user.roles.contains(&what[1]));
        let nobody = UsersCommand::Grant { user: "nobody@example.com".to_owned(), what };
        let missing = users.act(nobody, None).await.err().unwrap();
        assert_eq!(missing.message, "there is no user nobody@example.com");

        assert!(running.stop(PATIENCE).await);
        sqlx::raw_sql(AssertSqlSafe(format!("drop database {database} with (force)")))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
    }

    #[tokio::test]
    async fn without_auth_it_is_told_at_once() {
        let users = Users::over(Arc::new(MemoryBroker::new(SystemClock).connect()));
        let missing = users.act(UsersCommand::List, None).await.err().unwrap();
        assert_eq!(missing.code, FaultCode::HandlerNotFound);
    }
}
