//! What recipes start from: a minimal system out of the distribution's packages.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::{RecipeError, confined, short_hex};
use crate::docker::Engine;
use crate::docker::images::{Import, SOURCE, chunks};
use crate::progress::{Journal, Kind, Phase};

const TOOL: &str = "mmdebstrap";
/// Lines of the tool's output that go into an error.
const LAST_LINES: usize = 15;
/// How long it may take to say why it failed, once it has.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Kept in the base, so that the recipes' packages are unpacked the same way.
const OPTIONS: [&str; 8] = [
    "--variant=apt",
    "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=Acquire::Retries \"3\"",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
];

/// One base at a time: whoever comes second finds it made.
static MAKING: Mutex<()> = Mutex::const_new(());

/// A base: a release of a distribution, and where its packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    suite: &'static str,
    components: &'static str,
    /// Where packages come from; `None`: the distribution's own servers.
    pub mirror: Option<String>,
}

impl Base {
    /// The base for a host, from the text of its `/etc/os-release`. One release per distribution, whatever the host's
    /// own, because recipes name packages.
    pub fn from_os_release(text: &str) -> Result<Self, RecipeError> {
        let value = |key: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        let like = value("ID_LIKE");
        let is = |name: &str| value("ID") == name || like.split_whitespace().any(|l| l == name);
        // what is like Ubuntu is like Debian too
        let (suite, components) = match () {
            () if is("ubuntu") => ("noble", "main,universe"),
            () if is("debian") => ("bookworm", "main"),
            () => {
                let found = [value("PRETTY_NAME"), value("ID")].into_iter().find(|name| !name.is_empty());
                return Err(RecipeError::UnsupportedHost { found: found.unwrap_or_else(|| "this system".to_owned()) });
            }
        };
        Ok(Self { suite, components, mirror: None })
    }

    /// All that makes two bases different. The mirror is not part of it: it has the same packages.
    pub(super) fn identity(&self) -> String {
        format!("{} {} {}", self.suite, self.components, OPTIONS.join(" "))
    }

    /// `banyan-local/base:<suite>-<hash>`
    pub fn tag(&self) -> String {
        format!("banyan-local/base:{}-{}", self.suite, short_hex(&Sha256::digest(self.identity())))
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = OPTIONS.iter().map(|option| (*option).to_owned()).collect();
        arguments.push(format!("--components={}", self.components));
        arguments.extend(["--format=tar", self.suite, "-"].map(str::to_owned));
        arguments.extend(self.mirror.clone());
        arguments
    }
}

/// The base's tag; made first if the engine does not have it.
pub(super) async fn ensure(engine: &Engine, base: &Base, journal: &Journal) -> Result<String, RecipeError> {
    let tag = base.tag();
    let _one = MAKING.lock().await;
    if engine.image(&tag).await?.is_some() {
        return Ok(tag);
    }
    same_platform(engine).await?;
    journal.tell(Kind::Image, &tag, Phase::Doing("building"), None);
    let made = make(engine, base, &tag, journal).await;
    let end = if made.is_ok() { Phase::Done("built") } else { Phase::Failed("failed") };
    journal.tell(Kind::Image, &tag, end, None);
    made.map(|()| tag)
}

async fn same_platform(engine: &Engine) -> Result<(), RecipeError> {
    let (os, arch) = (engine.os(), engine.arch().await?);
    let here = crate::platform_image::architecture_here();
    if os == std::env::consts::OS && arch == here {
        return Ok(());
    }
    let host = format!("{}/{here}", std::env::consts::OS);
    Err(RecipeError::OtherPlatform { host, engine: format!("{os}/{arch}") })
}

async fn make(engine: &Engine, base: &Base, tag: &str, journal: &Journal) -> Result<(), RecipeError> {
    let cannot_run = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => RecipeError::NoTool { tool: TOOL, package: TOOL },
        _ => RecipeError::Tool { tool: TOOL, log: vec![e.to_string()] },
    };
    Command::new(TOOL).arg("--version").output().await.map_err(cannot_run)?;
    let (mut command, _folder) = confined::command(TOOL).await;
    command.args(base.arguments()).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(cannot_run)?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let import = Import {
        name: tag.to_owned(),
        tag: tag.to_owned(),
        labels: [(SOURCE.to_owned(), "recipe".to_owned())].into(),
        changes: vec!["CMD [\"/bin/bash\"]".to_owned()],
    };
    let failed = Arc::new(OnceLock::new());
    let listening = tokio::spawn(listen(stderr, tag.to_owned(), journal.clone()));
    let imported = engine.import(&import, output(stdout, child, failed.clone()), journal).await;
    if failed.get().is_some() {
        let log = tokio::time::timeout(LAST_WORDS, listening).await;
        let log = log.ok().and_then(Result::ok).unwrap_or_default();
        return Err(RecipeError::Tool { tool: TOOL, log });
    }
    imported?;
    Ok(())
}

/// What the tool writes; an error at its end if the tool failed, so that the engine does not take a half system.
fn output<R>(stdout: R, child: Child, failed: Arc<OnceLock<()>>) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let end = stream::once(async move {
        let mut child = child;
        match child.wait().await {
            Ok(status) if status.success() => Ok(Bytes::new()),
            _ => {
                let _ = failed.set(());
                Err(io::Error::other("the tool failed"))
            }
        }
    });
    chunks(stdout).chain(end).filter(|chunk| std::future::ready(!matches!(chunk, Ok(c) if c.is_empty())))
}

/// Tells the journal what the tool says and keeps the end of it.
async fn listen<R: AsyncRead + Unpin>(stderr: R, tag: String, journal: Journal) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut last = VecDeque::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(news) = line.strip_prefix("I: ") {
            journal.tell(Kind::Image, &tag, Phase::Doing("building"), Some(news.to_owned()));
        } else if !line.trim().is_empty() {
            last.push_back(line);
        }
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    last.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_decides_the_release() {
        let suite = |text| Base::from_os_release(text).map(|base| base.suite).ok();
        assert_eq!(
            suite("PRETTY_NAME=\"Debian GNU/Linux 13\"\nID=debian\nVERSION_CODENAME=trixie\n"),
            Some("bookworm")
        );
        assert_eq!(suite("ID=ubuntu\nID_LIKE=debian\n"), Some("noble"));
        assert_eq!(suite("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Some("noble"));
        assert_eq!(suite("ID=raspbian\nID_LIKE=debian\n"), Some("bookworm"));
        assert_eq!(suite("ID=fedora\nPRETTY_NAME=\"Fedora 41\"\n"), None);
        let message = Base::from_os_release("ID=fedora\nPRETTY_NAME=\"Fedora 41\"\n").unwrap_err().to_string();
        assert!(message.contains("on Fedora 41:"), "{message}");
        assert!(Base::from_os_release("").unwrap_err().to_string().contains("this system"));
    }

    #[test]
    fn the_mirror_changes_nothing_but_the_arguments() {
        let mut base = Base::from_os_release("ID=debian").unwrap();
        let tag = base.tag();
        assert!(tag.starts_with("banyan-local/base:bookworm-"), "{tag}");
        base.mirror = Some("http://mirror.example/debian".to_owned());
        assert_eq!(base.tag(), tag);
        assert_eq!(base.arguments().last().unwrap(), "http://mirror.example/debian");
    }
}
