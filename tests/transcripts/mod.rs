//! What a command prints and how it ends, whole. No engine is touched: `DOCKER_HOST` names a socket that is not there,
//! so a command that gets further than it should ends with 4.

mod arguments;
mod completions;
mod discovery;
mod engine;
mod files;
mod init;
mod projects;
mod scaffold;

use crate::support::{BANYAN, Run, Stage};

/// A corner for one transcript.
fn stage(name: &str) -> Stage {
    let mut stage = Stage::plain(name);
    stage.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    stage
}

/// Runs `banyan ARGS` and writes down how it ended and all that it printed.
fn transcript(stage: &Stage, args: &[&str]) -> String {
    written(stage, &crate::support::run(stage.bare(args)))
}

/// Exit code, standard error and standard output, without what differs from machine to machine.
fn written(stage: &Stage, run: &Run) -> String {
    let neutral = |text: &str| {
        let folder = stage.folder().to_str().unwrap();
        text.replace(folder, "[folder]")
            .replace(BANYAN, "banyan")
            .replace(concat!("banyan ", env!("CARGO_PKG_VERSION")), "banyan [version]")
    };
    let mut text = format!("exit code {}\n", run.code);
    for (name, stream) in [("stderr", &run.stderr), ("stdout", &run.stdout)] {
        if !stream.is_empty() {
            text.push_str(&format!("── {name}\n{}\n", neutral(stream).trim_end()));
        }
    }
    text
}
