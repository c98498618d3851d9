//! Aggregates: asked for decisions with nothing running, and loaded from the store in a service.

use std::future::IntoFuture as _;

use banyan_sdk::{
    Aggregate, Command, Context, Event, Fault, FaultCode, Outcome, Service,
    schemars::{self, JsonSchema},
    store::{Json, Recorded},
    testing::{Scenario, TestService},
};
use serde::{Deserialize, Serialize};

/// An account was opened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Account")]
struct Opened {
    id: String,
}

/// Money came.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Account")]
struct Deposited {
    id: String,
    amount: u32,
}

/// Money went.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(aggregate = "Account")]
struct Withdrawn {
    id: String,
    amount: u32,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    id: String,
    balance: u32,
}

impl Aggregate for Account {
    const TYPE: &'static str = "Account";
    const SNAPSHOT_EVERY: u32 = 3;

    fn apply(&mut self, event: &Recorded) -> Result<(), serde_json::Error> {
        match event.event_type.as_str() {
            Opened::EVENT_TYPE => self.id = event.data.read::<Opened>()?.id,
            Deposited::EVENT_TYPE => self.balance += event.data.read::<Deposited>()?.amount,
            Withdrawn::EVENT_TYPE => self.balance -= event.data.read::<Withdrawn>()?.amount,
            _ => {}
        }
        Ok(())
    }

    fn save(&self) -> Option<Json> {
        Json::write(self).ok()
    }

    fn restore(state: &Json) -> Result<Self, serde_json::Error> {
        state.read()
    }
}

impl Account {
    fn withdraw(&self, amount: u32) -> Result<Outcome<u32>, Fault> {
        let left = self.balance.checked_sub(amount).ok_or_else(|| Fault::rule("not enough money"))?;
        Ok(Outcome::reply(left).emit(Withdrawn { id: self.id.clone(), amount }))
    }
}

fn a1() -> Scenario<Account> {
    let id = || "a1".to_owned();
    Scenario::<Account>::new("a1").given(Opened { id: id() }).given(Deposited { id: id(), amount: 10 })
}

#[test]
fn a_decision_is_checked_without_a_platform() {
    assert_eq!(a1().state().balance, 10);
    let withdrawn = Withdrawn { id: "a1".to_owned(), amount: 7 };
    a1().when(|account| account.withdraw(7)).replies(3).emits(withdrawn).emits_no_more();
    let fault = a1().when(|account| account.withdraw(11)).refuses(FaultCode::BusinessRule);
    assert_eq!(fault.message, "not enough money");
}

/// What `check` panics with.
fn complaint(check: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(check).expect_err("it complains");
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).unwrap()
}

#[test]
fn what_is_not_as_expected_is_told() {
    let decided = || a1().when(|account| account.withdraw(7));
    let other = Withdrawn { id: "a1".to_owned(), amount: 8 };
    assert!(complaint(|| drop(decided().emits(other))).contains("says something else"));
    let opened = Opened { id: "a1".to_owned() };
    assert!(complaint(|| drop(decided().emits(opened))).contains("another event"));
    assert!(complaint(|| drop(decided().emits_no_more())).contains(r#"["Withdrawn"]"#));
    assert!(complaint(|| drop(decided().replies(4))).contains("another answer"));
    assert!(complaint(|| drop(decided().refuses(FaultCode::BusinessRule))).contains("it was accepted"));
    let refused = || a1().when(|account| account.withdraw(11));
    assert!(complaint(|| drop(refused().replies(0))).contains("not enough money"));
    assert!(complaint(|| drop(refused().refuses(FaultCode::NotFound))).contains("refused with"));
}

/// Takes money out.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct Withdraw {
    id: String,
    amount: u32,
}

/// Puts money in.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, public)]
struct Deposit {
    id: String,
    amount: u32,
}

async fn withdraw(cx: Context<()>, command: Withdraw) -> Result<Outcome<u32>, Fault> {
    let account = cx.load::<Account>(command.id.as_str()).await?.existing()?;
    let left = account.state.balance.checked_sub(command.amount).ok_or_else(|| Fault::rule("not enough money"))?;
    let withdrawn = Withdrawn { id: command.id, amount: command.amount };
    // Others come in between.
    tokio::task::yield_now().await;
    Ok(account.emit(Outcome::reply(left), withdrawn))
}

async fn deposit(cx: Context<()>, command: Deposit) -> Result<Outcome<u32>, Fault> {
    let Deposit { id, amount } = command;
    let account = cx.load::<Account>(id.as_str()).await?;
    let outcome = Outcome::reply(account.state.balance + amount);
    let outcome = if account.exists() { outcome } else { account.emit(outcome, Opened { id: id.clone() }) };
    Ok(account.emit(outcome, Deposited { id, amount }))
}

#[tokio::test]
async fn an_aggregate_is_loaded_decided_on_and_guarded() {
    let test = TestService::start(Service::new("bank", ()).command(withdraw).command(deposit)).await.unwrap();
    let id = || "a1".to_owned();
    let fault = test.call(Withdraw { id: id(), amount: 1 }).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::AggregateNotFound);
    for (number, balance) in (1..=10).zip((100..).step_by(100)) {
        assert_eq!(test.call(Deposit { id: id(), amount: 100 }).await.unwrap(), balance, "{number}");
    }
    let stream = banyan_sdk::store::Stream::new("Account", "a1");
    let snapshot = test.store().snapshot(&stream, u32::MAX).await.unwrap().unwrap();
    assert!(snapshot.version >= 9, "it is loaded from version {} on", snapshot.version);
    assert_eq!(test.call(Withdraw { id: id(), amount: 1001 }).await.unwrap_err().code, FaultCode::BusinessRule);

    // All of them decide on the same state; one is first, and the others are told.
    let calls = (0..20).map(|_| test.call(Withdraw { id: id(), amount: 600 }).into_future());
    let ends = futures_util::future::join_all(calls).await;
    assert_eq!(ends.iter().filter(|end| **end == Ok(400)).count(), 1, "{ends:?}");
    let refused = |fault: &Fault| matches!(fault.code, FaultCode::Concurrency | FaultCode::BusinessRule);
    assert!(ends.iter().flat_map(|end| end.as_ref().err()).all(refused), "{ends:?}");
    assert_eq!(test.call(Withdraw { id: id(), amount: 400 }).await.unwrap(), 0);
}
