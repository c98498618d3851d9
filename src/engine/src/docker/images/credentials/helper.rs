//! Programs that keep credentials for Docker: `docker-credential-<name>`.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Credentials, host};

/// How long one may take; it may ask its user to unlock a keychain.
const PATIENCE: Duration = Duration::from_secs(30);
/// What helpers give as the user of a token.
const TOKEN: &str = "<token>";

/// A helper that is named in the configuration did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It could not be run.
    #[error("cannot run {program}: {source}")]
    NotRun {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("{program} gave no answer in {} s", PATIENCE.as_secs())]
    NoAnswer {
        /// The program.
        program: String,
    },
    /// It refused, or said what cannot be understood.
    #[error("{program} does not give the credentials of {server}: {message}")]
    Refused {
        /// The program.
        program: String,
        /// The registry.
        server: String,
        /// Its own words.
        message: String,
    },
}

/// The helper of a registry, or else the one of all registries.
pub(super) fn named(config: &str, server: &str) -> Option<String> {
    let config: Value = serde_json::from_str(config).ok()?;
    let own = config.get("credHelpers").and_then(Value::as_object).and_then(|all| {
        all.iter().find(|(name, _)| host(name) == host(server)).and_then(|(_, helper)| helper.as_str())
    });
    let name = own.or_else(|| config.get("credsStore")?.as_str())?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Asks it; `None`: it has none for this registry.
pub(super) async fn ask(helper: &str, server: &str) -> Result<Option<Credentials>, HelperError> {
    let program = format!("docker-credential-{helper}");
    let (code, out) = match tokio::time::timeout(PATIENCE, run(&program, server)).await {
        Ok(done) => done.map_err(|source| HelperError::NotRun { program: program.clone(), source })?,
        Err(_) => return Err(HelperError::NoAnswer { program }),
    };
    read(&program, server, code, &out)
}

async fn run(program: &str, server: &str) -> io::Result<(bool, Vec<u8>)> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // one that does not read its question shows it by its answer
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    Ok((output.status.success(), output.stdout))
}

fn read(program: &str, server: &str, succeeded: bool, out: &[u8]) -> Result<Option<Credentials>, HelperError> {
    let said = String::from_utf8_lossy(out);
    let said = said.trim();
    if !succeeded && said.starts_with("credentials not found") {
        return Ok(None);
    }
    let refused = |message: &str| HelperError::Refused {
        program: program.to_owned(),
        server: server.to_owned(),
        message: message.to_owned(),
    };
    if !succeeded {
        return Err(refused(if said.is_empty() { "it failed" } else { said }));
    }
    // its answer holds the secret, so it is not shown
    let answer: Value = serde_json::from_str(said).map_err(|_| refused("its answer is not JSON"))?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (user, secret) = (text("Username"), text("Secret"));
    if secret.is_empty() {
        return Ok(None);
    }
    let server = server.to_owned();
    Ok(Some(match user == TOKEN {
        true => Credentials { server, user: String::new(), password: String::new(), token: Some(secret) },
        false => Credentials { server, user, password: secret, token: None },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_own_helper_is_preferred() {
        let config = r#"{"credsStore": "desktop", "credHelpers": {"ghcr.io": "pass"}}"#;
        assert_eq!(named(config, "ghcr.io").as_deref(), Some("pass"));
        assert_eq!(named(config, "https://index.docker.io/v1/").as_deref(), Some("desktop"));
        assert_eq!(named(r#"{"auths": {}}"#, "ghcr.io"), None);
        assert_eq!(named("not json", "ghcr.io"), None);
    }

    #[test]
    fn an_answer_is_a_password_a_token_nothing_or_a_reason() {
        let of = |ok: bool, out: &str| read("docker-credential-x", "ghcr.io", ok, out.as_bytes());
        let found = of(true, r#"{"ServerURL":"ghcr.io","Username":"me","Secret":"s"}"#).unwrap().unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str(), found.token), ("me", "s", None));
        let token = of(true, r#"{"Username":"<token>","Secret":"t"}"#).unwrap().unwrap();
        assert_eq!((token.user.as_str(), token.token.as_deref()), ("", Some("t")));
        assert_eq!(of(false, "credentials not found in native keychain\n").unwrap(), None);
        let locked = of(false, "the keychain is locked").unwrap_err().to_string();
        assert_eq!(locked, "docker-credential-x does not give the credentials of ghcr.io: the keychain is locked");
        assert!(!of(true, "secret").unwrap_err().to_string().contains("secret"));
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        let error = ask("no-such-helper", "ghcr.io").await.unwrap_err().to_string();
        assert!(error.starts_with("cannot run docker-credential-no-such-helper: "), "{error}");
    }
}
