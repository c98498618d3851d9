//! One connection to the broker, which can be cut at any time.
//!
//! lapin gives every connection a thread, and neither an attempt that is given up in the middle of the handshake nor a
//! connection that is dropped while the broker says nothing ends it. So each link keeps a second handle of its socket
//! and shuts that down when it goes: the thread then reads the end of the stream, whatever state it is in.

use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties, Event,
    tcp::{AMQPUriTcpExt, OwnedTLSConfig},
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};

use super::{RabbitOptions, convert};
use crate::config::Secret;

/// Bytes. lapin keeps 32 frames each way and per connection in memory; larger bodies take several frames.
const FRAME_MAX: u32 = 32 * 1024;

const SUCCESS: u16 = 200;

/// What a connection tells of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    Blocked(String),
    Unblocked,
    Gone(String),
}

pub(super) struct Link {
    connection: Connection,
    socket: Severed,
}

/// The news of one link.
pub(super) struct Listening(Pin<Box<dyn Stream<Item = Event> + Send>>);

/// The second handle of the socket. The thread of the connection ends when it goes.
#[derive(Clone, Default)]
struct Severed(Arc<Mutex<Option<TcpStream>>>);

impl Severed {
    /// Takes a handle of the socket; nothing for a second one, since one link is one connection.
    fn keep(&self, socket: TcpStream) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some() {
            return Err(io::Error::other("the handshake was broken off"));
        }
        socket.set_nodelay(true)?;
        *kept = Some(socket);
        Ok(())
    }

    fn sever(&self) {
        if let Some(socket) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // It may be closed already, which is the aim.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Severs unless it is told that all went well.
struct Guard(Option<Severed>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            socket.sever();
        }
    }
}

impl Link {
    /// Connects and logs in; an attempt that is given up leaves nothing behind.
    pub(super) async fn open(options: &RabbitOptions, role: &str) -> Result<(Self, Listening), String> {
        match tokio::time::timeout(options.connect_timeout, Self::attempt(options, role)).await {
            Ok(result) => result.map_err(|error| convert::words(&error)),
            Err(_) => Err(format!("no answer within {:?}", options.connect_timeout)),
        }
    }

    async fn attempt(options: &RabbitOptions, role: &str) -> lapin::Result<(Self, Listening)> {
        let socket = Severed::default();
        let mut guard = Guard(Some(socket.clone()));
        let (kept, limit) = (socket.clone(), options.connect_timeout);
        let properties =
            ConnectionProperties::default().with_connection_name(format!("{} {role}", options.name).into());
        let connection = Connection::connector(
            uri(options),
            lapin::runtime::default_runtime()?,
            async move |uri, runtime| {
                let plain = OwnedTLSConfig::default();
                let connecting = AMQPUriTcpExt::connect_with_config_async(&uri, plain.as_ref(), &runtime);
                let stream = tokio::time::timeout(limit, connecting).await.map_err(io::Error::from)??;
                if let lapin::tcp::AsyncTcpStream::Plain(stream) = &stream {
                    kept.keep(stream.get_ref().as_fd().try_clone_to_owned()?.into())?;
                }
                Ok(stream)
            },
            properties,
        )
        .await?;
        guard.0 = None;
        let listening = Listening(Box::pin(connection.events_listener()));
        Ok((Self { connection, socket }, listening))
    }

    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    /// Ends it without a word.
    pub(super) fn sever(&self) {
        self.socket.sever();
    }

    /// Says goodbye to the broker, for at most `limit`.
    pub(super) async fn close(&self, limit: Duration) {
        let goodbye = self.connection.close(SUCCESS, "OK".into());
        // The socket is cut in any case.
        let _ = tokio::time::timeout(limit, goodbye).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.sever();
    }
}

impl Listening {
    pub(super) async fn next(&mut self) -> News {
        loop {
            match self.0.next().await {
                None => return News::Gone("connection closed".to_owned()),
                // The broker closed a channel, whose user hears of it.
                Some(Event::Error(error)) if error.is_amqp_soft_error() => {}
                Some(Event::Error(error)) => return News::Gone(convert::words(&error)),
                Some(Event::ConnectionBlocked(reason)) => return News::Blocked(reason),
                Some(Event::ConnectionUnblocked) => return News::Unblocked,
                Some(_) => {}
            }
        }
    }
}

fn uri(options: &RabbitOptions) -> AMQPUri {
    let endpoint = &options.endpoint;
    let userinfo = AMQPUserInfo {
        username: endpoint.user.clone().unwrap_or_else(|| "guest".to_owned()),
        password: endpoint.password.as_ref().map_or("guest", Secret::expose).to_owned(),
    };
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority { userinfo, host: endpoint.host.clone(), port: endpoint.port },
        // An address that ends in a slash names, to the letter, a virtual host without a name, which nobody has.
        vhost: if endpoint.path.is_empty() { "/".to_owned() } else { endpoint.path.clone() },
        query: AMQPQueryString {
            heartbeat: Some(u16::try_from(options.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1)),
            frame_max: Some(FRAME_MAX),
            ..AMQPQueryString::default()
        },
    }
}
