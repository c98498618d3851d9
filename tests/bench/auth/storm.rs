//! A storm of log-ins beside other calls to the same service, on the same machine.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth::{
    SERVICE, Settings, World,
    messages::{AuthenticateUser, CreateUser, GetUserPermissions, Profile},
    service,
};
use banyan_sdk::{
    Call, Client, Flow, Platform, Running,
    bus::rabbit::{RabbitBus, RabbitOptions},
    config::Endpoint,
    ids,
    protocol::{Auth, Fault, Payload, Request, names::ServiceName},
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Options, Result,
    database::{Server, store},
    report::{Level, Report, percentile},
};

/// How many want to log in at once.
const STORM: usize = 200;
/// How often others call, a second.
const RATE: u32 = 200;
const PASSWORD: &str = "correct horse battery";

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn bus(name: &str) -> Result<RabbitBus> {
    let url = std::env::var("BANYAN_TEST_AMQP_URL").map_err(|_| "BANYAN_TEST_AMQP_URL names no server")?;
    let endpoint = Endpoint::parse(&url, &["amqp"], 5672).ok_or("BANYAN_TEST_AMQP_URL is no address")?;
    Ok(RabbitBus::new(RabbitOptions::new(endpoint, name)))
}

/// Whoever calls.
struct Caller {
    client: Client,
    service: ServiceName,
}

impl Caller {
    async fn call<M: Request>(&self, message: &M) -> Result<M::Reply, Fault> {
        let call = Call {
            kind: M::KIND,
            message_type: M::MESSAGE_TYPE.to_owned(),
            service: self.service.clone(),
            payload: Payload::of(message).map_err(|error| Fault::internal(error.to_string()))?,
            timeout: Duration::from_secs(60),
            idempotency_key: None,
            repeatable: false,
            priority: None,
        };
        let permissions = M::PERMISSIONS.iter().map(|it| (*it).to_owned()).collect();
        let auth = Auth { user_id: "bench".to_owned(), permissions, ..Auth::default() };
        let flow = Flow { auth: Some(Arc::new(auth)), ..Flow::begin(ids::random) };
        let reply = self.client.call(call, &flow).await?;
        reply.read().map_err(|error| Fault::internal(error.to_string()))
    }
}

pub fn storm(options: &Options, report: &mut Report) -> Result<()> {
    let (serving, calling) = (runtime()?, runtime()?);
    let server = Server::from_environment()?;
    let database = calling.block_on(server.database())?;
    for (name, value) in calling.block_on(server.conditions())? {
        report.condition(name, value);
    }
    let running = serving.block_on(started(&database.url))?;
    let caller = Caller {
        client: Client::new(ServiceName::new("bench")?, Arc::new(bus("bench")?)),
        service: ServiceName::new(SERVICE)?,
    };
    let result = calling.block_on(rounds(options, &Arc::new(caller), report));
    serving.block_on(running.stop(Duration::from_secs(5)));
    result
}

/// The service, with the settings of a developer.
async fn started(database: &str) -> Result<Running> {
    let env = |name: &str| match name {
        "DATABASE_URL" => Some("postgresql://db/x".to_owned()),
        "RABBITMQ_URL" => Some("amqp://mq".to_owned()),
        "REDIS_URL" => Some("redis://redis".to_owned()),
        _ => None,
    };
    let platform = Platform::new(bus("bench auth")?).with_store(store(database).await?);
    Ok(service(Settings::read(&env)?, World::default())?.start(platform).await?)
}

/// All at once; how many there are in a second.
async fn log_ins(caller: &Arc<Caller>) -> Result<f64> {
    let (began, mut all) = (Instant::now(), JoinSet::new());
    for _ in 0..STORM {
        let caller = Arc::clone(caller);
        all.spawn(async move {
            let (email, password) = ("ann@example.com".to_owned(), PASSWORD.to_owned());
            caller.call(&AuthenticateUser { email, password, device_info: None, ip_address: None }).await
        });
    }
    while let Some(one) = all.join_next().await {
        one??;
    }
    Ok(STORM as f64 / began.elapsed().as_secs_f64())
}

async fn rounds(options: &Options, caller: &Arc<Caller>, report: &mut Report) -> Result<()> {
    let create = CreateUser {
        email: "ann@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        profile: Profile::default(),
        initial_roles: vec!["user".to_owned()],
        skip_email_verification: true,
    };
    let user_id = caller.call(&create).await?.user_id;
    let (mut quiet, mut stormy, mut ratios, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let calm = others(options.time, caller, &user_id).await?;
        let (rate, beside) = tokio::join!(log_ins(caller), others(options.time, caller, &user_id));
        let beside = beside?;
        rates.push(rate?);
        ratios.push(beside / calm);
        quiet.push(calm);
        stormy.push(beside);
    }
    report.plain("other calls: p99 when it is quiet", "ms", &quiet, Level::NONE);
    report.plain(format!("other calls: p99 while {STORM} log in"), "ms", &stormy, Level::NONE);
    report.plain("the second, in times of the first (A3)", "x", &ratios, Level::at_most(2.0));
    report.plain("log-ins", "/s", &rates, Level::NONE);
    Ok(())
}

/// The 99th percentile of what calls take that come at a steady rate, whether the last one was answered or not; in ms.
async fn others(time: Duration, caller: &Arc<Caller>, user_id: &str) -> Result<f64> {
    let mut clock = interval(Duration::from_secs(1) / RATE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began, mut calls) = (Instant::now(), JoinSet::new());
    while began.elapsed() < time {
        let due = clock.tick().await;
        let (caller, query) = (Arc::clone(caller), GetUserPermissions { user_id: user_id.to_owned() });
        calls.spawn(async move {
            caller.call(&query).await?;
            Result::<_, Fault>::Ok(due.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut times = Vec::new();
    while let Some(one) = calls.join_next().await {
        times.push(one??);
    }
    times.sort_by(f64::total_cmp);
    Ok(percentile(&times, 0.99))
}
