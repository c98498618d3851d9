//! The built-in stack with data in every store, and what of it can be compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Connection};

use super::Stage;

/// Queues of both kinds whose messages are taken away; nobody asks the last one for its word.
const QUEUES: [&str; 3] = ["t.classic", "t.quorum", "t.unasked"];

/// The lock that whoever appends events holds (see the migrations of the event store).
pub const APPENDING: i64 = 7_089_054_353_921_802_852;

/// What a stack holds, as text that can be compared.
#[derive(Debug)]
pub struct Contents {
    /// Of every table of the test: rows, and a digest of all of them.
    rows: String,
    /// Keys with a digest of their values.
    keys: String,
    /// Messages in order: number, properties and a digest of the body.
    messages: BTreeMap<&'static str, Vec<String>>,
}

/// Name of a service's container.
fn container(stage: &Stage, service: &str) -> String {
    format!("{}-{service}", stage.project())
}

/// Statements for the database; what they answer.
#[track_caller]
pub fn sql(stage: &Stage, statements: &str) -> String {
    sql_in(stage, "eventstore", statements)
}

/// Statements for any database of the server.
#[track_caller]
pub fn sql_in(stage: &Stage, database: &str, statements: &str) -> String {
    let name = container(stage, "postgres");
    let psql = ["psql", "-U", "actor_user", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statements];
    stage.docker(&[&["exec", &name], &psql[..]].concat())
}

/// A command for the cache.
#[track_caller]
pub fn redis(stage: &Stage, words: &[&str]) -> String {
    let name = container(stage, "redis");
    stage.docker(&[&["exec", &name, "redis-cli"], words].concat())
}

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await });
    runtime.shutdown_background();
    result.expect("the broker answers in time")
}

async fn broker(stage: &Stage) -> Connection {
    let address = stage.docker(&["port", &container(stage, "rabbitmq"), "5672"]);
    let port = address.lines().next().unwrap().rsplit(':').next().unwrap().to_owned();
    Connection::connect(&format!("amqp://admin:admin123@127.0.0.1:{port}"), Default::default()).await.unwrap()
}

/// Puts `events` events, as many rows with odd text, keys of every type, and `messages` messages in each queue.
pub fn fill(stage: &Stage, events: usize, messages: usize) {
    // a service that keeps events has made it, if one runs
    if sql(stage, "SELECT to_regclass('events')").is_empty() {
        sql(stage, include_str!("../../src/sdk/src/store/postgres/migrations/1_events.sql"));
    }
    sql(
        stage,
        &format!(
            "CREATE TABLE IF NOT EXISTS t_rows (id int PRIMARY KEY, words text, bytes bytea, price numeric);
             TRUNCATE t_rows;
             INSERT INTO t_rows SELECT n, 'ümlaut \"' || repeat('x', n % 50) || E'\\t\\n\\\\', decode(md5(n::text), 'hex'), n / 7.0
                 FROM generate_series(1, {events}) n;
             INSERT INTO t_rows VALUES (0, NULL, NULL, 'NaN');
             -- as whoever appends
             SELECT pg_advisory_xact_lock({APPENDING});
             INSERT INTO events
                 SELECT coalesce((SELECT max(position) FROM events), 0) + n, gen_random_uuid(), 't', 'Order', gen_random_uuid()::text,
                     1, 'OrderPlaced', 1, jsonb_build_object('n', n, 'noise', md5(random()::text)), '{{}}', now(), NULL, NULL
                 FROM generate_series(1, {events}) n;
             CREATE ROLE t_reader LOGIN PASSWORD 'secret';"
        ),
    );
    for words in [
        &["set", "t:text", "wörter"][..],
        &["set", "t:lasts", "x", "ex", "100000"],
        &["rpush", "t:list", "a", "b", "c"],
        &["sadd", "t:set", "1", "2"],
        &["hset", "t:hash", "k", "v"],
        &["zadd", "t:sorted", "1.5", "m"],
        &["xadd", "t:stream", "*", "k", "v"],
    ] {
        redis(stage, words);
    }
    publish(stage, 0..messages);
}

/// Publishes messages, each of which the broker has confirmed; the last queue, which is not asked for it, holds them.
pub fn publish(stage: &Stage, numbers: std::ops::Range<usize>) {
    block(async {
        let connection = broker(stage).await;
        let (asking, plain) = (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
        asking.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for queue in QUEUES {
            let unasked = queue.ends_with("unasked");
            let channel = if unasked { &plain } else { &asking };
            let mut arguments = FieldTable::default();
            if queue.ends_with("quorum") {
                arguments.insert(ShortString::from("x-queue-type"), AMQPValue::LongString("quorum".into()));
                arguments.insert(ShortString::from("x-delivery-limit"), AMQPValue::LongInt(1000));
            }
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            let was = channel.queue_declare(queue.into(), options, arguments.clone()).await.unwrap().message_count();
            let mut confirms = Vec::new();
            for n in numbers.clone() {
                let mut headers = FieldTable::default();
                headers.insert(ShortString::from("x-number"), AMQPValue::LongLongInt(n as i64));
                let properties = BasicProperties::default()
                    .with_delivery_mode(2)
                    .with_message_id(format!("id-{n}").into())
                    .with_correlation_id("cor".into())
                    .with_content_type("application/json".into())
                    .with_priority(1)
                    .with_headers(headers);
                // some are larger than what the queue's index keeps
                let body = format!("{n}:{}", "b".repeat(if n % 10 == 0 { 9000 } else { n % 300 }));
                let options = BasicPublishOptions::default();
                confirms.push(
                    channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await.unwrap(),
                );
            }
            for confirm in confirms {
                assert!(confirm.await.unwrap().is_ack() || unasked);
            }
            // one that does not confirm is counted before it has taken all that was sent
            let held = if unasked { was + numbers.len() as u32 } else { 0 };
            while channel.queue_declare(queue.into(), options, arguments.clone()).await.unwrap().message_count() < held
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        connection.close(200, "done".into()).await.unwrap();
    });
}

/// Puts a message into a queue as a service leaves one behind that is gone: the queue goes away by itself, later.
pub fn leave_behind(stage: &Stage) {
    confirmed(stage, "t.left", &[("x-expires", 600_000)], BasicProperties::default().with_delivery_mode(2), 1);
}

/// Puts messages that will not be there for ever: some expire after two seconds, and some end with the node.
pub fn mortal(stage: &Stage, messages: usize) {
    let kept = BasicProperties::default().with_delivery_mode(2);
    confirmed(stage, "t.brief", &[("x-message-ttl", 2000)], kept.clone(), messages);
    // the queue knows nothing of it, the messages do
    confirmed(stage, "t.marked", &[], kept.with_expiration("2000".into()), messages);
    confirmed(stage, "t.transient", &[], BasicProperties::default().with_delivery_mode(1), messages);
}

/// Puts messages into a durable queue with these arguments, each of which the broker has confirmed.
fn confirmed(stage: &Stage, queue: &str, arguments: &[(&str, i32)], properties: BasicProperties, messages: usize) {
    block(async {
        let connection = broker(stage).await;
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert(ShortString::from(*name), AMQPValue::LongInt(*value));
        }
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare(queue.into(), options, table).await.unwrap();
        for _ in 0..messages {
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("".into(), queue.into(), options, b"x", properties.clone());
            assert!(sent.await.unwrap().await.unwrap().is_ack());
        }
        connection.close(200, "done".into()).await.unwrap();
    });
}

/// Takes everything away that [`fill`] has put.
pub fn wreck(stage: &Stage) {
    sql(stage, "TRUNCATE events; DROP TABLE t_rows; DROP ROLE t_reader; CREATE TABLE t_new (id int);");
    redis(stage, &["flushall"]);
    block(async {
        let connection = broker(stage).await;
        let channel = connection.create_channel().await.unwrap();
        for queue in QUEUES {
            channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap();
        }
        connection.close(200, "done".into()).await.unwrap();
    });
}

/// Everything that [`fill`] has put, and nothing else. Messages are looked at and go back.
pub fn contents(stage: &Stage) -> Contents {
    let rows = sql(
        stage,
        "SELECT 'rows', count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM t_rows t;
         SELECT 'events', count(*), max(position), md5(string_agg(e::text, '|' ORDER BY position)) FROM events e WHERE service = 't';
         SELECT 'role', rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 't_reader';
         SELECT 'new', to_regclass('t_new') IS NOT NULL;
         SELECT 'index', indexdef FROM pg_indexes WHERE tablename IN ('events', 't_rows') ORDER BY 2;",
    );
    let digest = "local all = {} for _, k in ipairs(redis.call('keys', 't:*')) do \
        all[#all + 1] = k .. ' ' .. redis.sha1hex(redis.call('dump', k)) .. ' ' .. tostring(redis.call('pttl', k) > 0) end \
        table.sort(all) return table.concat(all, ' | ')";
    let keys = redis(stage, &["eval", digest, "0"]);
    Contents { rows, keys, messages: block(messages(stage)) }
}

async fn messages(stage: &Stage) -> BTreeMap<&'static str, Vec<String>> {
    let connection = broker(stage).await;
    let channel = connection.create_channel().await.unwrap();
    let mut found = BTreeMap::new();
    for queue in QUEUES {
        let mut all = Vec::new();
        while let Some(got) = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap() {
            let p = &got.properties;
            let mut line = String::new();
            let number = p.headers().as_ref().and_then(|h| h.inner().get("x-number")).cloned();
            write!(line, "{:06} ", numbered(number.as_ref())).unwrap();
            write!(
                line,
                "{:?} {:?} {:?} {:?}",
                p.message_id(),
                p.correlation_id(),
                p.content_type(),
                p.delivery_mode()
            )
            .unwrap();
            let sum = got.data.iter().fold(0_u64, |sum, b| sum.wrapping_mul(31).wrapping_add(u64::from(*b)));
            write!(line, " {:?} {number:?} {} {sum:x}", p.priority(), got.data.len()).unwrap();
            all.push(line);
        }
        found.insert(queue, all);
    }
    // what was looked at goes back when the connection ends, and a little later is there again
    connection.close(200, "done".into()).await.unwrap();
    let connection = broker(stage).await;
    let channel = connection.create_channel().await.unwrap();
    for (queue, all) in &found {
        let passive = QueueDeclareOptions { passive: true, ..Default::default() };
        while channel.queue_declare((*queue).into(), passive, Default::default()).await.unwrap().message_count()
            as usize
            != all.len()
        {
            tokio::task::yield_now().await;
        }
    }
    connection.close(200, "done".into()).await.unwrap();
    found
}

/// The number in a message's header.
fn numbered(header: Option<&AMQPValue>) -> i64 {
    if let Some(AMQPValue::LongLongInt(n)) = header { *n } else { -1 }
}

/// A quorum queue hands what was looked at out in another order the next time, so the order counts for the first look.
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |all: &Contents| {
            all.messages
                .values()
                .cloned()
                .map(|mut m| {
                    m.sort();
                    m
                })
                .collect::<Vec<_>>()
        };
        (&self.rows, &self.keys) == (&other.rows, &other.keys) && sorted(self) == sorted(other)
    }
}

/// Whether two are the same, without printing a thousand messages.
#[track_caller]
pub fn assert_same(found: &Contents, expected: &Contents, when: &str) {
    assert_eq!((&found.rows, &found.keys), (&expected.rows, &expected.keys), "{when}");
    for queue in QUEUES {
        let (mut found, mut expected) = (found.messages[queue].clone(), expected.messages[queue].clone());
        found.sort();
        expected.sort();
        let place = found.iter().zip(&expected).position(|(f, e)| f != e).unwrap_or(found.len().min(expected.len()));
        let what = (found.len(), expected.len(), found.get(place), expected.get(place));
        assert!(found == expected, "{when}: {queue} differs at {place}: {what:?}");
    }
}

impl Contents {
    /// True when the messages of every queue come in the order in which they were published.
    pub fn in_order(&self) -> bool {
        self.messages.values().all(|all| all.is_sorted())
    }

    /// Messages in a queue.
    pub fn count(&self, queue: &str) -> usize {
        self.messages.get(queue).map_or(0, Vec::len)
    }
}
