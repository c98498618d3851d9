//! The shortest question that tells who is there. Its answer is in the headers, which bollard does not
//! hand out, and comes ten times as fast as the engine's full description of itself.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::api::Api;
use super::failure::{Failure, within};

/// Longer headers than this come from something else.
const LIMIT: usize = 16 * 1024;

/// Who answered.
#[derive(Debug, PartialEq)]
pub(super) struct Pong {
    pub product: String,
    pub version: String,
    pub api: Api,
    pub os: String,
    pub arch: Option<String>,
}

/// Ask over a fresh connection. `None`: it speaks HTTP, but does not say enough this way.
pub(super) async fn ping<S>(mut stream: S, host: &str, limit: Duration) -> Result<Option<Pong>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let question = format!("GET /_ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = within(limit, async {
        stream.write_all(question.as_bytes()).await?;
        let mut answer = Vec::new();
        while answer.len() < LIMIT && stream.read_buf(&mut answer).await? > 0 {
            if answer.windows(4).any(|four| four == b"\r\n\r\n") {
                break;
            }
        }
        Ok(answer)
    });
    match answer.await {
        Ok(answer) => read(&String::from_utf8_lossy(&answer)),
        Err(Failure::Other(error)) if is_closed(error.kind()) => Err(Failure::Closed),
        Err(failure) => Err(failure),
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

fn read(answer: &str) -> Result<Option<Pong>, Failure> {
    let mut lines = answer.lines();
    let status = lines.next().unwrap_or_default();
    if status.is_empty() {
        return Err(Failure::Closed);
    }
    if !status.starts_with("HTTP/1.") {
        return Err(Failure::NotDocker { answer: status.chars().take(60).collect() });
    }
    let headers: Vec<(&str, &str)> =
        lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| {
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let (Some(api), Some(server), Some(os)) = (header("Api-Version"), header("Server"), header("Ostype")) else {
        return Ok(None);
    };
    // `Docker/20.10.24 (linux)`, `Libpod/4.3.1 (linux)`
    let (Some(api), Some((product, version))) = (Api::parse(&api), server.split_once('/')) else { return Ok(None) };
    let product = if product == "Libpod" { "Podman" } else { product };
    let version = version.split_whitespace().next().unwrap_or_default();
    Ok(Some(Pong { product: product.to_owned(), version: version.to_owned(), api, os, arch: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_tell_who_is_there() {
        let docker = "HTTP/1.1 200 OK\r\napi-version: 1.47\r\nOstype: linux\r\nServer: Docker/27.3.1 (linux)\r\n\r\nOK";
        let pong = read(docker).unwrap().unwrap();
        assert_eq!((pong.product.as_str(), pong.version.as_str(), pong.os.as_str()), ("Docker", "27.3.1", "linux"));
        assert_eq!(pong.api, Api::new(1, 47));
        let podman = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Libpod/4.3.1 (linux)\r\n\r\nOK";
        assert_eq!(read(podman).unwrap().unwrap().product, "Podman");
    }

    #[test]
    fn answers_that_do_not_say_enough_are_not_errors() {
        assert_eq!(read("HTTP/1.1 403 Forbidden\r\n\r\n").unwrap(), None);
        assert_eq!(read("HTTP/1.1 200 OK\r\nApi-Version: new\r\nOstype: a\r\nServer: b/c\r\n\r\n").unwrap(), None);
    }

    #[test]
    fn something_else_is_named() {
        assert!(matches!(read("SSH-2.0-OpenSSH_9.2\r\n"), Err(Failure::NotDocker { .. })));
        assert!(matches!(read(""), Err(Failure::Closed)));
    }
}
