//! The hub over a bus in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use banyan_sdk::{
    bus::{
        Bus, Message, Sending, Target,
        memory::{MemoryBroker, SystemClock},
    },
    protocol::{Envelope, FaultCode, Timestamp, names},
};
use futures_util::StreamExt;
use proptest::prelude::*;
use serde_json::{Map, json};
use tokio::time::{Instant, timeout};

use super::*;
use crate::events::{
    event::tests::envelope,
    support::{caller, catalog},
};

struct Platform {
    bus: Arc<dyn Bus>,
    hub: Hub,
    catalog: Arc<Mutex<Arc<crate::catalog::Catalog>>>,
}

const EVENTS: &[(&str, &str, &[&str])] = &[
    ("user-service", "UserCreated", &["users:read"]),
    ("user-service", "UserDeleted", &["users:read"]),
    ("shop", "Shop.Events.Opened", &["public"]),
];

impl Platform {
    fn start(options: Options) -> Self {
        let bus: Arc<dyn Bus> = Arc::new(MemoryBroker::new(SystemClock).connect());
        let catalog = Arc::new(Mutex::new(catalog(EVENTS)));
        let now = catalog.clone();
        let service = "api-gateway".parse().unwrap();
        let hub = Hub::new(options, move || Known::new(&now.lock().unwrap()));
        hub.open(bus.clone(), &service);
        Self { bus, hub, catalog }
    }

    fn listener(&self, permissions: &[&str]) -> Listener {
        self.hub.listen(Arc::new(caller(permissions)))
    }

    async fn publish(&self, event: &str, id: &str, payload: &str) {
        let key = names::event_key(&"user-service".parse().unwrap(), event);
        let message = Message::durable(id, envelope(event, id, payload).write());
        let sending = Sending::confirmed(Instant::now() + Duration::from_secs(10)).optional();
        self.bus.send(&Target::event(key), message, sending).await.unwrap();
    }
}

fn wish(name: &str) -> Wish {
    Wish { name: name.to_owned(), filters: Filters::default() }
}

fn filtered(name: &str, field: &str, value: i64) -> Wish {
    let filters = Map::from_iter([(field.to_owned(), json!(value))]);
    Wish { name: name.to_owned(), filters: Filters::of_json(filters).unwrap() }
}

/// The next news, as `name/message id` or `gap`.
async fn next(listener: &mut Listener) -> Result<String, Ended> {
    let news = timeout(Duration::from_secs(10), listener.next()).await.expect("no news");
    news.map(|news| match news {
        News::Event(event, name) => format!("{name}/{}", event.message_id),
        News::Gap(name) => format!("gap {}", name.as_deref().unwrap_or("of all")),
    })
}

#[tokio::test]
async fn events_go_to_whoever_asked_and_may_see_them() {
    let platform = Platform::start(Options::default());
    let (mut one, mut two) = (platform.listener(&["users:read"]), platform.listener(&["users:read"]));
    one.subscribe(vec![wish("UserCreated"), filtered("UserDeleted", "n", 2)], None).await.unwrap();
    two.subscribe(vec![wish("User.Events.UserCreated")], None).await.unwrap();
    for (event, id, payload) in
        [("UserDeleted", "d1", r#"{"n":1}"#), ("UserCreated", "c1", "{}"), ("UserDeleted", "d2", r#"{"n":2}"#)]
    {
        platform.publish(event, id, payload).await;
    }
    assert_eq!(next(&mut one).await.unwrap(), "UserCreated/c1");
    assert_eq!(next(&mut one).await.unwrap(), "UserDeleted/d2");
    assert_eq!(next(&mut two).await.unwrap(), "User.Events.UserCreated/c1");

    assert!(one.unsubscribe("UserCreated") && !one.unsubscribe("UserCreated"));
    platform.publish("UserCreated", "c2", "{}").await;
    platform.publish("UserDeleted", "d3", r#"{"n":2}"#).await;
    assert_eq!(next(&mut one).await.unwrap(), "UserDeleted/d3");
    assert_eq!(next(&mut two).await.unwrap(), "User.Events.UserCreated/c2");
}

#[tokio::test]
async fn what_cannot_be_asked_for() {
    let platform = Platform::start(Options { topics: 2, ..Options::default() });
    let mut listener = platform.listener(&[]);
    let refused = async |listener: &mut Listener, name: &str| {
        listener.subscribe(vec![wish(name)], None).await.map_err(|fault| fault.code)
    };
    assert_eq!(refused(&mut listener, "Nothing").await, Err(FaultCode::NotFound));
    assert_eq!(refused(&mut listener, "UserCreated").await, Err(FaultCode::Authorization));
    let nobody = Caller { auth: None, ..caller(&[]) };
    let mut anonymous = platform.hub.listen(Arc::new(nobody));
    assert_eq!(refused(&mut anonymous, "UserCreated").await, Err(FaultCode::Unauthorized));
    assert_eq!(refused(&mut anonymous, "Opened").await, Ok(()));

    let mut greedy = platform.listener(&["users:read"]);
    let many = vec![wish("UserCreated"), wish("UserDeleted"), wish("Opened")];
    let refused_all = greedy.subscribe(many, None).await.unwrap_err();
    assert_eq!(refused_all.code, FaultCode::RateLimitExceeded);
    assert!(greedy.is_idle());
    for name in ["UserCreated", "UserDeleted", "UserCreated"] {
        assert_eq!(refused(&mut greedy, name).await, Ok(()), "the same again takes no more room");
    }
    assert_eq!(refused(&mut greedy, "Opened").await, Err(FaultCode::RateLimitExceeded));
}

#[tokio::test]
async fn who_may_see_an_event_is_looked_at_when_it_comes() {
    let platform = Platform::start(Options::default());
    let (mut reader, mut admin) = (platform.listener(&["users:read"]), platform.listener(&["users:read", "a:b"]));
    for listener in [&mut reader, &mut admin] {
        listener.subscribe(vec![wish("UserCreated"), wish("UserDeleted")], None).await.unwrap();
    }
    *platform.catalog.lock().unwrap() = catalog(&[
        ("user-service", "UserCreated", &["users:read", "a:b"]),
        ("user-service", "UserDeleted", &["users:read"]),
    ]);
    platform.publish("UserCreated", "c1", "{}").await;
    platform.publish("UserDeleted", "d1", "{}").await;
    assert_eq!(next(&mut reader).await.unwrap(), "UserDeleted/d1");
    assert_eq!(next(&mut admin).await.unwrap(), "UserCreated/c1");

    // What nobody publishes any more needs what it needed when it was asked for.
    *platform.catalog.lock().unwrap() = catalog(&[]);
    platform.publish("UserCreated", "c2", "{}").await;
    assert_eq!(next(&mut reader).await.unwrap(), "UserCreated/c2");
}

#[tokio::test]
async fn a_slow_one_is_dropped_and_others_feel_nothing() {
    let platform = Platform::start(Options { capacity: 4, ..Options::default() });
    let (mut slow, mut quick) = (platform.listener(&["users:read"]), platform.listener(&["users:read"]));
    slow.subscribe(vec![wish("UserCreated")], None).await.unwrap();
    quick.subscribe(vec![wish("UserCreated")], None).await.unwrap();
    for n in 0..100 {
        platform.publish("UserCreated", &n.to_string(), "{}").await;
        assert_eq!(next(&mut quick).await.unwrap(), format!("UserCreated/{n}"));
    }
    assert_eq!(next(&mut slow).await, Err(Ended::TooSlow));
    assert_eq!(next(&mut slow).await, Err(Ended::TooSlow));
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_was_missed() {
    let platform = Platform::start(Options { kept: Bounds { count: 3, ..Bounds::default() }, ..Options::default() });
    let mut first = platform.listener(&["users:read"]);
    first.subscribe(vec![wish("UserCreated")], None).await.unwrap();
    platform.publish("UserCreated", "1", "{}").await;
    let Ok(News::Event(event, _)) = first.next().await else { panic!("no event") };
    drop(first);

    let mut again = platform.listener(&["users:read"]);
    platform.publish("UserCreated", "2", r#"{"n":2}"#).await;
    platform.publish("UserCreated", "3", r#"{"n":3}"#).await;
    until_seen(&platform, 3).await;
    again.subscribe(vec![wish("UserCreated")], Some(&event.id)).await.unwrap();
    platform.publish("UserCreated", "4", "{}").await;
    for id in ["2", "3", "4"] {
        assert_eq!(next(&mut again).await.unwrap(), format!("UserCreated/{id}"));
    }

    let mut late = platform.listener(&["users:read"]);
    late.subscribe(vec![wish("UserCreated")], Some(&event.id)).await.unwrap();
    assert_eq!(next(&mut late).await.unwrap(), "gap UserCreated", "the first one is gone");

    let last = platform.hub.fan().last().unwrap();
    let mut other = platform.listener(&["users:read"]);
    other.subscribe(vec![wish("UserDeleted")], Some(&last)).await.unwrap();
    assert_eq!(next(&mut other).await.unwrap(), "gap UserDeleted", "nobody listened to it by then");
    platform.hub.tear();
    for listener in [&mut again, &mut late, &mut other] {
        assert_eq!(next(listener).await.unwrap(), "gap of all");
    }
}

/// Waits until so many events have come since the hub began.
async fn until_seen(platform: &Platform, count: usize) {
    let seen = async {
        while platform.hub.fan().count() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), seen).await.expect("events do not come");
}

#[tokio::test]
async fn a_subscription_is_a_stream_that_says_why_it_ends() {
    let platform = Platform::start(Options::default());
    let caller = Arc::new(caller(&["users:read"]));
    let mut events = platform.hub.subscribe(caller, "UserCreated", Filters::default()).await.unwrap();
    platform.publish("UserCreated", "1", r#"{"n":1}"#).await;
    assert_eq!(events.next().await.unwrap().value(), &json!({ "n": 1 }));
    assert_eq!(events.ended(), None);
    platform.hub.stop();
    assert!(events.next().await.is_none());
    assert_eq!(events.ended(), Some(Ended::Stopping));
}

#[tokio::test]
async fn it_ends_with_the_token() {
    let platform = Platform::start(Options::default());
    for (expires, expected) in [(1, Err(Ended::Expired)), (u64::MAX, Ok(format!("UserCreated/{}", u64::MAX)))] {
        let caller = Caller { expires: Some(expires), ..caller(&["users:read"]) };
        let mut listener = platform.hub.listen(Arc::new(caller));
        listener.subscribe(vec![wish("UserCreated")], None).await.unwrap();
        platform.hub.publish(envelope("UserCreated", &expires.to_string(), "{}"));
        assert_eq!(next(&mut listener).await, expected);
    }
}

/// What a listener of the model asked for.
#[derive(Debug, Clone)]
enum Step {
    Subscribe(usize, &'static str, Option<i64>),
    Unsubscribe(usize, &'static str),
    Publish(&'static str, i64),
    Take(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = prop_oneof![Just("UserCreated"), Just("UserDeleted")];
    let step = prop_oneof![
        (0..3_usize, name.clone(), proptest::option::of(0..3_i64)).prop_map(|(l, n, f)| Step::Subscribe(l, n, f)),
        (0..3_usize, name.clone()).prop_map(|(l, n)| Step::Unsubscribe(l, n)),
        (name, 0..3_i64).prop_map(|(n, f)| Step::Publish(n, f)),
        (0..3_usize).prop_map(Step::Take),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Three listeners with room for four news each, against lists in memory.
    #[test]
    fn listeners_get_exactly_what_they_asked_for(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let platform = Platform::start(Options { capacity: 4, ..Options::default() });
            let mut listeners: Vec<_> = (0..3).map(|_| platform.listener(&["users:read"])).collect();
            let mut asked = vec![BTreeMap::<&str, Option<i64>>::new(); 3];
            let mut waiting = vec![Vec::<String>::new(); 3];
            let mut overrun = [false; 3];
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Subscribe(l, name, filter) => {
                        let wish = filter.map_or_else(|| wish(name), |value| filtered(name, "n", value));
                        listeners[l].subscribe(vec![wish], None).await.unwrap();
                        asked[l].insert(name, filter);
                    }
                    Step::Unsubscribe(l, name) => {
                        assert_eq!(listeners[l].unsubscribe(name), asked[l].remove(name).is_some());
                    }
                    Step::Publish(name, n) => {
                        platform.hub.publish(stamped(name, id, n));
                        for l in 0..3 {
                            let wanted = asked[l].get(name).is_some_and(|filter| filter.is_none_or(|value| value == n));
                            if wanted && waiting[l].len() == 4 {
                                overrun[l] = true;
                            } else if wanted && !overrun[l] {
                                waiting[l].push(format!("{name}/{id}"));
                            }
                        }
                    }
                    Step::Take(l) if overrun[l] => assert_eq!(next(&mut listeners[l]).await, Err(Ended::TooSlow)),
                    Step::Take(l) if waiting[l].is_empty() => {
                        let nothing = futures_util::poll!(std::pin::pin!(listeners[l].next()));
                        assert!(nothing.is_pending());
                    }
                    Step::Take(l) => assert_eq!(next(&mut listeners[l]).await.unwrap(), waiting[l].remove(0)),
                }
            }
        });
    }
}

fn stamped(name: &str, id: usize, n: i64) -> Envelope {
    let envelope = envelope(name, &id.to_string(), &json!({ "n": n }).to_string());
    Envelope { timestamp: Timestamp::from_millis(1), ..envelope }
}
