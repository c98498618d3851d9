//! RabbitMQ, and whether it answers. lapin is named here and in `bus/rabbit`.
//!
//! lapin gives every connection a thread, and an attempt that is given up in the middle of the handshake keeps its
//! thread and socket until the broker speaks or dies. A frozen broker accepts connections and says nothing, so after an
//! unfinished attempt the next ones first ask, on a plain socket, whether anybody speaks at all.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::{Stream, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Event, ExchangeKind,
    options::ExchangeDeclareOptions,
    types::FieldTable,
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{monitor::Protocol, trouble::Trouble};
use crate::config::{Endpoint, Secret};

const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Seconds. It ends a connection that was given up; the monitor itself is faster.
const HEARTBEAT: u16 = 5;

/// lapin sizes its buffers by it; a monitor sends next to nothing.
const FRAME_MAX: u32 = 8192;

/// Exists in every virtual host.
const EXCHANGE: &str = "amq.direct";

const SUCCESS: u16 = 200;

pub(super) struct Amqp {
    uri: AMQPUri,
    /// Whether the last exchange with the broker was begun and not finished.
    unfinished: AtomicBool,
}

pub(super) struct Open {
    connection: Connection,
    channel: Channel,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
}

impl Amqp {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let userinfo = AMQPUserInfo {
            username: endpoint.user.clone().unwrap_or_else(|| "guest".to_owned()),
            password: endpoint.password.as_ref().map_or("guest", Secret::expose).to_owned(),
        };
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority { userinfo, host: endpoint.host.clone(), port: endpoint.port },
            // An address that ends in a slash names, to the letter, a virtual host without a name, which nobody has.
            vhost: match endpoint.path.as_str() {
                "" => "/".to_owned(),
                name => name.to_owned(),
            },
            query: AMQPQueryString {
                heartbeat: Some(HEARTBEAT),
                frame_max: Some(FRAME_MAX),
                ..AMQPQueryString::default()
            },
        };
        Self { uri, unfinished: AtomicBool::new(false) }
    }

    /// Asks whether the broker speaks; nothing is left behind when it does not.
    async fn speaks(&self) -> io::Result<()> {
        let authority = &self.uri.authority;
        let mut stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
        stream.write_all(PROTOCOL_HEADER).await?;
        stream.read_exact(&mut [0; PROTOCOL_HEADER.len()]).await?;
        Ok(())
    }

    async fn open(&self) -> lapin::Result<Open> {
        let properties = ConnectionProperties::default().with_connection_name("banyan health".into());
        let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
        let events = Box::pin(connection.events_listener());
        let channel = connection.create_channel().await?;
        Ok(Open { connection, channel, events })
    }

    /// Remembers an exchange that is dropped before its end.
    async fn finished<T>(&self, exchange: impl Future<Output = T>) -> T {
        self.unfinished.store(true, Ordering::Relaxed);
        let result = exchange.await;
        self.unfinished.store(false, Ordering::Relaxed);
        result
    }
}

impl Protocol for Amqp {
    type Connection = Open;

    async fn connect(&self) -> Result<Open, Trouble> {
        if self.unfinished.load(Ordering::Relaxed) {
            self.speaks().await.map_err(|error| Trouble::from(&error))?;
        }
        self.finished(self.open()).await.map_err(trouble)
    }

    async fn round_trip(&self, open: &mut Open) -> Result<(), Trouble> {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let asked =
            open.channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Direct, options, FieldTable::default());
        self.finished(asked).await.map_err(trouble)
    }

    async fn gone(&self, open: &mut Open) -> Trouble {
        while let Some(event) = open.events.next().await {
            if let Event::Error(error) = event {
                return trouble(error);
            }
        }
        Trouble::unreachable("connection closed")
    }

    async fn close(&self, open: Open) {
        // The broker drops the connection in any case.
        let _ = open.connection.close(SUCCESS, "OK".into()).await;
    }
}

fn trouble(error: lapin::Error) -> Trouble {
    match error.kind() {
        ErrorKind::IOError(error) | ErrorKind::RuntimeShutdownError(error) => Trouble::from(error.as_ref()),
        ErrorKind::ProtocolError(error) => Trouble::refused(error.get_message().to_string()),
        ErrorKind::InvalidConnectionState(_) | ErrorKind::InvalidChannelState(..) => {
            Trouble::unreachable("connection closed")
        }
        _ => Trouble::unreachable(error.to_string()),
    }
}
