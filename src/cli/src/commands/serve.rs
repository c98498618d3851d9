//! `banyan serve`: what the platform's containers run.

use std::process::ExitCode;

use crate::args::{PlatformService, ServeArgs};
use crate::failure::Exit;

/// Runs a service until it is told to stop, or asks the one in this container.
pub fn run(args: &ServeArgs) -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let Some(service) = args.service else {
        let port = env("PORT").and_then(|p| p.parse().ok()).unwrap_or(3003);
        return match banyan_sdk::server::check(port) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("{reason}");
                ExitCode::FAILURE
            }
        };
    };
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        eprintln!("cannot start: the system gives no threads");
        return ExitCode::FAILURE;
    };
    let result = runtime.block_on(async {
        match service {
            PlatformService::Auth => auth::serve(&env).await,
            PlatformService::Discovery => discovery::serve(&env).await,
            PlatformService::Gateway => gateway::serve(&env).await,
        }
    });
    // a name look-up that hangs must not hold the exit up
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let configuration = matches!(error, banyan_sdk::Error::Configuration(_));
            ExitCode::from(if configuration { Exit::Config } else { Exit::Other } as u8)
        }
    }
}
