//! A model of redelivery: handlers that fail and die, a broker that refuses and does not answer, all by the dice, in a
//! time that passes only when everybody waits. Each message ends once, handled or in the dead letters, and once more for
//! each moment at which whoever had it died with a copy sent and the original not acknowledged.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use banyan_sdk::{
    bus::{
        Bus, BusError, Counts, Deliveries, Delivery, Message, Queue, Sending, State, Target, Topology,
        dead_letters::DeadLetters,
        memory::{MemoryBroker, MemoryBus, SystemClock},
        redelivery::{Attempt, Redelivery},
    },
    protocol::{
        FaultCode, Timestamp,
        dead_letter::{HEADER_HISTORY, Reason, read_history},
    },
    retry::RetryPolicy,
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    dice::{Dice, rounds},
    support::seconds,
};

const QUEUE: &str = "work";
const MESSAGES: usize = 30;
/// Longer than any delay, and than whoever had a message lives on without a word.
const QUIET: Duration = Duration::from_secs(120);
const DEATH: Duration = Duration::from_secs(30);

/// What happened to messages, by their ids.
#[derive(Default)]
struct Log {
    /// How often it was two of it for a while.
    forks: BTreeMap<String, usize>,
    handled: BTreeMap<String, usize>,
    /// By what was said of it: of which message it was, which attempt, when, and whether another one could help.
    failures: BTreeMap<String, (String, u32, Instant, bool)>,
    /// Attempts that came sooner than the policy says.
    early: usize,
}

/// What a log shows, once nothing moves any more.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    lost: usize,
    /// Copies that were there and ended nowhere, beside one that did.
    vanished: usize,
    doubled: usize,
    /// Dead letters whose history is not what happened.
    untrue: usize,
    early: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, vanished, doubled, untrue, early } = self;
        write!(f, "lost {lost}, vanished {vanished}, doubled {doubled}, untrue {untrue}, too early {early}")
    }
}

/// A bus whose broker refuses some messages, and does not answer for others.
struct Shaky {
    bus: MemoryBus,
    dice: Mutex<Dice>,
    log: Arc<Mutex<Log>>,
}

impl Bus for Shaky {
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), BusError>> {
        self.bus.declare(topology)
    }

    fn send<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        sending: Sending,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        let turn = self.dice.lock().unwrap().below(8);
        Box::pin(async move {
            let id = message.message_id.clone().unwrap();
            let target_name = target.to_string();
            if turn == 0 {
                return Err(BusError::Refused { target: target_name });
            }
            self.bus.send(target, message, sending).await?;
            if turn < 3 {
                *self.log.lock().unwrap().forks.entry(id).or_default() += 1;
            }
            match turn {
                1 => Err(BusError::Lost { target: target_name }),
                // Whoever waits for the answer dies meanwhile.
                2 => std::future::pending().await,
                _ => Ok(()),
            }
        })
    }

    fn request<'a>(
        &'a self,
        target: &'a Target,
        message: Message,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Message, BusError>> {
        self.bus.request(target, message, deadline)
    }

    fn consume<'a>(&'a self, queue: &'a str, prefetch: u16) -> BoxFuture<'a, Result<Deliveries, BusError>> {
        self.bus.consume(queue, prefetch)
    }

    fn fetch<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Delivery>, BusError>> {
        self.bus.fetch(queue)
    }

    fn inspect<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Option<Counts>, BusError>> {
        self.bus.inspect(queue)
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u32, BusError>> {
        self.bus.purge(queue)
    }

    fn state(&self) -> watch::Receiver<State> {
        self.bus.state()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.bus.close()
    }
}

/// Who delivers again.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// As services do.
    Rightly,
    /// The planted bug: the original is acknowledged first.
    AcknowledgedFirst,
}

struct Model {
    how: How,
    dice: Dice,
    log: Arc<Mutex<Log>>,
    bus: Arc<Shaky>,
    redelivery: Redelivery,
    policy: RetryPolicy,
}

impl Model {
    async fn run(mut self, broker: &MemoryBroker) -> Verdict {
        let setup = broker.connect();
        setup.declare(&Topology::default().queue(Queue::work(QUEUE))).await.unwrap();
        for number in 0..MESSAGES {
            let message = Message::durable(format!("m{number}"), "x");
            setup.send(&Target::queue(QUEUE), message, Sending::confirmed(seconds(10))).await.unwrap();
        }
        let mut deliveries = setup.consume(QUEUE, 1 + self.dice.below(5_u64) as u16).await.unwrap();
        while let Ok(delivery) = timeout(QUIET, deliveries.next()).await {
            self.handle(delivery.expect("an open bus")).await;
        }
        self.judge(setup).await
    }

    async fn handle(&mut self, delivery: Delivery) {
        let id = delivery.message.message_id.clone().unwrap();
        let attempt = Redelivery::attempt(&delivery.message);
        self.check_pause(&delivery.message);
        let permanent = match self.dice.below(10) {
            // It dies at once, and somebody else gets the message.
            0 => return,
            1..5 => {
                *self.log.lock().unwrap().handled.entry(id.clone()).or_default() += 1;
                if self.dice.once_in(8) {
                    // It dies before it can say so.
                    *self.log.lock().unwrap().forks.entry(id).or_default() += 1;
                } else {
                    delivery.ack();
                }
                return;
            }
            5 => true,
            _ => false,
        };
        let said = {
            let failures = &mut self.log.lock().unwrap().failures;
            let said = format!("failure {}", failures.len());
            failures.insert(said.clone(), (id, attempt, Instant::now(), permanent));
            said
        };
        let failed = Attempt {
            code: &FaultCode::EventStore,
            message: &said,
            permanent: permanent.then_some(&Reason::Permanent),
            at: Timestamp::from_millis(1_900_000_000_000),
            stack_hash: None,
        };
        let random = self.dice.fraction();
        match self.how {
            How::Rightly => {
                // What it does not come to the end of was ended by its death.
                let _ = timeout(DEATH, self.redelivery.failed(delivery, failed, random)).await;
            }
            How::AcknowledgedFirst => {
                let (copy, queue) = (delivery.message.clone(), Target::queue(QUEUE));
                delivery.ack();
                let send = self.bus.send(&queue, copy, Sending::confirmed(seconds(10)));
                let _ = timeout(DEATH, send).await;
            }
        }
    }

    /// Not before the shortest delay after the failure that it is there again for.
    fn check_pause(&self, message: &Message) {
        let history = message.header_text(HEADER_HISTORY).map(|it| read_history(it).unwrap()).unwrap_or_default();
        let Some(last) = history.last() else { return };
        let mut log = self.log.lock().unwrap();
        let at = log.failures[&last.message].2;
        log.early += usize::from(at.elapsed() < self.policy.least(last.attempt));
    }

    async fn judge(self, bus: MemoryBus) -> Verdict {
        let letters = DeadLetters::new(Arc::new(bus)).show(QUEUE, 1_000).await.unwrap();
        let log = self.log.lock().unwrap();
        let mut verdict = Verdict { early: log.early, ..Verdict::default() };
        for number in 0..MESSAGES {
            let id = format!("m{number}");
            let of = |counts: &BTreeMap<String, usize>| counts.get(&id).copied().unwrap_or(0);
            let dead = letters.iter().filter(|it| it.message.message_id.as_deref() == Some(&id)).count();
            let (ends, wanted) = (of(&log.handled) + dead, 1 + of(&log.forks));
            verdict.lost += usize::from(ends == 0);
            verdict.vanished += wanted.saturating_sub(ends.max(1));
            verdict.doubled += ends.saturating_sub(wanted);
        }
        for letter in &letters {
            let id = letter.message.message_id.as_deref().unwrap();
            let true_of = |place: usize, attempt: u32, said: &str| {
                let (of, number, _, permanent) = &log.failures[said];
                let last = place + 1 == letter.history.len();
                let ends = last && letter.reason == "permanent";
                of == id && *number == attempt && attempt as usize == place + 1 && *permanent == ends
            };
            let each = letter.history.iter().enumerate().all(|(place, it)| true_of(place, it.attempt, &it.message));
            let all = letter.reason == "permanent" || letter.history.len() == self.policy.attempts as usize;
            verdict.untrue += usize::from(!each || !all || letter.history.is_empty());
        }
        verdict
    }
}

async fn verdict(how: How, mut dice: Dice) -> (Verdict, usize) {
    let (broker, log) = (MemoryBroker::new(SystemClock), Arc::new(Mutex::new(Log::default())));
    let policy = RetryPolicy { attempts: 1 + dice.below(4_u32), ..RetryPolicy::default() };
    let bus = Arc::new(Shaky { bus: broker.connect(), dice: Mutex::new(dice.for_another()), log: Arc::clone(&log) });
    let redelivery = Redelivery::new(bus.clone(), policy, Duration::from_secs(5));
    let model = Model { how, dice, log: Arc::clone(&log), bus, redelivery, policy };
    let verdict = model.run(&broker).await;
    let forks = log.lock().unwrap().forks.values().sum();
    (verdict, forks)
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_each_message_ends_once_and_its_history_is_true() {
    let (mut sent, mut forks) = (0, 0);
    for dice in rounds(100) {
        let (verdict, more) = verdict(How::Rightly, dice).await;
        assert_eq!(verdict, Verdict::default(), "{verdict}");
        sent += MESSAGES;
        forks += more;
    }
    println!("{sent} messages, {forks} of them twice for a while: {}", Verdict::default());
    assert!(forks > 0, "nobody died");
}

#[tokio::test(start_paused = true)]
async fn the_model_sees_who_acknowledges_first() {
    let mut lost = 0;
    for dice in rounds(5) {
        lost += verdict(How::AcknowledgedFirst, dice).await.0.lost;
    }
    println!("acknowledged before the copy was confirmed: lost {lost}");
    assert!(lost > 0);
}
