//! The whole service, on a platform in memory.

use banyan_sdk::FaultCode;
use banyan_sdk::testing::TestService;

use crate::commands::create_{{ snake }}::Create{{ pascal }};
use crate::events::{{ snake }}_confirmed::{{ pascal }}Confirmed;
use crate::queries::get_{{ snake }}::Get{{ pascal }};

#[tokio::test]
async fn what_is_created_is_confirmed_and_found() {
    let test = TestService::start(crate::service()).await.expect("it starts");
    let create = Create{{ pascal }} { name: "first".to_owned() };
    let id = test.call(create).await.expect("it is created");
    let confirmed: {{ pascal }}Confirmed = test.event().await;
    assert_eq!(confirmed.id, id);
    // read models follow a moment later
    loop {
        match test.call(Get{{ pascal }} { id: id.clone() }).await {
            Ok(found) if found.confirmed => return assert_eq!((found.id, found.name), (id, "first".to_owned())),
            Err(fault) if fault.code != FaultCode::NotFound => panic!("{fault}"),
            _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}
