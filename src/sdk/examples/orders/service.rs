//! A small shop: orders are placed, paid and cancelled.

use banyan_sdk::{
    Aggregate, Command, Context, Event, Fault, Outcome, Query, Service,
    projection::ReadModel,
    schemars::{self, JsonSchema},
    store::Recorded,
};
use serde::{Deserialize, Serialize};
use serde_json::Error as JsonError;

/// Places an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, permissions = ["orders:place"])]
pub struct PlaceOrder {
    /// What is ordered.
    #[schemars(length(min = 1))]
    pub article: String,
    /// In cents.
    #[schemars(range(min = 1))]
    pub price: u64,
}

/// Cancels an order that is not paid yet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = (), permissions = ["orders:place"])]
pub struct CancelOrder {
    /// The order.
    pub id: String,
}

/// Finds an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = OrderView, permissions = ["orders:read"],
    cache(ttl = 5, key = "order:{id}", invalidate_on = [OrderPlaced, OrderPaid, OrderCancelled]))]
pub struct GetOrder {
    /// The order.
    pub id: String,
}

/// An order as customers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderView {
    /// Names it.
    pub id: String,
    /// What was ordered.
    pub article: String,
    /// `placed`, `paid` or `cancelled`.
    pub status: String,
}

/// An order was placed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Order")]
pub struct OrderPlaced {
    id: String,
    customer: String,
    article: String,
    price: u64,
}

/// An order was paid.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Order")]
pub struct OrderPaid {
    id: String,
}

/// An order was cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Order")]
pub struct OrderCancelled {
    id: String,
}

/// Another service received money.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(service = "payment-service")]
pub struct PaymentReceived {
    /// For which order.
    pub order: String,
    /// In cents.
    pub amount: u64,
}

/// What decisions about an order need to know.
#[derive(Debug, Default)]
struct Order {
    customer: String,
    price: u64,
    paid: bool,
    cancelled: bool,
}

impl Aggregate for Order {
    const TYPE: &'static str = "Order";

    fn apply(&mut self, event: &Recorded) -> Result<(), JsonError> {
        match event.event_type.as_str() {
            OrderPlaced::EVENT_TYPE => {
                let placed: OrderPlaced = event.data.read()?;
                (self.customer, self.price) = (placed.customer, placed.price);
            }
            OrderPaid::EVENT_TYPE => self.paid = true,
            OrderCancelled::EVENT_TYPE => self.cancelled = true,
            _ => {}
        }
        Ok(())
    }
}

async fn place(cx: Context<()>, command: PlaceOrder) -> Result<Outcome<String>, Fault> {
    let PlaceOrder { article, price } = command;
    let (id, customer) = (format!("order-{}", cx.message.id), cx.user()?.user_id.clone());
    Ok(Outcome::reply(id.clone()).emit(OrderPlaced { id, customer, article, price }))
}

async fn cancel(cx: Context<()>, command: CancelOrder) -> Result<Outcome<()>, Fault> {
    let order = cx.load::<Order>(&command.id).await?.existing()?;
    match &order.state {
        Order { paid: true, .. } => Err(Fault::rule("a paid order cannot be cancelled")),
        Order { cancelled: true, .. } => Ok(Outcome::done()),
        _ => Ok(order.emit(Outcome::done(), OrderCancelled { id: command.id })),
    }
}

/// A policy: customers cancel their own orders.
async fn own_order(cx: Context<()>, command: CancelOrder) -> Result<bool, Fault> {
    Ok(cx.load::<Order>(&command.id).await?.existing()?.state.customer == cx.user()?.user_id)
}

async fn on_payment(cx: Context<()>, payment: PaymentReceived) -> Result<Outcome<()>, Fault> {
    let order = cx.load::<Order>(&payment.order).await?.existing()?;
    if order.state.paid || payment.amount < order.state.price {
        return Ok(Outcome::done());
    }
    Ok(order.emit(Outcome::done(), OrderPaid { id: payment.order }))
}

async fn find(cx: Context<()>, query: GetOrder) -> Result<OrderView, Fault> {
    let order = cx.view("orders")?.find(&query.id).await?;
    let order = order.ok_or_else(|| Fault::not_found(format!("there is no order {}", query.id)))?;
    order.data.read().map_err(|error| Fault::internal(error.to_string()))
}

fn read_model() -> ReadModel {
    let model = ReadModel::new("orders").copy(OrderPlaced::EVENT_TYPE, [("id", "id"), ("article", "article")]);
    let status = [
        (OrderPlaced::EVENT_TYPE, "placed"),
        (OrderPaid::EVENT_TYPE, "paid"),
        (OrderCancelled::EVENT_TYPE, "cancelled"),
    ];
    status.into_iter().fold(model, |model, (event_type, word)| {
        model.on(event_type, move |order, _| {
            order.set("status", word);
            Ok(())
        })
    })
}

/// The service.
pub fn orders() -> Service<()> {
    Service::new("order-service", ())
        .command(place)
        .command(cancel)
        .policy::<CancelOrder, _, _>("own-order", own_order)
        .query(find)
        .event(on_payment)
        .projection(read_model())
        .publishes::<OrderPlaced>()
        .publishes::<OrderPaid>()
}
