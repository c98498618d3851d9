//! A registry of images on this machine, as far as the engine asks one. It can be down, and it can want a login.
//!
//! Engines take one on 127.0.0.0/8 without TLS, after they have tried with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What the registry has, and how it behaves.
#[derive(Default)]
struct Shelf {
    /// Content by digest; manifests by digest and by `name:tag`.
    blobs: Vec<(String, &'static str, Vec<u8>)>,
    /// `user:password` in base64, when a login is wanted.
    login: Option<&'static str>,
    /// So many connections are closed without an answer.
    deaf: usize,
    /// Lines of requests that were answered.
    asked: Vec<String>,
    /// Large contents are sent by half, until this turns false.
    holds: bool,
}

/// The shelf, and the moment when it no longer holds anything back.
type Kept = Arc<(Mutex<Shelf>, Condvar)>;

/// What is held back is larger than this.
const LARGE: usize = 1 << 20;

/// The registry; it ends with the process.
pub struct Registry {
    /// `127.0.0.1:12345`
    pub place: String,
    kept: Kept,
}

impl Registry {
    /// An empty one.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let kept = Kept::default();
        let shelves = kept.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = shelves.clone();
                std::thread::spawn(move || serve(&kept, stream));
            }
        });
        Self { place, kept }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.kept.0.lock().unwrap()
    }

    /// Publishes an image of a version; gives its reference. No other registry has the same image: an engine that was
    /// told to forget one of two equal ones would forget both.
    pub fn publish(&self, name: &str, version: &str) -> String {
        self.publish_layers(name, version, &[format!("{version} of {}", self.place)])
    }

    /// The same with a layer for each content.
    pub fn publish_layers(&self, name: &str, version: &str, contents: &[String]) -> String {
        let layers: Vec<Vec<u8>> = contents.iter().map(|content| layer(content)).collect();
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = serde_json::json!({
            "os": "linux", "architecture": arch, "config": { "Cmd": ["/note"], "Env": [format!("REDIS_VERSION={version}")] },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>() },
        });
        let config = config.to_string().into_bytes();
        let described = layers.iter().map(|layer| serde_json::json!({
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.len(), "digest": digest(layer),
        }));
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(&config) },
            "layers": described.collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let mut shelf = self.shelf();
        shelf.blobs.retain(|(key, ..)| key != name);
        for content in layers.into_iter().chain([config]) {
            shelf.blobs.push((digest(&content), "application/octet-stream", content));
        }
        shelf.blobs.push((digest(&manifest), MANIFEST, manifest.clone()));
        shelf.blobs.push((name.to_owned(), MANIFEST, manifest));
        format!("{}/{name}", self.place)
    }

    /// Wants a login from now on: `user:password` in base64.
    pub fn wants(&self, login: &'static str) {
        self.shelf().login = Some(login);
    }

    /// Closes so many connections without a word.
    pub fn is_deaf(&self, connections: usize) {
        self.shelf().deaf = connections;
    }

    /// Sends only the first half of large contents, or lets go of the rest.
    pub fn holds_back(&self, holds: bool) {
        self.shelf().holds = holds;
        self.kept.1.notify_all();
    }

    /// The requests that were answered.
    pub fn asked(&self) -> Vec<String> {
        self.shelf().asked.clone()
    }
}

/// An archive with one file.
fn layer(content: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "note", content.as_bytes()).unwrap();
    tar.into_inner().unwrap()
}

fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

/// Answers the requests of a connection.
fn serve(kept: &Kept, mut stream: TcpStream) {
    let mut first = [0];
    // TLS is answered as a server without it does, so that the engine tries without
    if stream.peek(&mut first).is_ok() && first[0] == 0x16 {
        let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
        return;
    }
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut login = None;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
                break;
            }
            let lower = header.to_ascii_lowercase();
            if lower.starts_with("authorization: basic ") {
                login = header.trim().rsplit(' ').next().map(str::to_owned);
            }
        }
        let mut shelf = kept.0.lock().unwrap();
        if shelf.deaf > 0 {
            shelf.deaf -= 1;
            return;
        }
        let answer = answer(&shelf, &line, login.as_deref());
        shelf.asked.push(line.trim().to_owned());
        drop(shelf);
        let (first, rest) = answer.split_at(if answer.len() > LARGE { answer.len() / 2 } else { 0 });
        let mut sent = stream.write_all(first);
        if !first.is_empty() {
            drop(kept.1.wait_while(kept.0.lock().unwrap(), |shelf| shelf.holds).unwrap());
        }
        sent = sent.and_then(|()| stream.write_all(rest));
        if sent.is_err() {
            return;
        }
    }
}

fn answer(shelf: &Shelf, line: &str, login: Option<&str>) -> Vec<u8> {
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if shelf.login.is_some() && shelf.login != login {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        let head = "401 Unauthorized\r\nWww-Authenticate: Basic realm=\"tests\"";
        return reply(head, "application/json", "", body.as_bytes(), method);
    }
    if path == "/v2/" {
        return reply("200 OK", "application/json", "", b"{}", method);
    }
    // /v2/NAME/manifests/REFERENCE, /v2/NAME/blobs/DIGEST
    let path = path.trim_start_matches("/v2/");
    let key = match path.split_once("/manifests/").or_else(|| path.split_once("/blobs/")) {
        Some((_, digest)) if digest.starts_with("sha256:") => digest.to_owned(),
        Some((name, tag)) => format!("{name}:{tag}"),
        None => String::new(),
    };
    match shelf.blobs.iter().find(|(known, ..)| *known == key) {
        Some((_, kind, content)) => {
            reply("200 OK", kind, &format!("Docker-Content-Digest: {}\r\n", digest(content)), content, method)
        }
        None => {
            let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            reply("404 Not Found", "application/json", "", body.as_bytes(), method)
        }
    }
}

fn reply(status: &str, kind: &str, more: &str, body: &[u8], method: &str) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if method != "HEAD" {
        answer.extend_from_slice(body);
    }
    answer
}

/// Accepts connections and never says a word; gives its place.
pub fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // read to its end, so that nothing is ever refused
            std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    place
}
