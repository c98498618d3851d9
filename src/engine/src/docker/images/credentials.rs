//! Credentials for a registry, as Docker's own configuration file keeps them, or the helpers that it names.

mod helper;

use bollard::auth::DockerCredentials;
pub use helper::HelperError;
use serde_json::Value;

/// Docker Hub's key in the configuration file.
const HUB: &str = "https://index.docker.io/v1/";

/// A user and password, or a token, for one registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The registry, as the configuration file names it.
    pub server: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Token that some registries give instead of a password.
    pub token: Option<String>,
}

/// Never shows a secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("server", &self.server).field("user", &self.user).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those for the registry of `reference`, by the text of a `config.json`: from the helper that it names for the
    /// registry, or for all of them, or else out of the text.
    pub async fn find(config: &str, reference: &str) -> Result<Option<Self>, HelperError> {
        let server = server(reference);
        match helper::named(config, server) {
            Some(helper) => helper::ask(&helper, server).await,
            None => Ok(Self::from_config(config, reference)),
        }
    }

    fn from_config(config: &str, reference: &str) -> Option<Self> {
        let config: Value = serde_json::from_str(config).ok()?;
        let auths = config.get("auths")?.as_object()?;
        let wanted = host(server(reference));
        let (server, entry) = auths.iter().find(|(server, _)| host(server) == wanted)?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|v| !v.is_empty()).map(str::to_owned);
        let token = text("identitytoken");
        let (user, password) = match text("auth") {
            Some(auth) => {
                let pair = String::from_utf8(base64(&auth)?).ok()?;
                let (user, password) = pair.split_once(':')?;
                (user.to_owned(), password.trim_end_matches('\0').to_owned())
            }
            None => (text("username").unwrap_or_default(), text("password").unwrap_or_default()),
        };
        let some = token.is_some() || !user.is_empty();
        some.then(|| Self { server: server.clone(), user, password, token })
    }

    pub(super) fn for_docker(&self) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.user.clone()),
            password: Some(self.password.clone()),
            serveraddress: Some(self.server.clone()),
            identitytoken: self.token.clone(),
            ..Default::default()
        }
    }
}

/// The engine reads this header as URL-safe base64 and takes anything else for no credentials at all; bollard writes
/// plain base64.
pub(super) fn url_safe(mut request: bollard::BollardRequest) -> bollard::BollardRequest {
    if let Some(value) = request.headers_mut().get_mut("X-Registry-Auth") {
        let safe = value.to_str().unwrap_or_default().replace('+', "-").replace('/', "_");
        if let Ok(safe) = safe.parse() {
            *value = safe;
        }
    }
    request
}

/// The registry that a reference names: the first part if it looks like a host; `None` is Docker Hub.
pub fn registry(reference: &str) -> Option<&str> {
    let (first, _) = reference.split_once('/')?;
    let is_hub = matches!(first, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    (!is_hub && (first.contains(['.', ':']) || first == "localhost")).then_some(first)
}

/// The same as the configuration file names it.
fn server(reference: &str) -> &str {
    registry(reference).unwrap_or(HUB)
}

fn host(server: &str) -> &str {
    let server = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    server.split('/').next().unwrap_or(server)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"auths":{
        "https://index.docker.io/v1/":{"auth":"amFjazpzZWNyZXQ6MQ=="},
        "ghcr.io":{"identitytoken":"t"},
        "empty.example":{}}}"#;

    #[test]
    fn the_entry_of_the_references_registry_is_taken() {
        let hub = Credentials::from_config(CONFIG, "postgres:16").unwrap();
        assert_eq!((hub.user.as_str(), hub.password.as_str()), ("jack", "secret:1"));
        assert_eq!(Credentials::from_config(CONFIG, "docker.io/library/postgres"), Some(hub));
        assert_eq!(Credentials::from_config(CONFIG, "ghcr.io/a/b:1").unwrap().token.as_deref(), Some("t"));
        assert_eq!(Credentials::from_config(CONFIG, "empty.example/a"), None);
        assert_eq!(Credentials::from_config(CONFIG, "other.example:5000/a"), None);
        assert_eq!(Credentials::from_config("not json", "a"), None);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let hub = Credentials::from_config(CONFIG, "postgres:16").unwrap();
        assert!(!format!("{hub:?}").contains("secret"));
    }

    #[test]
    fn base64_is_decoded() {
        assert_eq!(base64("").unwrap(), b"");
        assert_eq!(base64("YQ==").unwrap(), b"a");
        assert_eq!(base64("YWJj").unwrap(), b"abc");
        assert_eq!(base64("+/8=").unwrap(), [0xfb, 0xff]);
        assert_eq!(base64("a b"), None);
    }
}
