//! The first build of a service: everything from nothing but the sources that Cargo has already.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::{Report, Result};

/// A service with one handler.
const MAIN: &str = r#"//! Greets.

use banyan_sdk::schemars::{self, JsonSchema};
use banyan_sdk::{Command, Context, Fault, Outcome, Service};
use serde::{Deserialize, Serialize};

/// Greets somebody.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, permissions = ["greetings:send"])]
struct Greet {
    name: String,
}

async fn greet(_: Context<()>, command: Greet) -> Result<Outcome<String>, Fault> {
    Ok(Outcome::reply(format!("Hello {}!", command.name)))
}

#[tokio::main]
async fn main() -> banyan_sdk::Result<()> {
    Service::new("greeting-service", ()).command(greet).run().await
}
"#;

/// Seconds.
pub fn cold(profile: &str, report: &mut Report) -> Result<f64> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("src"))?;
    std::fs::write(folder.path().join("src/main.rs"), MAIN)?;
    std::fs::write(folder.path().join("Cargo.toml"), manifest(&repository.join("src/sdk")))?;
    // The versions that everything else here is built with, so that all of them are on this machine.
    std::fs::copy(repository.join("Cargo.lock"), folder.path().join("Cargo.lock"))?;
    let target = folder.path().join("target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTC_WRAPPER")
        .args(["build", "--quiet", "--offline", "--timings"])
        .args((profile == "release").then_some("--release"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let began = Instant::now();
    let status = cargo.status()?;
    let seconds = began.elapsed().as_secs_f64();
    let built = target.join(profile).join("greeting-service");
    if !status.success() || !built.is_file() {
        return Err(format!("the service does not compile: {status}").into());
    }
    let size = std::fs::metadata(&built)?.len() as f64 / 1e6;
    let kept = keep(&target.join("cargo-timings/cargo-timing.html"), profile)?;
    report.note(format!("{profile}: an executable of {size:.1} MB; what took how long: {}", kept.display()));
    report.condition(
        format!("{profile} build"),
        "a service with one command that depends on the SDK by its path with the features it has by default, in an empty \
         target folder; sources of all crates are here; Cargo's own settings for the profile",
    );
    Ok(seconds)
}

fn manifest(sdk: &Path) -> String {
    format!(
        r#"[package]
name = "greeting-service"
version = "0.1.0"
edition = "2024"

[dependencies]
banyan-sdk = {{ path = {:?} }}
serde = {{ version = "1", features = ["derive"] }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]
"#,
        sdk.display().to_string()
    )
}

/// Beside the compiled code of this benchmark.
fn keep(timings: &Path, profile: &str) -> Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let target = bench.ancestors().nth(3).ok_or("a benchmark is in a target folder")?;
    let folder = target.join("bench-service");
    std::fs::create_dir_all(&folder)?;
    let kept = folder.join(format!("first-build-{profile}.html"));
    std::fs::copy(timings, &kept).map_err(|e| format!("{}: {e}", timings.display()))?;
    Ok(kept)
}
