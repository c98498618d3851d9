//! What every instance hears, and what goes on beside the handlers.

use std::sync::Arc;

use banyan_sdk::{
    Context, Event, Fault, Outcome, Service,
    bus::Bus,
    protocol::names,
    schemars::{self, JsonSchema},
    testing::TestService,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::support::{Log, service};

/// It rained.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
struct Rained {
    millimetres: u32,
}

/// It was counted.
#[derive(Serialize, Deserialize, JsonSchema, Event)]
struct Counted {
    rounds: u32,
}

#[tokio::test]
async fn every_instance_hears_and_one_handles() {
    let log = Arc::new(Log::default());
    let gauge = || {
        Service::new("gauge", Arc::clone(&log))
            .event(async |cx: Context<Arc<Log>>, it: Rained| {
                cx.state.note(format!("handled {}", it.millimetres));
                Ok::<_, Fault>(())
            })
            .listen(async |cx: Context<Arc<Log>>, it: Rained| {
                cx.state.note(format!("heard {}", it.millimetres));
                if it.millimetres == 13 { Err(Fault::unavailable("not now")) } else { Ok(()) }
            })
    };
    let one = TestService::start(gauge()).await.unwrap();
    let _other = TestService::start_on(one.broker(), gauge()).await.unwrap();
    one.publish(&Rained { millimetres: 7 }).await.unwrap();
    log.until(3).await;
    one.publish(&Rained { millimetres: 13 }).await.unwrap();
    log.until(6).await;
    one.publish(&Rained { millimetres: 8 }).await.unwrap();
    log.until(9).await;
    for millimetres in [7, 8, 13] {
        let times = (log.count(&format!("handled {millimetres}")), log.count(&format!("heard {millimetres}")));
        assert_eq!(times, (1, 2), "{millimetres}: a listener that fails does not hear it again");
    }
    let bus = one.broker().connect();
    let queue = names::event_queue(&service("gauge"), Rained::EVENT_TYPE);
    let dead = bus.inspect(&names::dead_letter_queue(&queue)).await.unwrap();
    assert_eq!(dead.map(|it| it.messages), Some(0));
}

#[tokio::test]
async fn work_goes_on_beside_the_handlers_until_the_end() {
    struct State {
        log: Log,
        go_on: Notify,
    }
    impl Drop for State {
        fn drop(&mut self) {
            self.log.note("dropped");
        }
    }
    let state = Arc::new(State { log: Log::default(), go_on: Notify::new() });
    let counter = Service::new("counter", Arc::clone(&state)).beside(async |cx: Context<Arc<State>>| {
        for rounds in 1.. {
            cx.state.go_on.notified().await;
            let cx = cx.anew();
            cx.state.log.note(format!("{} {}", cx.correlation_id(), cx.user().unwrap().user_id));
            cx.commit(Outcome::done().emit(Counted { rounds })).await.unwrap();
        }
    });
    let broken = counter.beside(async |_: Context<Arc<State>>| panic!("for a test"));
    let test = TestService::start(broken).await.unwrap();
    for round in 1..=2 {
        state.go_on.notify_one();
        let published = |it: &banyan_sdk::protocol::Envelope| {
            let counted: Option<Counted> = (it.message_type == Counted::EVENT_TYPE).then(|| it.payload.read().ok())?;
            (counted?.rounds == round).then(|| it.correlation_id.clone())
        };
        let correlation_id = test.published(published).await;
        let lines = state.log.lines();
        assert_eq!(lines.last(), Some(&format!("{correlation_id} service:counter")));
    }
    assert_ne!(state.log.lines()[0], state.log.lines()[1], "each round is a request of its own");
    assert_eq!(test.events().await.unwrap().len(), 2, "and what follows from it is stored");
    assert!(test.stop().await, "work without an end does not keep a service from stopping");
}
