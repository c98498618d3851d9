//! Which places are tried, and in which order.

use std::path::{Path, PathBuf};

use super::Request;
use super::context;
use super::endpoint::{self, Endpoint, Tls};
use super::failure::Failure;

/// A place to try.
#[derive(Debug)]
pub(super) struct Candidate {
    pub endpoint: String,
    pub source: String,
    pub to: Result<Endpoint, Failure>,
}

/// The places to try: one that somebody chose, or all known ones.
#[derive(Debug)]
pub(super) struct Choice {
    pub candidates: Vec<Candidate>,
    pub explicit: bool,
}

const DEFAULT: &str = if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };

pub(super) fn choose(request: &Request<'_>) -> Choice {
    match chosen(request) {
        Some(candidate) => Choice { candidates: vec![candidate], explicit: true },
        None => Choice { candidates: known(request), explicit: false },
    }
}

/// A variable that is set to nothing counts as not set, as in Docker's own command line.
fn var(request: &Request<'_>, name: &str) -> Option<String> {
    (request.env)(name).filter(|value| !value.is_empty())
}

fn chosen(request: &Request<'_>) -> Option<Candidate> {
    let config = var(request, "DOCKER_CONFIG").map(PathBuf::from);
    let config = config.or_else(|| request.home.as_ref().map(|home| home.join(".docker")));

    let by_option = request.host.clone().map(|host| (host, "--host"));
    if let Some((host, source)) = by_option.or_else(|| var(request, "DOCKER_HOST").map(|host| (host, "DOCKER_HOST"))) {
        let tls = certificates(request, config.as_deref());
        let to = tls.and_then(|tls| endpoint::parse(&host, tls));
        return Some(Candidate { endpoint: host, source: source.to_owned(), to });
    }
    if let Some(name) = var(request, "DOCKER_CONTEXT") {
        return Some(in_context(config.as_deref(), &name));
    }
    let config = config?;
    match context::current(&config) {
        Ok(None) => None,
        Ok(Some(name)) if name == "default" => None,
        Ok(Some(name)) => Some(in_context(Some(&config), &name)),
        Err(failure) => {
            let file = config.join("config.json").display().to_string();
            Some(Candidate { endpoint: file, source: "current context".to_owned(), to: Err(failure) })
        }
    }
}

fn in_context(config: Option<&Path>, name: &str) -> Candidate {
    let source = format!("context {name}");
    if name == "default" {
        return Candidate { endpoint: DEFAULT.to_owned(), source, to: endpoint::parse(DEFAULT, None) };
    }
    let read = match config {
        Some(config) => context::read(config, name),
        None => Err(Failure::BadContext { why: "there is no home folder to look for contexts in".to_owned() }),
    };
    match read {
        Ok((host, tls)) => Candidate { to: endpoint::parse(&host, tls), endpoint: host, source },
        Err(failure) => Candidate { endpoint: format!("context {name}"), source, to: Err(failure) },
    }
}

/// The certificates that the environment names for `--host` and `DOCKER_HOST`.
fn certificates(request: &Request<'_>, config: Option<&Path>) -> Result<Option<Tls>, Failure> {
    if var(request, "DOCKER_TLS_VERIFY").or_else(|| var(request, "DOCKER_TLS")).is_none() {
        return Ok(None);
    }
    let named = var(request, "DOCKER_CERT_PATH").map(PathBuf::from);
    let Some(folder) = named.as_deref().or(config) else { return Ok(Some(Tls::default())) };
    context::certificates(folder, named.is_some()).map(Some)
}

/// The sockets of the engines that we know, the likeliest first.
fn known(request: &Request<'_>) -> Vec<Candidate> {
    let mut places = vec![(DEFAULT.to_owned(), "default socket")];
    if cfg!(windows) {
        places.push(("npipe:////./pipe/dockerDesktopLinuxEngine".to_owned(), "Docker Desktop"));
        places.push(("npipe:////./pipe/podman-machine-default".to_owned(), "Podman"));
    } else {
        let runtime = var(request, "XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{}", request.uid));
        let mut add = |folder: &Path, file: &str, source| {
            places.push((format!("unix://{}", folder.join(file).display()), source));
        };
        add(Path::new(&runtime), "docker.sock", "rootless Docker");
        if let Some(home) = &request.home {
            add(home, ".docker/run/docker.sock", "Docker Desktop");
            add(home, ".docker/desktop/docker.sock", "Docker Desktop");
            add(home, ".colima/default/docker.sock", "Colima");
            add(home, ".orbstack/run/docker.sock", "OrbStack");
            add(home, ".rd/docker.sock", "Rancher Desktop");
        }
        add(Path::new("/run/podman"), "podman.sock", "Podman");
        add(Path::new(&runtime), "podman/podman.sock", "rootless Podman");
    }
    let candidate = |(endpoint, source): (String, &str)| Candidate {
        to: endpoint::parse(&endpoint, None),
        endpoint,
        source: source.to_owned(),
    };
    places.into_iter().map(candidate).collect()
}
