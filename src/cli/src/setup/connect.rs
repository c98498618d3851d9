//! The engine for `up`: the one that answers, or one that is set up now.

use engine::Engine;

use crate::args::UpArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::setup::{self, Outcome, SetupError};

/// Connects; with `--setup`, or a yes on the terminal, installs and starts an engine first.
pub async fn engine(context: &Context, args: &UpArgs) -> Result<Engine, Failure> {
    let env = |name: &str| context.env.get(name).cloned();
    let unreachable = match context.try_engine().await {
        Ok(engine) => {
            // an engine is there; what recipes need may not be, and may not be needed
            if args.setup
                && let Err(error) = setup::recipe_tools(&context.journal).await
            {
                let failure = failure(error);
                let why = failure.hint.iter().fold(failure.message, |why, hint| format!("{why}; {hint}"));
                context.note(&format!("note: image recipes cannot be built here: {why}"));
            }
            return Ok(engine);
        }
        Err(error) => error,
    };
    let wanted = args.setup
        || (!unreachable.explicit
            && !args.dry_run
            && context.ask("No Docker engine answers. Install and start one now?") == Some(true));
    if !wanted {
        return Err(Failure::unreachable(&unreachable, &context.pasteable(&["up", "--setup"])));
    }
    match setup::run(&context.request(&env), &unreachable, &context.journal).await.map_err(failure)? {
        Outcome::Ready(engine) => Ok(*engine),
        Outcome::Handover(handover) => {
            context.screen.finish();
            context.note(&handover.notice());
            Err(failure(handover.exec()))
        }
    }
}

fn failure(error: SetupError) -> Failure {
    let failure = Failure::new(Exit::Docker, 3, error.to_string());
    match error {
        SetupError::UnknownSystem { by_hand, .. } => failure.hint(by_hand),
        SetupError::NotPermitted { command } | SetupError::NeedsPassword { command } => {
            failure.hint(format!("do it by hand: {command}"))
        }
        SetupError::Chosen { .. } | SetupError::Unusable { .. } => {
            failure.hint("start that engine, or take the choice back to have one set up here")
        }
        SetupError::Command { tail, .. } => failure.details(tail),
        SetupError::NotRun { source, .. } => failure.details([source.to_string()]),
        SetupError::NoAnswer { log, tail, .. } => match log {
            Some(log) => failure.details(tail).hint(format!("its log: {}", log.display())),
            None => failure.details(tail),
        },
        SetupError::StillDenied { socket } => failure.hint(format!("look at who may use it: ls -l {socket}")),
    }
}
