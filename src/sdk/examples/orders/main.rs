//! Runs the example: `cargo run -p banyan-sdk --example orders`, with the addresses of PostgreSQL, RabbitMQ and Redis in
//! `DATABASE_URL`, `RABBITMQ_URL` and `REDIS_URL`.

mod service;

#[tokio::main]
async fn main() -> banyan_sdk::Result<()> {
    service::orders().run().await
}
