//! Places at which a test can end this process, or make the step fail. They are in debug builds only.

use crate::error::Result;

/// The variable that says where and how: `kill:swapped`, `fail:done`.
#[cfg(debug_assertions)]
const VARIABLE: &str = "BANYAN_TEST_FAULT";

/// Reached.
#[cfg(debug_assertions)]
pub(crate) fn at(place: &str) -> Result<()> {
    match std::env::var(VARIABLE).unwrap_or_default().split_once(':') {
        // as SIGKILL does it: nothing is put in order
        Some(("kill", named)) if named == place => std::process::abort(),
        Some(("fail", named)) if named == place => Err(crate::error::Error::Answer {
            doing: format!("pass {place}"),
            answer: "a test makes it fail".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Reached.
#[cfg(not(debug_assertions))]
#[allow(clippy::unnecessary_wraps, reason = "the other one can fail")]
pub(crate) fn at(_place: &str) -> Result<()> {
    Ok(())
}
