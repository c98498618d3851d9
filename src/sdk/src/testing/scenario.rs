//! Aggregates without a platform: given these events, when that is asked, then this happens.

use std::{fmt::Debug, time::SystemTime};

use serde_json::Value;

use crate::{
    Aggregate, Fault, FaultCode, Outcome,
    protocol::{Event, Payload},
    store::{Json, Position, Recorded, Stream},
};

/// An aggregate with a past.
///
/// ```
/// use banyan_sdk::schemars::{self, JsonSchema};
/// use banyan_sdk::store::Recorded;
/// use banyan_sdk::testing::Scenario;
/// use banyan_sdk::{Aggregate, Event, Fault, FaultCode, Outcome};
/// use serde::{Deserialize, Serialize};
///
/// /// Money came in.
/// #[derive(Serialize, Deserialize, JsonSchema, Event)]
/// #[event(aggregate = "Account", id = "id")]
/// struct Deposited { id: String, amount: u32 }
///
/// /// Money went out.
/// #[derive(Serialize, Deserialize, JsonSchema, Event)]
/// #[event(aggregate = "Account", id = "id")]
/// struct Withdrawn { id: String, amount: u32 }
///
/// #[derive(Default)]
/// struct Account { balance: u32 }
///
/// impl Aggregate for Account {
///     const TYPE: &'static str = "Account";
///
///     fn apply(&mut self, event: &Recorded) -> Result<(), serde_json::Error> {
///         match event.event_type.as_str() {
///             Deposited::EVENT_TYPE => self.balance += event.data.read::<Deposited>()?.amount,
///             Withdrawn::EVENT_TYPE => self.balance -= event.data.read::<Withdrawn>()?.amount,
///             _ => {}
///         }
///         Ok(())
///     }
/// }
///
/// impl Account {
///     fn withdraw(&self, id: &str, amount: u32) -> Result<Outcome<()>, Fault> {
///         if amount > self.balance {
///             return Err(Fault::rule("there is not enough money"));
///         }
///         Ok(Outcome::done().emit(Withdrawn { id: id.to_owned(), amount }))
///     }
/// }
///
/// let account = || Scenario::<Account>::new("a1").given(Deposited { id: "a1".to_owned(), amount: 10 });
/// account().when(|it| it.withdraw("a1", 7)).emits(Withdrawn { id: "a1".to_owned(), amount: 7 }).emits_no_more();
/// account().when(|it| it.withdraw("a1", 11)).refuses(FaultCode::BusinessRule);
/// ```
pub struct Scenario<A> {
    id: String,
    version: u32,
    state: A,
}

/// What an aggregate decided.
pub struct Decided<R> {
    result: Result<Outcome<R>, Fault>,
    seen: usize,
}

impl<A: Aggregate> Scenario<A> {
    /// An aggregate without a past.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), version: 0, state: A::default() }
    }

    /// The same after one more event.
    ///
    /// # Panics
    /// When the aggregate cannot apply it.
    #[must_use]
    pub fn given<E: Event>(mut self, event: E) -> Self {
        self.version += 1;
        let recorded = Recorded {
            position: Position(i64::from(self.version)),
            id: crate::ids::event(),
            service: E::SERVICE.unwrap_or("test").to_owned(),
            stream: Stream::new(A::TYPE, self.id.as_str()),
            version: self.version,
            event_type: E::EVENT_TYPE.to_owned(),
            event_version: E::VERSION,
            data: Json::write(&event).expect("an event can be written as JSON"),
            metadata: serde_json::json!({}).into(),
            occurred_at: SystemTime::now(),
            correlation_id: None,
            causation_id: None,
        };
        if let Err(error) = self.state.apply(&recorded) {
            panic!("{} {} cannot apply {}: {error}", A::TYPE, self.id, E::EVENT_TYPE);
        }
        self
    }

    /// The state that follows from the past.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// Asks for a decision.
    pub fn when<R>(self, decide: impl FnOnce(&A) -> Result<Outcome<R>, Fault>) -> Decided<R> {
        Decided { result: decide(&self.state), seen: 0 }
    }
}

impl<R> Decided<R> {
    /// Expects `event` as the next one that was emitted.
    ///
    /// # Panics
    /// When it is another one, or none.
    #[track_caller]
    pub fn emits<E: Event>(mut self, event: E) -> Self {
        let outcome = self.outcome();
        let Some(next) = outcome.changes.events.get(self.seen) else {
            panic!("expected {} and no more events were emitted", E::EVENT_TYPE)
        };
        assert_eq!(next.event_type, E::EVENT_TYPE, "another event was emitted");
        let emitted = next.data.as_ref().map(Payload::text).map_err(ToString::to_string);
        let emitted: Value = emitted
            .and_then(|text| serde_json::from_str(text).map_err(|e| e.to_string()))
            .unwrap_or_else(|error| panic!("the emitted {} cannot be written: {error}", E::EVENT_TYPE));
        let expected = serde_json::to_value(&event).expect("an event can be written as JSON");
        assert_eq!(emitted, expected, "the emitted {} says something else", E::EVENT_TYPE);
        self.seen += 1;
        self
    }

    /// Expects no events beyond those that were expected so far.
    ///
    /// # Panics
    /// When there are more.
    #[track_caller]
    pub fn emits_no_more(self) -> Self {
        let types: Vec<_> = self.outcome().changes.events.iter().skip(self.seen).map(|it| it.event_type).collect();
        assert!(types.is_empty(), "more events were emitted: {types:?}");
        self
    }

    /// Expects this answer.
    ///
    /// # Panics
    /// When it is another one, or a fault.
    #[track_caller]
    pub fn replies(self, expected: R) -> Self
    where
        R: PartialEq + Debug,
    {
        assert_eq!(self.outcome().reply, expected, "another answer was given");
        self
    }

    /// Expects a refusal with this code, and gives it.
    ///
    /// # Panics
    /// When there is none, or another one.
    #[track_caller]
    pub fn refuses(self, code: FaultCode) -> Fault {
        match self.result {
            Err(fault) if fault.code == code => fault,
            Err(fault) => panic!("expected {code}, refused with {fault}"),
            Ok(_) => panic!("expected {code}, and it was accepted"),
        }
    }

    #[track_caller]
    fn outcome(&self) -> &Outcome<R> {
        match &self.result {
            Ok(outcome) => outcome,
            Err(fault) => panic!("expected an outcome, refused with {fault}"),
        }
    }
}
