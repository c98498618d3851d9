//! Work that arrives twice is done once.

use std::time::Duration;

use banyan_sdk::store::{Claim, Complete, EventStore, Expected, Json, Lease, Once, StoreError};
use futures_util::future::join_all;
use serde_json::json;

use crate::database::append;

const LONG: Duration = Duration::from_secs(60);

suite! {
    a_key_is_claimed_once_and_then_answered,
    a_lease_that_ran_out_goes_to_the_next_one,
    a_lease_is_renewed_by_whoever_holds_it,
    work_that_was_given_up_can_be_claimed,
    the_effect_and_the_record_are_one,
    a_message_is_handled_once,
    what_is_kept_is_not_pruned,
}

async fn first(store: &EventStore, key: &str, lease: Duration) -> Lease {
    match store.claim("orders", key, lease).await.unwrap() {
        Claim::First(lease) => lease,
        other => panic!("{other:?}"),
    }
}

async fn a_key_is_claimed_once_and_then_answered(store: EventStore) {
    let claims = join_all((0..16).map(|_| store.claim("orders", "k", LONG))).await;
    let mut leases = Vec::new();
    for claim in claims {
        match claim.unwrap() {
            Claim::First(lease) => leases.push(lease),
            other => assert_eq!(other, Claim::InProgress),
        }
    }
    let [lease] = leases.try_into().unwrap();
    let reply = Json::from(json!({ "total": 3 }));
    store.complete(&lease, Some(&reply)).await.unwrap();
    let Claim::Done(Some(answer)) = store.claim("orders", "k", LONG).await.unwrap() else { panic!() };
    assert_eq!(answer.read::<serde_json::Value>().unwrap(), json!({ "total": 3 }));
    assert!(matches!(store.complete(&lease, None).await, Err(StoreError::ClaimLost { .. })));
    assert!(matches!(store.claim("payments", "k", LONG).await.unwrap(), Claim::First(_)));
}

async fn a_lease_that_ran_out_goes_to_the_next_one(store: EventStore) {
    let late = first(&store, "k", Duration::ZERO).await;
    let next = first(&store, "k", LONG).await;
    assert!(matches!(store.complete(&late, None).await, Err(StoreError::ClaimLost { .. })));
    store.release(&late).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::InProgress);
    store.complete(&next, None).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::Done(None));
}

async fn a_lease_is_renewed_by_whoever_holds_it(store: EventStore) {
    // It ran out, and nobody has come for it yet.
    let held = first(&store, "k", Duration::ZERO).await;
    store.renew(&held, LONG).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::InProgress);
    store.renew(&held, Duration::ZERO).await.unwrap();
    let next = first(&store, "k", Duration::ZERO).await;
    store.renew(&held, LONG).await.unwrap();
    let last = first(&store, "k", LONG).await;
    store.complete(&last, None).await.unwrap();
    store.renew(&next, LONG).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::Done(None));
}

async fn work_that_was_given_up_can_be_claimed(store: EventStore) {
    let lease = first(&store, "k", LONG).await;
    store.release(&lease).await.unwrap();
    let lease = first(&store, "k", LONG).await;
    store.complete(&lease, None).await.unwrap();
    store.release(&lease).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::Done(None));
}

async fn the_effect_and_the_record_are_one(store: EventStore) {
    let lease = first(&store, "k", LONG).await;
    let complete = Complete { lease, reply: Some(json!(7).into()) };
    let refused = store.append(append("a", Expected::Version(5), 1).with(complete.clone())).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::InProgress);
    store.append(append("a", Expected::NoStream, 1).with(complete.clone())).await.unwrap();
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::Done(Some(json!(7).into())));
    let again = store.append(append("a", Expected::Any, 1).with(complete)).await.unwrap_err();
    let StoreError::Companion { source, .. } = again else { panic!("{again:?}") };
    assert!(matches!(source.downcast_ref(), Some(StoreError::ClaimLost { .. })), "{source:?}");
    assert_eq!(store.head().await.unwrap().0, 1);
}

async fn a_message_is_handled_once(store: EventStore) {
    let once = || Once { scope: "projector".to_owned(), key: "msg-1".to_owned() };
    let all = join_all((0..10).map(|_| store.append(append("a", Expected::Any, 1).with(once())))).await;
    let (done, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    for refused in refused {
        let StoreError::Companion { source, .. } = refused.unwrap_err() else { panic!() };
        assert!(matches!(source.downcast_ref(), Some(StoreError::AlreadyHandled { .. })), "{source:?}");
    }
    assert_eq!(store.head().await.unwrap().0, 1);
}

async fn what_is_kept_is_not_pruned(store: EventStore) {
    let lease = first(&store, "k", Duration::ZERO).await;
    store.complete(&lease, None).await.unwrap();
    assert_eq!(store.prune_handled().await.unwrap(), 0);
    assert_eq!(store.claim("orders", "k", LONG).await.unwrap(), Claim::Done(None));
}
