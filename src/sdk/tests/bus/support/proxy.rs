//! A TCP proxy that breaks connections in the ways that networks do, whenever the test says so.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

/// What the proxy does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Hands it on.
    None,
    /// Hands it on later.
    Delay(Duration),
    /// Swallows it; nobody is told. A connection that it happened to never recovers, as with a lost NAT entry.
    Drop,
    /// Swallows what the client sends, and hands on what the server sends; never recovers either.
    HalfOpen,
    /// Ends every connection at once.
    Reset,
    /// One byte each second.
    Trickle,
    /// Turns one bit over in the next piece that the server sends, once for each connection.
    Flip,
}

pub struct Proxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    /// A proxy in front of a server.
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, accepted) = (watch::Sender::new(Fault::None), Arc::new(AtomicUsize::new(0)));
        let (watched, count) = (fault.clone(), accepted.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(client, server.clone(), watched.subscribe()));
            }
        });
        Self { address, fault, accepted }
    }

    pub fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections there were so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, server: String, fault: watch::Receiver<Fault>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        ended = carry(from_client, to_server, fault.clone(), Direction::ToServer) => ended,
        ended = carry(from_server, to_client, fault, Direction::ToClient) => ended,
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
    direction: Direction,
) -> io::Result<()> {
    let (mut buffer, mut silenced, mut flipped) = (vec![0; 16 * 1024], false, false);
    loop {
        let count = tokio::select! {
            reset = fault.wait_for(|fault| *fault == Fault::Reset) => {
                let _ = reset;
                return Ok(());
            }
            count = from.read(&mut buffer) => count?,
        };
        let now = *fault.borrow();
        silenced |= now == Fault::Drop || now == Fault::HalfOpen && direction == Direction::ToServer;
        if silenced {
            // Not even the end of the stream passes.
            if count == 0 {
                std::future::pending::<()>().await;
            }
            continue;
        }
        if count == 0 {
            return Ok(());
        }
        match now {
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::Trickle => {
                for byte in &buffer[..count] {
                    // A slower network does not stay slow for what it already took once it is mended.
                    let mended = fault.wait_for(|fault| *fault != Fault::Trickle);
                    let _ = tokio::time::timeout(Duration::from_secs(1), mended).await;
                    to.write_all(&[*byte]).await?;
                }
                continue;
            }
            Fault::Flip if direction == Direction::ToClient && !flipped => {
                flipped = true;
                buffer[0] ^= 0x40;
            }
            _ => {}
        }
        to.write_all(&buffer[..count]).await?;
    }
}
