//! Redis.

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection, cmd, io::tcp::TcpSettings,
};

use super::{monitor::Protocol, trouble::Trouble};
use crate::config::{Endpoint, redis_database};

/// Where a Redis is, and how to log in to it.
pub(crate) struct Redis {
    address: ConnectionAddr,
    login: RedisConnectionInfo,
}

impl Redis {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let mut login =
            RedisConnectionInfo::default().set_db(redis_database(endpoint).unwrap_or_default()).set_skip_set_lib_name();
        if let Some(user) = &endpoint.user {
            login = login.set_username(user);
        }
        if let Some(password) = &endpoint.password {
            login = login.set_password(password.expose());
        }
        Self { address: ConnectionAddr::Tcp(endpoint.host.clone(), endpoint.port), login }
    }

    /// Connects and logs in. There is no limit to the time it takes, nor to that of an answer: the caller sets both.
    pub(crate) async fn open(&self) -> Result<MultiplexedConnection, RedisError> {
        let info = self
            .address
            .clone()
            .into_connection_info()?
            .set_redis_settings(self.login.clone())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
    }
}

impl Protocol for Redis {
    type Connection = MultiplexedConnection;

    async fn connect(&self) -> Result<MultiplexedConnection, Trouble> {
        self.open().await.map_err(trouble)
    }

    async fn round_trip(&self, connection: &mut MultiplexedConnection) -> Result<(), Trouble> {
        let answer: Result<String, _> = cmd("PING").query_async(connection).await;
        answer.map(drop).map_err(trouble)
    }
}

fn trouble(error: RedisError) -> Trouble {
    if error.is_connection_refusal() {
        Trouble::unreachable("connection refused")
    } else if error.is_connection_dropped() {
        Trouble::unreachable("connection closed")
    } else if error.is_io_error() {
        Trouble::unreachable(error.to_string())
    } else {
        Trouble::refused(error.to_string())
    }
}
