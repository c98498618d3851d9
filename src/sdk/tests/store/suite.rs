//! What both forms of the store must do.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use banyan_sdk::store::{
    Append, EventStore, Expected, Filter, Json, NewEvent, Position, Refusal, Snapshot, StoreError, Stream, Tx, Until,
    Upcasters,
};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use crate::database::{append, event};

suite! {
    events_come_back_as_they_were_stored,
    versions_and_positions_are_gapless,
    an_unexpected_version_stores_nothing,
    racing_appends_have_one_winner,
    appends_to_one_stream_at_once_all_succeed,
    an_id_is_stored_once,
    what_is_no_append_is_refused,
    a_stream_is_loaded_at_a_version_and_at_a_time,
    pages_are_filtered_and_say_how_far_they_went,
    readers_are_woken,
    a_failing_companion_undoes_its_append_only,
    a_history_begins_at_the_snapshot,
    old_events_are_upcast,
}

fn stream(id: &str) -> Stream {
    Stream::new("Counter", id)
}

async fn numbers(store: &EventStore, id: &str) -> Vec<u64> {
    let events = store.load(&stream(id), 1, Until::Now).await.unwrap();
    events.iter().map(|event| event.data.read::<Value>().unwrap()["n"].as_u64().unwrap()).collect()
}

async fn events_come_back_as_they_were_stored(store: EventStore) {
    let moment = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    let full = NewEvent {
        event_version: 3,
        metadata: Some(json!({ "user": "ü", "deep": [1, null, { "x": 1.5 }] }).into()),
        occurred_at: Some(moment),
        correlation_id: Some("cor_1".to_owned()),
        causation_id: Some("msg'1\\".to_owned()),
        ..NewEvent::new("Placed", json!({ "b": "quote \" and \\ and \n", "a": [], "0": "NULL" }).into())
    };
    let bare = NewEvent::new("Noted", json!("").into());
    let before = SystemTime::now() - Duration::from_secs(60);
    let events = vec![full.clone(), bare.clone()];
    let done = store.append(Append::new("shop", Stream::new("Order", "a,{b}"), Expected::NoStream, events)).await;
    assert_eq!(done.unwrap().last_position, Position(2));

    let found = store.load(&Stream::new("Order", "a,{b}"), 1, Until::Now).await.unwrap();
    let page = store.read(Position::START, 10, &Filter::default()).await.unwrap();
    assert_eq!(found, page.events);
    let [first, second] = found.try_into().unwrap();
    assert_eq!((first.position, first.version, first.id), (Position(1), 1, full.id));
    assert_eq!((first.service.as_str(), first.event_type.as_str(), first.event_version), ("shop", "Placed", 3));
    assert_eq!(first.data.read::<Value>().unwrap(), full.data.read::<Value>().unwrap());
    assert_eq!(first.metadata.read::<Value>().unwrap(), full.metadata.unwrap().read::<Value>().unwrap());
    assert_eq!((first.occurred_at, first.correlation_id), (moment, full.correlation_id));
    assert_eq!(first.causation_id, full.causation_id);
    assert_eq!((second.version, second.correlation_id, second.causation_id), (2, None, None));
    assert_eq!((second.data.as_str(), second.metadata.as_str()), ("\"\"", "{}"));
    assert!(second.occurred_at > before && second.occurred_at < SystemTime::now() + Duration::from_secs(60));
}

async fn versions_and_positions_are_gapless(store: EventStore) {
    assert_eq!(store.head().await.unwrap(), Position::START);
    let appends = (0..200).map(|n| store.append(append(&format!("s{}", n % 7), Expected::Any, 1 + n % 3)));
    let mut places: Vec<_> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    places.sort_by_key(|place| place.first_position);
    let mut next = 1;
    for place in &places {
        assert_eq!(place.first_position, Position(next), "{places:?}");
        assert_eq!(place.last_position.0 - place.first_position.0, i64::from(place.last_version - place.first_version));
        next = place.last_position.0 + 1;
    }
    assert_eq!(store.head().await.unwrap(), Position(next - 1));
    let mut after = Position::START;
    let mut versions = BTreeMap::<String, u32>::new();
    let mut seen = 0;
    while after < Position(next - 1) {
        let page = store.read(after, 30, &Filter::default()).await.unwrap();
        for event in page.events {
            seen += 1;
            assert_eq!(event.position, Position(seen));
            let version = versions.entry(event.stream.aggregate_id).or_default();
            *version += 1;
            assert_eq!(event.version, *version);
        }
        after = page.read_to;
    }
    assert_eq!(seen, next - 1);
}

async fn an_unexpected_version_stores_nothing(store: EventStore) {
    store.append(append("a", Expected::NoStream, 2)).await.unwrap();
    for expected in [Expected::NoStream, Expected::Version(1), Expected::Version(3), Expected::Version(u32::MAX)] {
        let refused = store.append(append("a", expected, 1)).await.unwrap_err();
        let StoreError::Conflict { stream: which, expected: wanted, actual } = refused else { panic!("{refused:?}") };
        assert_eq!((which, wanted, actual), (stream("a"), expected, 2));
    }
    let refused = store.append(append("b", Expected::Version(1), 1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { actual: 0, .. }), "{refused:?}");
    let done = store.append(append("a", Expected::Version(2), 1)).await.unwrap();
    assert_eq!((done.first_version, done.first_position), (3, Position(3)));
}

async fn racing_appends_have_one_winner(store: EventStore) {
    for version in 0..10 {
        let race = (0..16).map(|_| store.append(append("race", Expected::Version(version), 1)));
        let results = join_all(race).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let lost = |error: &StoreError| matches!(error, StoreError::Conflict { actual, .. } if *actual == version + 1);
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(lost), "{results:?}");
    }
    assert_eq!(store.head().await.unwrap(), Position(10));
}

async fn appends_to_one_stream_at_once_all_succeed(store: EventStore) {
    let all = (0..100).map(|_| store.append(append("hot", Expected::Any, 1)));
    let mut versions: Vec<_> = join_all(all).await.into_iter().map(|done| done.unwrap().first_version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=100).collect::<Vec<_>>());
}

async fn an_id_is_stored_once(store: EventStore) {
    let first = append("a", Expected::Any, 1);
    let twice = Append { events: vec![event(1), first.events[0].clone()], ..append("b", Expected::Any, 0) };
    let within = Append { events: vec![event(1); 2], ..append("c", Expected::Any, 0) };
    store.append(first).await.unwrap();
    // Together with others, who must not notice.
    let (twice, within, other) = tokio::join!(
        store.append(twice),
        store.append(within),
        join_all((0..8).map(|n| store.append(append(&format!("o{n}"), Expected::NoStream, 1)))),
    );
    for (refused, id) in [(twice, "b"), (within, "c")] {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, StoreError::DuplicateEvent { stream: at } if *at == stream(id)), "{refused:?}");
        assert_eq!(numbers(&store, id).await, [0; 0]);
    }
    assert!(other.iter().all(Result::is_ok), "{other:?}");
    assert_eq!(store.head().await.unwrap(), Position(9));
}

async fn what_is_no_append_is_refused(store: EventStore) {
    let with = |event: NewEvent| Append { events: vec![event], ..append("a", Expected::Any, 0) };
    let nul = json!({ "text": "a\0b" });
    let wrong = [
        append("a", Expected::Any, 0),
        append("", Expected::Any, 1),
        append(&"x".repeat(513), Expected::Any, 1),
        append("nul\0", Expected::Any, 1),
        with(NewEvent { event_version: 0, ..event(1) }),
        with(NewEvent { event_type: String::new(), ..event(1) }),
        with(NewEvent { data: nul.clone().into(), ..event(1) }),
        with(NewEvent { metadata: Some(nul.into()), ..event(1) }),
        with(NewEvent { correlation_id: Some("\0".to_owned()), ..event(1) }),
    ];
    for wrong in wrong {
        let refused = store.append(wrong).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
    }
    assert_eq!(store.head().await.unwrap(), Position::START);
}

async fn a_stream_is_loaded_at_a_version_and_at_a_time(store: EventStore) {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let events = [10, 20, 30, 25].map(|second| NewEvent { occurred_at: Some(at(second)), ..event(second) });
    let whole = Append { events: events.into(), ..append("a", Expected::Any, 0) };
    store.append(whole).await.unwrap();
    let load = async |from, until| {
        let events = store.load(&stream("a"), from, until).await.unwrap();
        events.into_iter().map(|event| event.version).collect::<Vec<_>>()
    };
    assert_eq!(load(1, Until::Now).await, [1, 2, 3, 4]);
    assert_eq!(load(3, Until::Now).await, [3, 4]);
    assert_eq!(load(2, Until::Version(3)).await, [2, 3]);
    assert_eq!(load(5, Until::Now).await, [0; 0]);
    assert_eq!(load(1, Until::Time(at(20))).await, [1, 2]);
    // The clock went back at the fourth event: without the third it makes no sense.
    assert_eq!(load(1, Until::Time(at(26))).await, [1, 2]);
    assert_eq!(load(2, Until::Time(at(30))).await, [2, 3, 4]);
    assert_eq!(load(1, Until::Time(at(9))).await, [0; 0]);
    assert_eq!(store.load(&stream("none"), 1, Until::Now).await.unwrap(), []);
}

async fn pages_are_filtered_and_say_how_far_they_went(store: EventStore) {
    for n in 0..30 {
        let service = if n % 3 == 0 { "users" } else { "orders" };
        let kind = if n % 2 == 0 { "Even" } else { "Odd" };
        let events = vec![NewEvent::new(kind, json!({ "n": n }).into())];
        store.append(Append::new(service, stream("a"), Expected::Any, events)).await.unwrap();
    }
    let read = async |after, limit, filter: &Filter| {
        let page = store.read(Position(after), limit, filter).await.unwrap();
        (page.events.iter().map(|event| event.position.0).collect::<Vec<_>>(), page.read_to.0)
    };
    assert_eq!(read(0, 3, &Filter::default()).await, (vec![1, 2, 3], 3));
    assert_eq!(read(28, 9, &Filter::default()).await, (vec![29, 30], 30));
    assert_eq!(read(30, 9, &Filter::default()).await, (vec![], 30));
    let users = Filter::service("users");
    assert_eq!(read(0, 3, &users).await, (vec![1, 4, 7], 7));
    assert_eq!(read(20, 100, &users).await, (vec![22, 25, 28], 30));
    let odd_users = Filter { event_types: vec!["Odd".to_owned(), "Other".to_owned()], ..users };
    assert_eq!(read(0, 100, &odd_users).await, (vec![4, 10, 16, 22, 28], 30));
    assert_eq!(read(0, 100, &Filter::types(["Other"])).await, (vec![], 30));
    assert_eq!(read(30, 100, &Filter::types(["Other"])).await, (vec![], 30));
}

async fn readers_are_woken(store: EventStore) {
    let mut head = store.subscribe();
    let waiting = tokio::spawn(async move { head.wait_for(|head| *head >= Position(3)).await.map(|head| *head) });
    store.append(append("a", Expected::Any, 2)).await.unwrap();
    store.append(append("b", Expected::Any, 1)).await.unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert_eq!(woken.unwrap().unwrap().unwrap(), Position(3));
}

fn refuse<'a>(_: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
    Box::pin(async { Err("no credit".into()) })
}

fn accept<'a>(_: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), Refusal>> {
    Box::pin(async { Ok(()) })
}

async fn a_failing_companion_undoes_its_append_only(store: EventStore) {
    let all = join_all((0..12).map(|n| {
        let append = append(&format!("s{n}"), Expected::NoStream, 2);
        store.append(match n % 3 {
            0 => append,
            1 => append.with(accept),
            _ => append.with(accept).with(refuse),
        })
    }))
    .await;
    for (n, result) in all.into_iter().enumerate() {
        match result {
            Ok(_) => assert_ne!(n % 3, 2),
            Err(StoreError::Companion { stream: at, source }) => {
                assert_eq!((at, source.to_string().as_str()), (stream(&format!("s{n}")), "no credit"));
                assert_eq!(numbers(&store, &format!("s{n}")).await, [0; 0]);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(store.head().await.unwrap(), Position(16));
    let conflict = store.append(append("s0", Expected::NoStream, 1).with(refuse)).await.unwrap_err();
    assert!(matches!(conflict, StoreError::Conflict { .. }), "{conflict:?}");
}

async fn a_history_begins_at_the_snapshot(store: EventStore) {
    store.append(append("a", Expected::Any, 5)).await.unwrap();
    let history = store.history(&stream("a")).await.unwrap();
    assert_eq!((history.snapshot.clone(), history.events.len(), history.version()), (None, 5, 5));
    let at = |version| Snapshot { version, state: Json::write(&json!({ "sum": version })).unwrap() };
    store.save_snapshot(&stream("a"), &at(3)).await.unwrap();
    store.save_snapshot(&stream("a"), &at(2)).await.unwrap();
    let history = store.history(&stream("a")).await.unwrap();
    let snapshot = history.snapshot.clone().unwrap();
    assert_eq!((snapshot.version, snapshot.state.read::<Value>().unwrap()), (3, json!({ "sum": 3 })));
    assert_eq!(history.events.iter().map(|event| event.version).collect::<Vec<_>>(), [4, 5]);
    store.save_snapshot(&stream("a"), &at(5)).await.unwrap();
    let history = store.history(&stream("a")).await.unwrap();
    assert_eq!((history.events.len(), history.version()), (0, 5));
    assert_eq!(store.snapshot(&stream("a"), 4).await.unwrap(), None);
    assert_eq!(store.history(&stream("none")).await.unwrap().version(), 0);
}

async fn old_events_are_upcast(store: EventStore) {
    store.append(append("a", Expected::Any, 1)).await.unwrap();
    let doubled = |old: Value| json!({ "n": old["n"].as_u64().unwrap() + 40, "unit": "s" });
    let current = store.clone().with_upcasters(Upcasters::default().step("Counted", 1, 2, doubled));
    assert_eq!(numbers(&current, "a").await, [40]);
    assert_eq!(current.read(Position::START, 9, &Filter::default()).await.unwrap().events[0].event_version, 2);
    let without_path = store.with_upcasters(Upcasters::default().current("Counted", 2));
    let missing = without_path.load(&stream("a"), 1, Until::Now).await.unwrap_err();
    assert!(matches!(missing, StoreError::Upcast { position: Position(1), .. }), "{missing:?}");
}
