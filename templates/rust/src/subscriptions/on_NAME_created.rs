//! What follows from `{{ pascal }}Created`. An event of another service would be declared here, with its name:
//! `#[event(service = "other-service")]`.

use banyan_sdk::{Context, Fault, Outcome};

use crate::aggregates::{{ snake }}_state::{{ pascal }}State;
use crate::events::{{ snake }}_created::{{ pascal }}Created;

/// Confirms it. An event counts once however often it comes; a fault that may pass is tried again.
pub async fn handle(cx: Context<()>, event: {{ pascal }}Created) -> Result<Outcome<()>, Fault> {
    let found = cx.load::<{{ pascal }}State>(&event.id).await?.existing()?;
    Ok(match found.state.confirm(event.id) {
        Some(confirmed) => found.emit(Outcome::done(), confirmed),
        None => Outcome::done(),
    })
}
