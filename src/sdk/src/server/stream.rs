//! A connection that is watched while it is read: refused bytes never come through, and nobody is waited for forever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tracing::debug;

use super::{
    framing::{Refusal, Watch},
    patience::Patience,
    places::Place,
};
use crate::config::Limits;

/// What the parser gets for the rest of a head that is refused: with it no head is a good one, so that it answers 400, in
/// turn.
const POISON: &[u8] = b"\0\r\n\r\n";

const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How much more is read after the last answer, and for how long, so that a client which is still sending can read that
/// answer: what comes to a closed connection makes the system throw away what it has not read yet.
const FAREWELL: (u64, Duration) = (1024 * 1024, Duration::from_secs(1));

/// Whether a connection has become a WebSocket's, and speaks HTTP no longer.
#[derive(Clone, Default)]
pub(super) struct Upgraded(Arc<AtomicBool>);

impl Upgraded {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection, its place among all, and what has been seen of it.
pub(super) struct Stream {
    stream: TcpStream,
    _place: Place,
    upgraded: Upgraded,
    watch: Watch,
    refused: bool,
    poison: &'static [u8],
    head: Patience,
    write: Patience,
    late: bool,
    flushed: bool,
}

impl Stream {
    pub(super) fn new(stream: TcpStream, place: Place, upgraded: Upgraded, limits: &Limits) -> Self {
        let mut head = Patience::new(limits.head_time);
        head.begin();
        Self {
            stream,
            _place: place,
            upgraded,
            watch: Watch::new(limits.head_bytes),
            refused: false,
            poison: &[],
            head,
            write: Patience::new(limits.write_pause),
            late: false,
            flushed: true,
        }
    }

    /// Says what the parser could not, and leaves the client time to read it.
    pub(super) async fn end(mut self) {
        if self.late && self.flushed && self.watch.in_head() {
            // A client that is gone does not need it.
            let _ = timeout(FAREWELL.1, self.stream.write_all(TOO_LATE)).await;
        }
        if self.refused || !self.watch.between_requests() {
            let _ = self.stream.shutdown().await;
            let mut rest = vec![0; 8192];
            let mut left = FAREWELL.0;
            let _ = timeout(FAREWELL.1, async {
                while let Ok(length @ 1..) = self.stream.read(&mut rest).await {
                    left = left.saturating_sub(length as u64);
                    if left == 0 {
                        break;
                    }
                }
            })
            .await;
        }
    }

    /// Judges what is in `buffer` behind `before`, and takes out what may not be read.
    fn judge(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let Err((at, refusal)) = self.watch.look(&buffer.filled()[before..]) else {
            return Ok(());
        };
        self.refused = true;
        buffer.set_filled(before + at);
        match refusal {
            Refusal::Head(why) => {
                debug!("refused a request with {why}");
                self.poison = POISON;
                self.hand_out_poison(buffer);
            }
            // the parser has seen enough to refuse it itself
            Refusal::Length => debug!("refused a request with a head that is too long"),
            Refusal::Body(why) => debug!("refused a body with {why}"),
        }
        if buffer.filled().len() == before { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }

    fn hand_out_poison(&mut self, buffer: &mut ReadBuf<'_>) {
        let (now, later) = self.poison.split_at(self.poison.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.poison = later;
    }

    /// What a write gave, unless the client has taken nothing for too long.
    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() || self.upgraded.is() {
            self.write.stop();
            return result;
        }
        self.write.begin();
        if self.write.is_over(context) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { result }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.upgraded.is() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        if !this.poison.is_empty() {
            this.hand_out_poison(buffer);
            return Poll::Ready(Ok(()));
        }
        if this.refused {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if this.watch.awaits_answer() {
            // the answer goes on without being woken: it ends the connection, or makes it a WebSocket's
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        // whoever has something to read was not too late with it
        if Pin::new(&mut this.stream).poll_read(context, buffer)?.is_pending() {
            if !this.head.is_over(context) {
                return Poll::Pending;
            }
            this.late = true;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if buffer.filled().len() > before {
            this.judge(buffer, before)?;
            if this.watch.in_head() {
                this.head.begin();
            } else {
                this.head.stop();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.flushed = false;
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.flushed = false;
        let result = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        this.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
