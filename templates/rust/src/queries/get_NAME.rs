//! The query `Get{{ pascal }}`.

use banyan_sdk::schemars::{self, JsonSchema};
use banyan_sdk::{Context, Fault, Query};
use serde::{Deserialize, Serialize};

use crate::read_models::{{ snake }}_view::{self, {{ pascal }}View};

/// Finds one {{ words }} by its id.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = {{ pascal }}View, permissions = ["{{ kebab }}:read"])]
pub struct Get{{ pascal }} {
    /// What the command answered.
    pub id: String,
}

/// Reads it from the read model.
pub async fn handle(cx: Context<()>, query: Get{{ pascal }}) -> Result<{{ pascal }}View, Fault> {
    let found = cx.view({{ snake }}_view::NAME)?.find(&query.id).await?;
    let found = found.ok_or_else(|| Fault::not_found(format!("there is no {{ words }} {}", query.id)))?;
    found.data.read().map_err(|error| Fault::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use banyan_sdk::FaultCode;
    use banyan_sdk::testing::TestService;

    use super::*;

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let test = TestService::start(crate::service()).await.expect("it starts");
        let fault = test.call(Get{{ pascal }} { id: "none".to_owned() }).await.expect_err("nothing is there");
        assert_eq!(fault.code, FaultCode::NotFound);
    }
}
