//! Faults against real brokers, with a history that is checked.

use std::{sync::Arc, time::Duration};

use banyan_sdk::bus::{
    Bus, BusError, Deliveries, Delivery, Message, Queue, Sending, Target, Topology, rabbit::RabbitBus,
};
use tokio::time::timeout;

use crate::support::{history::History, options, seconds};

mod audit;
mod blocked;
mod calls;
mod consumers;
mod network;

fn bus(url: &str) -> Arc<RabbitBus> {
    let mut options = options(url);
    options.silence = Duration::from_secs(3);
    Arc::new(RabbitBus::new(options))
}

async fn declare(bus: &dyn Bus, queue: Queue) -> Target {
    let target = Target::queue(&queue.name);
    bus.declare(&Topology::default().queue(queue)).await.unwrap();
    target
}

async fn put(bus: &dyn Bus, target: &Target, id: &str) {
    bus.send(target, Message::durable(id, "x"), Sending::confirmed(seconds(10))).await.unwrap();
}

async fn next(deliveries: &mut Deliveries) -> Delivery {
    timeout(Duration::from_secs(30), deliveries.next()).await.expect("a delivery in time").expect("an open bus")
}

fn number(delivery: &Delivery) -> u64 {
    delivery.message.message_id.as_ref().unwrap().parse().unwrap()
}

/// Handles a numbered message once, and acknowledges it.
fn handle(delivery: Delivery, history: &History) {
    let number = number(&delivery);
    if history.delivered(number) {
        history.handled(number);
    }
    delivery.ack();
}

/// Answers every request of a queue with its body.
async fn echo(bus: Arc<RabbitBus>, queue: &str) {
    let mut deliveries = bus.consume(queue, 50).await.unwrap();
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            let bus = bus.clone();
            tokio::spawn(async move {
                let request = &delivery.message;
                let reply = Message {
                    correlation_id: request.correlation_id.clone(),
                    ..Message::transient("r", request.body.clone())
                };
                let to = Target::queue(request.reply_to.clone().unwrap());
                // A caller that is gone is no concern of whoever answers.
                match bus.send(&to, reply, Sending::sent(seconds(5))).await {
                    Ok(()) => delivery.ack(),
                    Err(BusError::Lost { .. } | BusError::Disconnected { .. } | BusError::TimedOut { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            });
        }
    });
}
