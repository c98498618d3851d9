//! Redis.

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection, cmd, io::tcp::TcpSettings,
};

use super::{monitor::Protocol, trouble::Trouble};
use crate::config::{Endpoint, redis_database};

pub(super) struct Redis {
    address: ConnectionAddr,
    login: RedisConnectionInfo,
}

impl Redis {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
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
}

impl Protocol for Redis {
    type Connection = MultiplexedConnection;

    async fn connect(&self) -> Result<MultiplexedConnection, Trouble> {
        let info = self
            .address
            .clone()
            .into_connection_info()
            .map_err(trouble)?
            .set_redis_settings(self.login.clone())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // The monitor limits every attempt by itself.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Client::open(info)
            .map_err(trouble)?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(trouble)
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
