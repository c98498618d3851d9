//! The command `Create{{ pascal }}`.

use banyan_sdk::schemars::{self, JsonSchema};
use banyan_sdk::{Command, Context, Fault, Outcome};
use serde::{Deserialize, Serialize};

use crate::events::{{ snake }}_created::{{ pascal }}Created;

/// Creates one {{ words }}, and answers with its id.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = String, permissions = ["{{ kebab }}:create"])]
pub struct Create{{ pascal }} {
    /// What it is called.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
}

/// Decides whether it may be, and what has happened then. A message fits its schema before it comes here.
pub async fn handle(cx: Context<()>, command: Create{{ pascal }}) -> Result<Outcome<String>, Fault> {
    if command.name.trim().is_empty() {
        return Err(Fault::rule("a name is more than spaces"));
    }
    let (id, name) = (cx.message.id.to_string(), command.name);
    Ok(Outcome::reply(id.clone()).emit({{ pascal }}Created { id, name }))
}

#[cfg(test)]
mod tests {
    use banyan_sdk::FaultCode;
    use banyan_sdk::testing::TestService;

    use super::*;

    fn named(name: &str) -> Create{{ pascal }} {
        Create{{ pascal }} { name: name.to_owned() }
    }

    #[tokio::test]
    async fn the_event_says_what_was_asked_for() {
        let test = TestService::start(crate::service()).await.expect("it starts");
        let id = test.call(named("first")).await.expect("it is created");
        let created: {{ pascal }}Created = test.event().await;
        assert_eq!((created.id, created.name), (id, "first".to_owned()));
    }

    #[tokio::test]
    async fn who_may_not_or_asks_for_nothing_is_refused() {
        let test = TestService::start(crate::service()).await.expect("it starts");
        let stranger = test.user("ann", &[]);
        let fault = stranger.call(named("first")).await.expect_err("not allowed");
        assert_eq!(fault.code, FaultCode::Authorization);
        for name in ["", "  "] {
            assert!(test.call(named(name)).await.is_err(), "{name:?}");
        }
        assert!(test.events().await.expect("events").is_empty());
    }
}
