//! Asks the project's service discovery.

use std::time::{Duration, SystemTime};

use banyan_sdk::config::{Config, Endpoint, Reader, http_endpoint};
use banyan_sdk::protocol::Auth;
use banyan_sdk::protocol::discovery::SERVICE;
use banyan_sdk::tokens::Keys;
use compose::project::Service;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::RegistryArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::reach::{Reached, Sought};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What the registry asks for.
const PERMISSIONS: [&str; 2] = ["admin:view-contracts", "admin:view-services"];

/// A token to use instead of one that is made here.
const TOKEN: &str = "BANYAN_TOKEN";

/// The registry of the project.
pub struct Registry {
    endpoint: Endpoint,
    token: String,
}

impl Registry {
    /// The one at the address that was given, or else that of the project.
    pub async fn of(context: &Context, args: &RegistryArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.url {
            let endpoint = http_endpoint(url).ok_or_else(|| {
                Failure::new(Exit::Usage, 60, format!("`{url}` is no address of service discovery"))
                    .hint("give one such as http://localhost:3002")
            })?;
            let token = token(context, &|name| context.env.get(name).cloned())?;
            return Ok(Self { endpoint, token });
        }
        let sought = Sought {
            what: "service discovery",
            told_by: format!("a service is one when it is called {SERVICE}; or name another one with --url"),
            port: "the port of service discovery",
            number: 60,
        };
        let reached = Reached::of(context, &sought, is_discovery).await?;
        let endpoint =
            http_endpoint(&format!("http://{}", reached.authority())).expect("an address and a port make an endpoint");
        let service = reached.service;
        let token = token(context, &|name| service.environment.get(name).cloned().flatten())?;
        Ok(Self { endpoint, token })
    }

    /// What is at `path`, as JSON.
    pub async fn json(&self, path: &str) -> Result<Value, Failure> {
        let body = self.text(path).await?;
        serde_json::from_str(&body).map_err(|error| self.failed(&format!("its answer is no JSON: {error}")))
    }

    /// What is at `path`.
    pub async fn text(&self, path: &str) -> Result<String, Failure> {
        let asked = tokio::time::timeout(LIMIT, self.ask(path)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.failed(&error.to_string())),
            Err(_) => {
                let message = format!("service discovery at {} took longer than {LIMIT:?}", self.endpoint.authority());
                return Err(Failure::new(Exit::TimedOut, 60, message));
            }
        };
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        match head.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            Some(status) if status.len() == 3 => Err(refused(status, body)),
            _ => Err(self.failed("it does not speak HTTP")),
        }
    }

    async fn ask(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((self.endpoint.host.as_str(), self.endpoint.port)).await?;
        // HTTP/1.0: the answer is as long as the connection, and comes in one piece.
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\nAuthorization: Bearer {}\r\n\r\n",
            self.endpoint.authority(),
            self.token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }

    fn failed(&self, why: &str) -> Failure {
        let message = format!("service discovery at {} does not answer: {why}", self.endpoint.authority());
        Failure::new(Exit::Unhealthy, 60, message)
    }
}

/// A text as a part of a path.
pub fn escaped(text: &str) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn is_discovery(service: &Service) -> bool {
    let told = service.environment.get("SERVICE_NAME").and_then(Option::as_deref);
    service.name == SERVICE || told == Some(SERVICE)
}

/// What the registry said instead.
fn refused(status: &str, body: &str) -> Failure {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let message = body["message"].as_str().unwrap_or("it did not say why").to_owned();
    match status {
        "404" => Failure::new(Exit::Usage, 61, message),
        "400" => Failure::new(Exit::Usage, 62, message),
        "401" | "403" => Failure::new(Exit::Config, 61, format!("service discovery refuses: {message}"))
            .hint(format!("give a token of somebody with {} in {TOKEN}", PERMISSIONS.join(" and "))),
        _ => Failure::new(Exit::Unhealthy, 61, format!("service discovery answered {status}: {message}")),
    }
}

/// A token: the one that was given, or one signed with the key that the service itself has. Who can read that key here
/// could make any.
fn token(context: &Context, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Failure> {
    if let Some(token) = context.env.get(TOKEN).filter(|it| !it.is_empty()) {
        return Ok(token.clone());
    }
    let mut reader = Reader::new(env);
    let config = Config::read(&mut reader, SERVICE, 3002);
    let keys = config.and_then(|config| Keys::read(&mut reader, &config, true));
    let hint = format!("give a token of somebody with {} in {TOKEN}", PERMISSIONS.join(" and "));
    let keys = reader.finish(keys).map_err(|error| {
        Failure::new(Exit::Config, 62, "no token can be made for service discovery")
            .details([error.to_string()])
            .hint(hint.clone())
    });
    let permissions = PERMISSIONS.iter().map(|it| (*it).to_owned()).collect();
    let auth = Auth { user_id: "banyan".to_owned(), permissions, ..Auth::default() };
    let signer = keys?.signer().ok_or_else(|| {
        Failure::new(Exit::Config, 62, "no token can be made for service discovery: it has no key that signs")
            .hint(hint)
    })?;
    signer.sign(&auth, SystemTime::now()).map_err(|fault| Failure::new(Exit::Other, 60, fault.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(escaped("user-service"), "user-service");
        assert_eq!(escaped("a/../b c?ä"), "a%2F..%2Fb%20c%3F%C3%A4");
    }

    #[test]
    fn a_refusal_says_what_the_registry_said() {
        let failure = refused("404", r#"{"message":"users is not registered"}"#);
        assert_eq!((failure.code().as_str(), failure.message.as_str()), ("E0261", "users is not registered"));
        assert_eq!(refused("500", "<html>").code(), "E0861");
        assert!(refused("403", "{}").hint.unwrap().contains("BANYAN_TOKEN"));
    }
}
