//! Docker's contexts: named engines, kept in files by `docker context`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::endpoint::Tls;
use super::failure::Failure;

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints", default)]
    endpoints: HashMap<String, Place>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

fn bad(why: String) -> Failure {
    Failure::BadContext { why }
}

/// The context that `docker context use` has chosen. No file, no choice; a file that cannot be read may hold
/// one, so that is an error.
pub(super) fn current(config: &Path) -> Result<Option<String>, Failure> {
    let file = config.join("config.json");
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(bad(format!("cannot read {}: {error}", file.display()))),
    };
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let read: Config =
        serde_json::from_slice(&text).map_err(|error| bad(format!("{} is not valid: {error}", file.display())))?;
    Ok(read.current_context.filter(|name| !name.is_empty()))
}

/// Host and certificates of a context.
pub(super) fn read(config: &Path, name: &str) -> Result<(String, Option<Tls>), Failure> {
    let id = Sha256::digest(name.as_bytes()).iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    });
    let contexts = config.join("contexts");
    let file = contexts.join("meta").join(&id).join("meta.json");
    let text = fs::read(&file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => bad(format!("there is no context `{name}` in {}", contexts.display())),
        _ => bad(format!("cannot read context `{name}` from {}: {error}", file.display())),
    })?;
    let meta: Meta = serde_json::from_slice(&text)
        .map_err(|error| bad(format!("context `{name}` is not valid: {}: {error}", file.display())))?;
    let place = meta.endpoints.get("docker").filter(|place| !place.host.is_empty());
    let place = place.ok_or_else(|| bad(format!("context `{name}` names no Docker host: {}", file.display())))?;

    // `SkipTLSVerify` still means TLS; we verify all the same, and a certificate that does not pass says so
    let folder = contexts.join("tls").join(&id).join("docker");
    let tls =
        if folder.is_dir() { Some(certificates(&folder, false)?) } else { place.skip_tls_verify.then(Tls::default) };
    Ok((place.host.clone(), tls))
}

/// The three files of a folder. Those that are not there do not count, unless `all` are asked for.
pub(super) fn certificates(folder: &Path, all: bool) -> Result<Tls, Failure> {
    let mut tls = Tls::default();
    for (name, slot) in [("ca.pem", &mut tls.ca), ("cert.pem", &mut tls.cert), ("key.pem", &mut tls.key)] {
        let file = folder.join(name);
        match fs::File::open(&file) {
            Ok(_) => *slot = file,
            Err(error) if error.kind() == ErrorKind::NotFound && !all => {}
            Err(error) => return Err(Failure::Tls { why: format!("cannot read {}: {error}", file.display()) }),
        }
    }
    let nothing = Tls::default();
    if (tls.cert == nothing.cert) != (tls.key == nothing.key) {
        let why = format!("{} has only one of cert.pem and key.pem", folder.display());
        return Err(Failure::Tls { why });
    }
    Ok(tls)
}
