//! `banyan dlq`: messages that services gave up, kept for people to look at.

use std::sync::Arc;
use std::time::Duration;

use banyan_sdk::bus::dead_letters::{DeadLetter, DeadLetters};
use banyan_sdk::bus::{BusError, packing};
use banyan_sdk::protocol::{Kind, names};

use super::broker;
use crate::args::{DlqCommand, DlqQueue};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::table::Table;

/// Starts an Erlang runtime, which takes its time.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// The broker of the project, with what it keeps for people.
struct Broker {
    broker: broker::Broker,
    letters: DeadLetters,
}

/// Lists, shows, sends back or throws away.
pub async fn run(context: &Context, command: DlqCommand) -> Result<u8, Failure> {
    let broker = Broker::of(context).await?;
    let result = match &command {
        DlqCommand::List => list(context, &broker).await,
        DlqCommand::Show { queue, limit } => show(context, &broker, queue, *limit).await,
        DlqCommand::Replay { queue, limit } => replay(context, &broker, queue, *limit).await,
        DlqCommand::Purge { queue, yes } => purge(context, &broker, queue, *yes).await,
    };
    broker.broker.bus.close().await;
    result.map(|()| 0)
}

impl Broker {
    async fn of(context: &Context) -> Result<Self, Failure> {
        let broker = broker::Broker::of(context, "banyan dlq").await?;
        Ok(Self { letters: DeadLetters::new(Arc::clone(&broker.bus)), broker })
    }

    /// The queues that have a dead-letter queue. AMQP itself cannot list queues.
    async fn queues(&self) -> Result<Vec<String>, Failure> {
        // Not in one pipe: it would end as well as sed does, however rabbitmqctl ended.
        let script = r#"all=$(rabbitmqctl -q list_queues name) && printf '%s\n' "$all" | sed -n 's/^dlq\.//p'"#;
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        let ended = self.broker.engine.exec(&self.broker.container, &command, LIST_LIMIT).await?;
        match ended {
            Some(ended) if ended.code == 0 => Ok(ended.output.lines().map(str::to_owned).collect()),
            Some(ended) => {
                Err(Failure::new(Exit::Other, 40, "the broker does not list its queues").details([ended.output]))
            }
            None => Err(Failure::new(Exit::TimedOut, 40, format!("the broker took longer than {LIST_LIMIT:?}"))),
        }
    }

    /// The queue that the user means, with or without `dlq.`; an error when there is none.
    async fn named(&self, context: &Context, queue: &DlqQueue) -> Result<String, Failure> {
        let name = queue.queue.strip_prefix("dlq.").unwrap_or(&queue.queue).to_owned();
        let known = self.broker.bus.inspect(&names::dead_letter_queue(&name)).await.map_err(|error| failed(&error))?;
        if known.is_some() {
            return Ok(name);
        }
        let queues = self.queues().await?;
        let all: Vec<&str> = queues.iter().map(String::as_str).collect();
        let failure = Failure::new(Exit::Usage, 40, format!("there are no dead letters of a queue `{name}`"));
        Err(match compose::suggest(&name, all) {
            Some(similar) => failure.hint(format!("did you mean `{similar}`?")),
            None => failure.hint(format!("see which there are: {}", context.pasteable(&["dlq", "list"]))),
        })
    }
}

async fn list(context: &Context, broker: &Broker) -> Result<(), Failure> {
    let queues = broker.queues().await?;
    let mut counts = broker.letters.list(&queues).await.map_err(|error| failed(&error))?;
    counts.sort();
    if context.json() {
        let items: Vec<_> =
            counts.iter().map(|(queue, count)| serde_json::json!({ "queue": queue, "messages": count })).collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "items": items }));
        return Ok(());
    }
    let mut table = Table::new(["QUEUE", "MESSAGES"]);
    for (queue, count) in counts.iter().filter(|(_, count)| *count > 0) {
        table.row([queue.clone(), count.to_string()]);
    }
    if table.is_empty() {
        context.note("no dead letters");
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    Ok(())
}

async fn show(context: &Context, broker: &Broker, queue: &DlqQueue, limit: usize) -> Result<(), Failure> {
    let queue = broker.named(context, queue).await?;
    let letters = broker.letters.show(&queue, limit).await.map_err(|error| failed(&error))?;
    if context.json() {
        let items: Vec<_> = letters.iter().map(as_json).collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "queue": queue, "items": items }));
        return Ok(());
    }
    for letter in &letters {
        let id = letter.message.message_id.as_deref().unwrap_or("(no id)");
        let kind = letter.message.header_text(names::HEADER_MESSAGE_TYPE).unwrap_or("(no type)");
        context.print(&format!("{id}  {kind}  {}, {} attempts\n", letter.reason, letter.attempts));
        for (what, text) in [
            ("error", letter.history.last().map(|it| format!("{}: {}", it.code, it.message))),
            ("trace", letter.message.header_text(names::HEADER_TRACE_ID).map(str::to_owned)),
            ("body", Some(body(letter))),
        ] {
            if let Some(text) = text {
                context.print(&format!("  {what:6} {}\n", context.style.text(&text)));
            }
        }
    }
    if letters.is_empty() {
        context.note(&format!("no dead letters of {queue}"));
    }
    Ok(())
}

async fn replay(context: &Context, broker: &Broker, queue: &DlqQueue, limit: Option<usize>) -> Result<(), Failure> {
    let queue = broker.named(context, queue).await?;
    let count = broker.letters.replay(&queue, limit.unwrap_or(usize::MAX)).await.map_err(|error| failed(&error))?;
    told(context, &queue, "replayed", count);
    Ok(())
}

async fn purge(context: &Context, broker: &Broker, queue: &DlqQueue, yes: bool) -> Result<(), Failure> {
    let queue = broker.named(context, queue).await?;
    if !yes {
        match context.ask(&format!("Delete the dead letters of {queue} for good?")) {
            Some(true) => {}
            Some(false) => return Err(Failure::new(Exit::Other, 41, "nothing was deleted")),
            None => {
                return Err(Failure::new(Exit::Usage, 41, "this deletes messages for good, and nobody can be asked")
                    .hint(format!("say so: {}", context.again(&["--yes"]))));
            }
        }
    }
    let count = broker.letters.purge(&queue).await.map_err(|error| failed(&error))?;
    told(context, &queue, "deleted", count as usize);
    Ok(())
}

fn told(context: &Context, queue: &str, what: &str, count: usize) {
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "queue": queue, what: count }));
    } else {
        let messages = if count == 1 { "message" } else { "messages" };
        context.print(&format!("{what} {count} {messages} of {queue}\n"));
    }
}

/// The body as text; what cannot be unpacked is told by its size.
fn body(letter: &DeadLetter) -> String {
    let kind = letter.message.header_text(names::HEADER_MESSAGE_TYPE).map_or(Kind::Event, Kind::of);
    let unpacked = packing::unpack(kind, &letter.message).ok();
    let text = unpacked.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok().map(str::to_owned));
    text.unwrap_or_else(|| format!("{} bytes that are no text", letter.message.body.len()))
}

fn as_json(letter: &DeadLetter) -> serde_json::Value {
    let text = |name| letter.message.header_text(name);
    serde_json::json!({
        "message_id": letter.message.message_id,
        "message_type": text(names::HEADER_MESSAGE_TYPE),
        "service": text(names::HEADER_SERVICE_NAME),
        "trace_id": text(names::HEADER_TRACE_ID),
        "reason": letter.reason,
        "attempts": letter.attempts,
        "history": letter.history,
        "body": body(letter),
    })
}

fn failed(error: &BusError) -> Failure {
    Failure::new(Exit::Unhealthy, 40, error.to_string())
}
