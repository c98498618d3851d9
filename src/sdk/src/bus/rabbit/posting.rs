//! Sending without the broker's word, many messages in one go.
//!
//! lapin writes on a thread of its own, and each message that is handed to it wakes that thread. So one task hands them
//! over, all that are there at a time: at 64 calls in flight this is one wake-up and one write for dozens of messages.

use futures_util::FutureExt;
use lapin::{Channel, options::BasicPublishOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{convert, publisher::Letter};

/// Messages that are handed over in one go, and as many wait outside meanwhile.
const BATCH: usize = 128;

/// One channel without confirms.
pub(super) struct Post {
    letters: mpsc::Sender<Letter>,
}

impl Post {
    /// Takes over a channel until the connection is given up.
    pub(super) fn start(channel: Channel, lost: CancellationToken) -> Self {
        let (letters, incoming) = mpsc::channel(BATCH);
        tokio::spawn(async move {
            tokio::select! {
                () = lost.cancelled() => {}
                () = work(&channel, incoming) => {
                    // A channel that failed is closed; all of the connection is made anew.
                    lost.cancel();
                }
            }
        });
        Self { letters }
    }

    /// Hands a message in, and waits while the broker is slower than this process; false when the connection is gone.
    pub(super) async fn send(&self, letter: Letter) -> bool {
        self.letters.send(letter).await.is_ok()
    }
}

/// Lets whoever is about to hand something in as well go first, and takes that too, up to `most`. One that is alone goes
/// at once: what comes later goes with the next.
pub(super) async fn gather<T>(batch: &mut Vec<T>, most: usize, mut next: impl FnMut() -> Option<T>) {
    if batch.len() < 2 {
        return;
    }
    tokio::task::yield_now().await;
    while batch.len() < most
        && let Some(more) = next()
    {
        batch.push(more);
    }
}

/// Ends when the channel does, or when nobody is left to hand in letters.
async fn work(channel: &Channel, mut incoming: mpsc::Receiver<Letter>) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut batch, BATCH, || incoming.try_recv().ok()).await;
        let last = batch.len() - 1;
        for (place, Letter { exchange, key, mandatory, properties, body }) in batch.drain(..).enumerate() {
            let options = BasicPublishOptions { mandatory, immediate: false };
            let publish = channel.basic_publish(exchange, key, options, &body, properties);
            // The first step puts the frames into lapin's queue; when those of the last one are written, all are.
            let handed = if place == last { Some(publish.await) } else { publish.now_or_never() };
            if let Some(Err(error)) = handed {
                tracing::debug!(error = convert::words(&error), "messages could not be sent");
                return;
            }
        }
    }
}
