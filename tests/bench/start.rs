//! How a benchmark begins and ends as a process.

use std::{fmt::Display, process::ExitCode};

/// Measures when `cargo bench` asks for it. `bench` gets the arguments, and tells whether the run counts.
pub fn start<E: Display>(name: &str, bench: impl FnOnce(&[String]) -> Result<bool, E>) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|it| it == "--bench") {
        println!("nothing is measured without `cargo bench`");
        return ExitCode::SUCCESS;
    }
    end(name, bench(&args))
}

/// What a run comes to: one that fails, or does not count, ends with 1.
pub fn end<E: Display>(name: &str, result: Result<bool, E>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("bench {name}: {why}");
            ExitCode::FAILURE
        }
    }
}
