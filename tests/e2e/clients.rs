//! Clients that know nothing of banyan: they log in to each server with what it printed.

use std::time::Duration;

use sqlx::Connection;

/// The longest that a server which is said to be ready may take.
const LIMIT: Duration = Duration::from_secs(10);

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(async { tokio::time::timeout(LIMIT, future).await });
    runtime.shutdown_background();
    result.expect("an answer in time")
}

/// Logs in to PostgreSQL once and gives the answer to a query.
pub fn sql(url: &str, query: &'static str) -> Result<String, String> {
    block(async {
        let mut connection = sqlx::PgConnection::connect(url).await.map_err(|e| e.to_string())?;
        let row: (String,) = sqlx::query_as(query).fetch_one(&mut connection).await.map_err(|e| e.to_string())?;
        Ok(row.0)
    })
}

/// Logs in to RabbitMQ once, and sends a message through a queue of its own and back.
pub fn amqp(url: &str) -> Result<(), String> {
    use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
    block(async {
        let connection = lapin::Connection::connect(url, Default::default()).await.map_err(|e| e.to_string())?;
        let channel = connection.create_channel().await.map_err(|e| e.to_string())?;
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), options, Default::default()).await.map_err(|e| e.to_string())?;
        let name = queue.name().clone();
        channel
            .basic_publish("".into(), name.clone(), BasicPublishOptions::default(), b"hello", Default::default())
            .await
            .map_err(|e| e.to_string())?;
        let message = loop {
            let got = channel.basic_get(name.clone(), BasicGetOptions { no_ack: true }).await;
            if let Some(message) = got.map_err(|e| e.to_string())? {
                break message;
            }
            tokio::task::yield_now().await;
        };
        if message.data == b"hello" { Ok(()) } else { Err(format!("{:?}", message.data)) }
    })
}

/// Puts messages into the dead-letter queue of `queue`, as a service that gave them up would.
pub fn give_up(url: &str, queue: &str, bodies: &[&[u8]]) -> Result<(), String> {
    use banyan_sdk::bus::{
        Bus, Message, Queue, Sending, Target, Topology,
        rabbit::{RabbitBus, RabbitOptions},
    };
    use banyan_sdk::config::Endpoint;
    block(async {
        let endpoint = Endpoint::parse(url, &["amqp"], 5672).unwrap();
        let bus = RabbitBus::new(RabbitOptions::new(endpoint, "test"));
        bus.declare(&Topology::default().queue(Queue::work(queue))).await.map_err(|e| e.to_string())?;
        for (number, body) in bodies.iter().enumerate() {
            let message = Message::durable(format!("msg_{number}"), body.to_vec());
            let sending = Sending::confirmed(tokio::time::Instant::now() + LIMIT);
            let target = Target::queue(format!("dlq.{queue}"));
            bus.send(&target, message, sending).await.map_err(|e| e.to_string())?;
        }
        bus.close().await;
        Ok(())
    })
}

/// Logs in to Redis once and pings it.
pub fn redis(url: &str) -> Result<String, String> {
    let client = redis::Client::open(url).map_err(|e| e.to_string())?;
    let mut connection = client.get_connection_with_timeout(LIMIT).map_err(|e| e.to_string())?;
    redis::cmd("PING").query(&mut connection).map_err(|e| e.to_string())
}

/// Status and body of a GET.
pub fn get(url: &str, accept: &str) -> Result<(u16, String), String> {
    block(async {
        let request = reqwest::Client::new().get(url).header("accept", accept);
        let answer = request.send().await.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|e| e.to_string())?))
    })
}

/// Status and document of a GET.
#[track_caller]
pub fn get_json(url: &str) -> (u16, serde_json::Value) {
    let (status, body) = get(url, "application/json").unwrap();
    (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}")))
}
