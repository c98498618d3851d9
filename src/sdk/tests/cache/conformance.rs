//! What a cache does, wherever it keeps things.

use std::{sync::Arc, time::Duration};

use banyan_sdk::{
    Flow,
    cache::{Cache, Policy},
    ids,
};
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use crate::support::{Caches, LONG, Source, until};

macro_rules! suite {
    ($($name:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(super::Caches::memory()).await })+
        }
        mod in_redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(super::Caches::redis()).await })+
        }
    };
}

suite![
    what_is_loaded_is_kept_for_all_processes,
    failures_are_shared_and_not_kept,
    many_callers_load_once,
    many_callers_in_two_processes_load_once,
    what_has_ended_is_loaded_again,
    stale_values_are_given_while_a_fresh_one_is_loaded,
    a_failed_refresh_leaves_the_stale_value,
    only_what_is_named_is_forgotten,
    what_is_forgotten_during_its_load_does_not_count,
    another_process_may_forget_during_a_load,
    a_caller_who_leaves_does_not_stop_the_load,
    a_panic_reaches_one_caller_and_the_others_try_again,
    values_of_another_type_are_loaded,
    a_process_that_dies_while_loading_holds_nobody_up_for_long,
    without_a_time_nothing_is_kept,
    loads_belong_to_the_request_that_began_them,
    keys_may_be_anything,
];

async fn what_is_loaded_is_kept_for_all_processes(caches: Caches) {
    let source = Source::open();
    for cache in [&caches.first, &caches.first, &caches.second, &caches.second] {
        assert_eq!(source.fetch(cache, "1").await, 1);
    }
    assert_eq!(source.fetch(&caches.first, "2").await, 2);
    assert_eq!((caches.metric("cache_hits_total"), caches.metric("cache_misses_total")), (3, 2));
}

async fn failures_are_shared_and_not_kept(caches: Caches) {
    let gate = Source::shut();
    let policy = Policy::fresh_for(LONG);
    let failing = || {
        let load = gate.load();
        caches.first.fetch::<u64, String>("Q", "1", &policy, async move { Err(format!("no {}", load.await?)) })
    };
    let callers = join_all((0..50).map(|_| failing()));
    let (results, ()) = tokio::join!(callers, async {
        gate.begun(1).await;
        gate.let_through();
    });
    let failed = results.iter().filter(|result| result.is_err()).count();
    assert_eq!(failed, 50);
    assert!(gate.loads() < 50, "{} loads for 50 callers", gate.loads());
    let source = Source::open();
    assert_eq!(source.fetch(&caches.first, "1").await, 1);
}

async fn many_callers_load_once(caches: Caches) {
    let source = Source::shut();
    let callers = join_all((0..1_000).map(|_| source.fetch(&caches.first, "1")));
    let (values, ()) = tokio::join!(callers, async {
        source.begun(1).await;
        source.let_through();
    });
    assert!(values.iter().all(|value| *value == 1));
    assert_eq!(source.loads(), 1);
}

async fn many_callers_in_two_processes_load_once(caches: Caches) {
    let source = Source::shut();
    let callers = join_all((0..200).map(|at| source.fetch(caches.both()[at % 2], "1")));
    let (values, ()) = tokio::join!(callers, async {
        source.begun(1).await;
        source.let_through();
    });
    assert!(values.iter().all(|value| *value == 1), "{values:?}");
    assert_eq!(source.loads(), 1);
}

async fn what_has_ended_is_loaded_again(caches: Caches) {
    let source = Source::open();
    let policy = Policy::fresh_for(Duration::from_millis(40));
    let fetch = |cache: Cache| {
        let (policy, load) = (policy.clone(), source.load());
        async move { cache.fetch("Q", "1", &policy, load).await.unwrap() }
    };
    assert_eq!(fetch(caches.first.clone()).await, 1);
    let time = until("it ends", async || fetch(caches.second.clone()).await == 2).await;
    assert!(time >= Duration::from_millis(20), "{time:?}");
}

async fn stale_values_are_given_while_a_fresh_one_is_loaded(caches: Caches) {
    let source = Source::open();
    let policy = Policy::fresh_for(Duration::from_millis(30)).stale_for(LONG);
    let fetch = async |cache: &Cache| cache.fetch("Q", "1", &policy, source.load()).await.unwrap();
    assert_eq!(fetch(&caches.first).await, 1);
    source.hold_back();
    // nobody waits, though the second load does not end
    until("it is stale", async || {
        assert_eq!(fetch(&caches.first).await, 1);
        source.loads() == 2
    })
    .await;
    for cache in caches.both() {
        assert_eq!(fetch(cache).await, 1);
    }
    source.let_through();
    until("the fresh one is there", async || fetch(&caches.second).await >= 2).await;
    assert_eq!(caches.metric("cache_misses_total"), 1);
}

async fn a_failed_refresh_leaves_the_stale_value(caches: Caches) {
    let policy = Policy::fresh_for(Duration::from_millis(20)).stale_for(LONG);
    let source = Source::open();
    assert_eq!(caches.first.fetch("Q", "1", &policy, source.load()).await, Ok(1));
    until("it is refreshed in vain", async || {
        let load = source.load();
        let failing = async move { Err(format!("no {}", load.await?)) };
        assert_eq!(caches.first.fetch("Q", "1", &policy, failing).await, Ok(1));
        source.loads() >= 3
    })
    .await;
}

async fn only_what_is_named_is_forgotten(caches: Caches) {
    let tagged = |tags: &[&str]| tags.iter().fold(Policy::fresh_for(LONG), |policy, tag| policy.tagged(*tag));
    let kept = [("A", "1", tagged(&["x"])), ("A", "2", tagged(&["x", "y"])), ("B", "1", tagged(&["y"]))];
    let loaded = async |cache: &Cache| {
        let mut loaded = Vec::new();
        for (kind, key, policy) in &kept {
            let source = Source::open();
            cache.fetch(kind, key, policy, source.load()).await.unwrap();
            loaded.push(source.loads());
        }
        loaded
    };
    let (first, second) = (&caches.first, &caches.second);
    assert_eq!(loaded(first).await, [1, 1, 1]);
    assert_eq!(loaded(second).await, [0, 0, 0]);
    first.invalidate("A", "1").await;
    assert_eq!(loaded(second).await, [1, 0, 0]);
    first.invalidate_tag("y").await;
    assert_eq!(loaded(second).await, [0, 1, 1]);
    second.invalidate_tag("x").await;
    assert_eq!(loaded(first).await, [1, 1, 0]);
    second.invalidate_type("B").await;
    assert_eq!(loaded(first).await, [0, 0, 1]);
    second.invalidate_all().await;
    assert_eq!(loaded(first).await, [1, 1, 1]);
    first.invalidate_tag("unknown").await;
    first.invalidate("A", "unknown").await;
    assert_eq!(loaded(second).await, [0, 0, 0]);
}

async fn forget(cache: &Cache, way: usize) {
    match way {
        0 => cache.invalidate("Q", "1").await,
        1 => cache.invalidate_tag("t").await,
        2 => cache.invalidate_type("Q").await,
        _ => cache.invalidate_all().await,
    }
}

async fn what_is_forgotten_during_its_load_does_not_count(caches: Caches) {
    for way in 0..4 {
        let source = Source::shut();
        let early = source.fetch(&caches.first, "1");
        let late = async {
            source.begun(1).await;
            forget(&caches.first, way).await;
            source.let_through();
            source.fetch(&caches.first, "1").await
        };
        assert_eq!(tokio::join!(early, late), (1, 2), "{way}");
        assert_eq!(source.fetch(&caches.second, "1").await, 2, "{way}");
        forget(&caches.first, way).await;
    }
}

async fn another_process_may_forget_during_a_load(caches: Caches) {
    for way in 0..4 {
        let source = Source::shut();
        let early = source.fetch(&caches.first, "1");
        let other = async {
            source.begun(1).await;
            forget(&caches.second, way).await;
            source.let_through();
        };
        assert_eq!(tokio::join!(early, other), (1, ()), "{way}");
        assert_eq!(source.fetch(&caches.first, "1").await, 2, "{way}");
        assert_eq!(source.fetch(&caches.second, "1").await, 2, "{way}");
        forget(&caches.first, way).await;
    }
}

async fn a_caller_who_leaves_does_not_stop_the_load(caches: Caches) {
    let source = Source::shut();
    tokio::select! {
        _ = source.fetch(&caches.first, "1") => panic!("it cannot end"),
        () = source.begun(1) => {}
    }
    source.let_through();
    assert_eq!(source.fetch(&caches.second, "1").await, 1);
    assert_eq!(source.loads(), 1);
}

async fn a_panic_reaches_one_caller_and_the_others_try_again(caches: Caches) {
    let source = Source::shut();
    let cache = caches.first.clone();
    let gate = source.load();
    let unlucky = tokio::spawn(async move {
        let load = async move {
            gate.await?;
            panic!("as planned")
        };
        cache.fetch::<u64, String>("Q", "1", &Policy::fresh_for(LONG).tagged("t"), load).await
    });
    source.begun(1).await;
    let others = join_all((0..20).map(|_| source.fetch(&caches.first, "1")));
    let (values, ()) = tokio::join!(others, async { source.let_through() });
    assert!(unlucky.await.unwrap_err().is_panic());
    assert_eq!(values, [2; 20]);
}

async fn values_of_another_type_are_loaded(caches: Caches) {
    let policy = Policy::fresh_for(LONG);
    let source = Source::open();
    assert_eq!(caches.first.fetch("Q", "1", &policy, source.load()).await, Ok(1));
    let text = caches.first.fetch("Q", "1", &policy, async { Ok::<_, String>("one".to_owned()) }).await;
    assert_eq!(text.as_deref(), Ok("one"));

    // and while they are being loaded
    let source = Source::shut();
    let number = caches.first.fetch("Q", "2", &policy, source.load());
    let text = async {
        source.begun(1).await;
        let text = caches.first.fetch("Q", "2", &policy, async { Ok::<_, String>("two".to_owned()) });
        tokio::join!(text, async { source.let_through() }).0
    };
    let (number, text) = tokio::join!(number, text);
    assert_eq!((number, text.as_deref()), (Ok(1), Ok("two")));
}

async fn a_process_that_dies_while_loading_holds_nobody_up_for_long(caches: Caches) {
    let process = Runtime::new().unwrap();
    let (dead, source) = (Source::shut(), Source::open());
    let (cache, never) = (caches.second.clone(), dead.clone());
    process.spawn(async move { never.fetch(&cache, "1").await });
    dead.begun(1).await;
    process.shutdown_background();

    let begun = std::time::Instant::now();
    source.fetch(&caches.first, "1").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    until("it is kept again", async || {
        let before = source.loads();
        source.fetch(&caches.first, "1").await;
        source.loads() == before
    })
    .await;
}

async fn without_a_time_nothing_is_kept(caches: Caches) {
    let source = Source::shut();
    let policy = Policy::default();
    let fetch = async || caches.first.fetch("Q", "1", &policy, source.load()).await.unwrap();
    let callers = join_all((0..20).map(|_| fetch()));
    let (values, ()) = tokio::join!(callers, async {
        source.begun(1).await;
        source.let_through();
    });
    assert_eq!(values, [1; 20]);
    assert_eq!(fetch().await, 2);
}

async fn loads_belong_to_the_request_that_began_them(caches: Caches) {
    let flow = Arc::new(Flow::begin(ids::random));
    let expected = flow.correlation_id.clone();
    let load = async { Ok::<_, String>(Flow::current().map(|flow| flow.correlation_id.clone())) };
    let found = flow.scope(caches.first.fetch("Q", "1", &Policy::fresh_for(LONG), load)).await;
    assert_eq!(found, Ok(Some(expected)));
}

async fn keys_may_be_anything(caches: Caches) {
    let long = "x".repeat(10_000);
    let keys = ["", " ", "\r\n", "a:b", "*", "\u{0}", "ä", "{a}", &long, &long[1..]];
    let source = Source::open();
    for (at, key) in (1..).zip(keys) {
        for cache in caches.both() {
            assert_eq!(source.fetch(cache, key).await, at, "{key:?}");
        }
    }
}
