//! From `tcp://host:2376` to something to connect to.

use std::path::PathBuf;

use super::failure::Failure;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Endpoint {
    #[cfg(unix)]
    Unix(String),
    #[cfg(windows)]
    Pipe(String),
    Http(String),
    Https(String, Tls),
}

/// An empty bundle: then only the system's own authorities count, and no certificate of ours is shown.
const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Files in PEM format.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tls {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Default for Tls {
    fn default() -> Self {
        Self { ca: NOTHING.into(), cert: NOTHING.into(), key: NOTHING.into() }
    }
}

/// Reads a host as Docker writes it; `tls` is what has been set up for it, if anything.
pub(super) fn parse(host: &str, tls: Option<Tls>) -> Result<Endpoint, Failure> {
    let (scheme, rest) = match host.split_once("://") {
        Some(parts) => parts,
        None if host.starts_with('/') => ("unix", host),
        None => ("tcp", host),
    };
    let unsupported = |why: &str| Failure::Unsupported { why: why.to_owned() };
    match (scheme, tls) {
        ("unix" | "npipe", _) if rest.is_empty() => Err(unsupported("the address has no path")),
        #[cfg(unix)]
        ("unix", _) => Ok(Endpoint::Unix(rest.to_owned())),
        #[cfg(not(unix))]
        ("unix", _) => Err(unsupported("unix sockets are not for this system")),
        #[cfg(windows)]
        ("npipe", _) => Ok(Endpoint::Pipe(rest.replace('/', "\\"))),
        #[cfg(not(windows))]
        ("npipe", _) => Err(unsupported("named pipes are only for Windows")),
        ("tcp" | "http", None) | ("http", _) => Ok(Endpoint::Http(authority(rest, 2375)?)),
        ("tcp", Some(tls)) => Ok(Endpoint::Https(authority(rest, 2376)?, tls)),
        ("https", tls) => Ok(Endpoint::Https(authority(rest, 2376)?, tls.unwrap_or_default())),
        ("ssh", _) => Err(Failure::Unsupported { why: "ssh is not spoken here".to_owned() }),
        (other, _) => Err(Failure::Unsupported { why: format!("`{other}` is no kind of address that Docker uses") }),
    }
}

/// `host:port`, with Docker's port when none is given.
fn authority(rest: &str, port: u16) -> Result<String, Failure> {
    let rest = rest.trim_end_matches('/');
    if rest.contains(['/', '?', '#', '@', ' ']) {
        return Err(Failure::Unsupported { why: "only `host:port` is understood after the scheme".to_owned() });
    }
    let (host, given) = match rest.rsplit_once(':') {
        Some((host, given)) if !given.ends_with(']') => (host, given.parse().ok()),
        _ => (rest, Some(port)),
    };
    let Some(port) = given.filter(|port: &u16| *port > 0) else {
        return Err(Failure::Unsupported { why: "the port is not a number from 1 to 65535".to_owned() });
    };
    let host = if host.is_empty() { "localhost" } else { host };
    Ok(format!("{host}:{port}"))
}

/// The way round for `ssh://user@host:port`: a command that brings the socket here, and where to.
pub(super) fn forward(host: &str) -> Option<(String, String)> {
    let rest = host.strip_prefix("ssh://")?;
    let (target, socket) = match rest.split_once('/') {
        Some((target, path)) if !path.is_empty() => (target, format!("/{path}")),
        Some((target, _)) => (target, "/var/run/docker.sock".to_owned()),
        None => (rest, "/var/run/docker.sock".to_owned()),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-:".contains(c);
    if target.is_empty() || !target.starts_with(|c: char| c.is_ascii_alphanumeric()) || !target.chars().all(plain) {
        return None;
    }
    let (target, port) = match target.rsplit_once(':') {
        Some((target, port)) => (target, format!(" -p {port}")),
        None => (target, String::new()),
    };
    let here = format!("/tmp/docker-{}.sock", target.rsplit('@').next().unwrap_or(target));
    Some((format!("ssh -fnNT{port} -L {here}:{socket} {target}"), here))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(host: &str) -> Endpoint {
        Endpoint::Http(host.to_owned())
    }

    #[test]
    fn hosts_as_docker_writes_them() {
        assert_eq!(parse("tcp://build:2375", None).unwrap(), http("build:2375"));
        assert_eq!(parse("tcp://build", None).unwrap(), http("build:2375"));
        assert_eq!(parse("tcp://:4000/", None).unwrap(), http("localhost:4000"));
        assert_eq!(parse("build:2375", None).unwrap(), http("build:2375"));
        assert_eq!(parse("tcp://[::1]", None).unwrap(), http("[::1]:2375"));
        assert_eq!(parse("tcp://[::1]:99", None).unwrap(), http("[::1]:99"));
        assert_eq!(parse("http://build:1", Some(Tls::default())).unwrap(), http("build:1"));
        let tls = Endpoint::Https("build:2376".to_owned(), Tls::default());
        assert_eq!(parse("tcp://build", Some(Tls::default())).unwrap(), tls);
        assert_eq!(parse("https://build", None).unwrap(), tls);
        #[cfg(unix)]
        for host in ["unix:///run/a b.sock", "/run/a b.sock"] {
            assert_eq!(parse(host, None).unwrap(), Endpoint::Unix("/run/a b.sock".to_owned()));
        }
    }

    #[test]
    fn what_is_not_spoken_says_so() {
        for host in ["ssh://me@build", "fd://", "unix://", "tcp://a:99999", "tcp://a:0", "tcp://a/b", "tcp://a:b:c"] {
            assert!(matches!(parse(host, None), Err(Failure::Unsupported { .. })), "{host}");
        }
    }

    #[test]
    fn ssh_has_a_way_round_that_can_be_pasted() {
        let (command, here) = forward("ssh://me@build.example:2222").unwrap();
        let all = "ssh -fnNT -p 2222 -L /tmp/docker-build.example.sock:/var/run/docker.sock me@build.example";
        assert_eq!((command.as_str(), here.as_str()), (all, "/tmp/docker-build.example.sock"));
        assert_eq!(forward("ssh://-oProxyCommand=x"), None);
        assert_eq!(forward("ssh://a;b"), None);
    }
}
