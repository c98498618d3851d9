//! banyan: arguments in, report out.

#![cfg_attr(test, allow(clippy::unwrap_used))]
// a run fails at most once, so the size of a failure does not matter
#![allow(clippy::result_large_err)]

mod absent_images;
mod args;
mod commands;
mod context;
mod discovery;
mod failure;
mod identity;
mod lock;
mod preflight;
mod project;
mod reach;
mod report;
mod setup;
mod stack;
mod trouble;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Output};
use context::Context;
use failure::{Exit, Failure};
use report::Mode;

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    cli.global.verbose |= cli.short_verbose;
    cli.global.instance = cli.global.instance.filter(|name| !name.is_empty());
    cli.global.file.append(&mut cli.short_file);
    if let Command::Restore(args) = &cli.command
        && let Some(instance) = &args.into_instance
    {
        cli.global.instance = Some(instance.clone()).filter(|name| name != "default");
    }
    match cli.command {
        // neither needs an engine, a terminal or a runtime of many threads
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "banyan", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Serve(args) => commands::serve::run(&args),
        command => {
            let as_json = cli.global.output == Output::Json || cli.global.progress == Mode::Json;
            let result = Context::new(cli.global).and_then(|context| run(&context, command));
            match result {
                Ok(code) => ExitCode::from(code),
                Err(failure) => {
                    if as_json {
                        eprintln!("{}", failure.json())
                    } else {
                        eprintln!("{failure}")
                    }
                    ExitCode::from(failure.exit as u8)
                }
            }
        }
    }
}

/// Runs a command to its end; the screen is in order before anything else is printed.
fn run(context: &Context, command: Command) -> Result<u8, Failure> {
    // most of the time is spent waiting for Docker: two threads answer faster than many that have to be made
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Other, 4, format!("cannot start: {e}")))?;
    let result = runtime.block_on(async {
        let reads = matches!(
            command,
            Command::Status(_) | Command::Health(_) | Command::Logs(_) | Command::Services(_) | Command::Contracts(_)
        );
        context.watch_signals(!reads);
        match command {
            Command::Up(args) => commands::up::run(context, args).await,
            Command::Down(args) => commands::down::run(context, args).await,
            Command::Reset(args) => commands::reset::run(context, args).await,
            Command::Backup(args) => commands::backup::run(context, args).await,
            Command::Restore(args) => commands::restore::run(context, args).await,
            Command::Status(args) => commands::status::run(context, args).await,
            Command::Health(args) => commands::health::run(context, args).await,
            Command::Logs(args) => commands::logs::run(context, args).await,
            Command::Images(command) => commands::images::run(context, command).await,
            Command::Dlq(command) => commands::dlq::run(context, command).await,
            Command::Users(command) => commands::users::run(context, command).await,
            Command::Services(args) => commands::services::run(context, args).await,
            Command::Contracts(command) => commands::contracts::run(context, command).await,
            Command::Init(args) => commands::init::run(context, &args),
            Command::NewService(args) => commands::new_service::run(context, &args),
            Command::RemoveService(args) => commands::remove_service::run(context, &args),
            Command::Completions { .. } | Command::Serve(_) => unreachable!("handled before"),
        }
    });
    context.screen.finish();
    // a name look-up that hangs must not hold the exit up
    runtime.shutdown_background();
    let result = result.and_then(|code| context.unwritten().map_or(Ok(code), Err));
    let interrupted = Exit::Interrupted as u8;
    match result {
        Ok(code) if code == interrupted => Ok(context.signal() as u8),
        Err(failure) if failure.exit == Exit::Interrupted => Err(Failure { exit: context.signal(), ..failure }),
        other => other,
    }
}
