//! Telling the broker which deliveries are dealt with, many at a time.

use std::{collections::BTreeSet, sync::Arc};

use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::posting::gather;
use crate::bus::delivery::{Settle, Verdict};

/// What the task takes in one go.
const BATCH: usize = 256;

/// One channel's deliveries that are not settled.
///
/// Verdicts on a channel that is gone are dropped: its tags mean nothing on a newer one.
pub(super) struct Settling {
    verdicts: mpsc::UnboundedSender<(u64, Verdict)>,
}

impl Settle for Settling {
    fn settle(&self, tag: u64, verdict: Verdict) {
        // Unbounded, and yet no longer than the prefetch: one verdict for each delivery.
        let _ = self.verdicts.send((tag, verdict));
    }
}

/// Starts the task that settles what is delivered on a channel, and ends when all deliveries are settled and the
/// returned handle is gone. The sender takes the tags as they are delivered, in order.
pub(super) fn start(channel: Channel, queue: String, tasks: &TaskTracker) -> Arc<Settling> {
    let (verdicts, mut incoming) = mpsc::unbounded_channel();
    tasks.spawn(async move {
        let (mut batch, mut open) = (Vec::new(), Open::default());
        while incoming.recv_many(&mut batch, BATCH).await > 0 {
            // One word to the broker for many deliveries.
            gather(&mut batch, BATCH, || incoming.try_recv().ok()).await;
            for order in open.settle(&mut batch) {
                let result = match order {
                    Order::Ack { tag, multiple } => channel.basic_ack(tag, BasicAckOptions { multiple }).await,
                    Order::Requeue { tag } => {
                        channel.basic_nack(tag, BasicNackOptions { multiple: false, requeue: true }).await
                    }
                };
                if let Err(error) = result {
                    tracing::debug!(queue, error = %error, "verdicts on deliveries came too late");
                    return;
                }
            }
        }
    });
    Arc::new(Settling { verdicts })
}

/// What the broker is told.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Ack { tag: u64, multiple: bool },
    Requeue { tag: u64 },
}

/// Which tags are settled. The broker numbers the deliveries of a channel from one, without gaps.
#[derive(Default)]
struct Open {
    /// All up to this one are settled.
    settled: u64,
    /// Settled ones beyond.
    beyond: BTreeSet<u64>,
}

impl Open {
    /// The fewest words for these verdicts: one for all acknowledged ones that nothing unsettled stands before.
    fn settle(&mut self, verdicts: &mut Vec<(u64, Verdict)>) -> Vec<Order> {
        verdicts.sort_unstable_by_key(|(tag, _)| *tag);
        let mut orders = Vec::new();
        // Requeued ones first: "all up to here" would cover them.
        orders.extend(
            verdicts
                .iter()
                .filter(|(_, verdict)| *verdict == Verdict::Again)
                .map(|(tag, _)| Order::Requeue { tag: *tag }),
        );
        self.beyond.extend(verdicts.iter().map(|(tag, _)| *tag));
        let before = self.settled;
        while self.beyond.remove(&(self.settled + 1)) {
            self.settled += 1;
        }
        let acked = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Done).map(|(tag, _)| *tag);
        let (covered, single): (Vec<_>, Vec<_>) = acked.partition(|tag| (before + 1..=self.settled).contains(tag));
        match covered[..] {
            [] => {}
            [tag] => orders.push(Order::Ack { tag, multiple: false }),
            [.., last] => orders.push(Order::Ack { tag: last, multiple: true }),
        }
        orders.extend(single.into_iter().map(|tag| Order::Ack { tag, multiple: false }));
        verdicts.clear();
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::rounds;

    fn ack(tag: u64, multiple: bool) -> Order {
        Order::Ack { tag, multiple }
    }

    #[test]
    fn one_word_covers_what_is_settled_in_a_row() {
        let mut open = Open::default();
        let mut settle = |verdicts: &[(u64, Verdict)]| open.settle(&mut verdicts.to_vec());
        let done = |tags: &[u64]| tags.iter().map(|tag| (*tag, Verdict::Done)).collect::<Vec<_>>();
        assert_eq!(settle(&done(&[1])), [ack(1, false)]);
        assert_eq!(settle(&done(&[3, 2, 4])), [ack(4, true)]);
        assert_eq!(settle(&done(&[6, 8])), [ack(6, false), ack(8, false)]);
        assert_eq!(settle(&[(5, Verdict::Again), (7, Verdict::Done)]), [Order::Requeue { tag: 5 }, ack(7, false)]);
        assert_eq!(settle(&done(&[9, 10])), [ack(10, true)]);
    }

    /// Whatever order verdicts come in, the broker ends up with exactly them.
    #[test]
    fn any_order_settles_each_delivery_once() {
        for mut dice in rounds(200) {
            let (mut open, mut broker, mut todo) = (Open::default(), BTreeSet::new(), Vec::new());
            for tag in 1..=60_u64 {
                broker.insert(tag);
                todo.push((tag, if dice.once_in(5) { Verdict::Again } else { Verdict::Done }));
            }
            let expected: Vec<_> = todo.iter().filter(|(_, v)| *v == Verdict::Again).map(|(tag, _)| *tag).collect();
            dice.shuffle(&mut todo);
            let mut requeued = BTreeSet::new();
            while !todo.is_empty() {
                let count = 1 + dice.below(todo.len().min(9));
                let mut batch: Vec<_> = todo.drain(..count).collect();
                let verdicts = batch.clone();
                for order in open.settle(&mut batch) {
                    match order {
                        Order::Requeue { tag } => assert!(broker.remove(&tag) && requeued.insert(tag)),
                        Order::Ack { tag, multiple: false } => assert!(broker.remove(&tag)),
                        Order::Ack { tag, multiple: true } => {
                            assert!(broker.contains(&tag));
                            broker.retain(|other| *other > tag);
                        }
                    }
                }
                assert!(verdicts.iter().all(|(tag, _)| !broker.contains(tag)));
                assert!(todo.iter().all(|(tag, _)| broker.contains(tag)), "settled what nobody settled");
            }
            assert_eq!(requeued.into_iter().collect::<Vec<_>>(), expected);
        }
    }
}
