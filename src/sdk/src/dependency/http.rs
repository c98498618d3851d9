//! Another service of the platform. Its liveness counts, not its health: otherwise one missing store would be blamed on
//! every service that uses another one.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{monitor::Protocol, trouble::Trouble};
use crate::{config::Endpoint, http};

pub(super) struct Http {
    host: String,
    port: u16,
    request: String,
}

impl Http {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let base = endpoint.path.trim_end_matches('/');
        let separator = if base.is_empty() { "" } else { "/" };
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            request: http::request(&endpoint.authority(), &format!("{separator}{base}/health/live")),
        }
    }
}

impl Protocol for Http {
    type Connection = ();

    async fn connect(&self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn round_trip(&self, (): &mut ()) -> Result<(), Trouble> {
        let exchange = async {
            let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.write_all(self.request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(http::LONGEST_ANSWER).read_to_end(&mut answer).await?;
            Ok(answer)
        };
        let answer = exchange.await.map_err(|error| Trouble::from(&error))?;
        match http::status(&answer) {
            Some(200) => Ok(()),
            Some(status) => Err(Trouble::refused(format!("answered with status {status}"))),
            None if answer.is_empty() => Err(Trouble::unreachable("connection closed")),
            None => Err(Trouble::refused("did not answer in HTTP")),
        }
    }
}
