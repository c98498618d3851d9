//! The cursor against a recount: appends, steps of two runners, rebuilds and failures in any order.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::{
    dice::{Dice, rounds},
    projection::{Document, rebuild::rebuild},
    store::{Append, Expected, NewEvent, Recorded, Stream},
};

const NAME: &str = "noted";
const TYPES: [&str; 4] = ["Placed", "Paid", "Sent", "Lost"];
const SERVICES: [&str; 2] = ["orders", "payments"];

/// Notes the position of each event that it takes in, in a document for each stream.
struct Noted {
    filter: Filter,
    /// Decides what fails; nothing any more once they are taken away.
    trouble: Mutex<Option<Dice>>,
}

impl Noted {
    fn fails(&self) -> Result<(), Refusal> {
        let fails = self.trouble.lock().unwrap().as_mut().is_some_and(|dice| dice.once_in(5));
        if fails { Err("as planned".into()) } else { Ok(()) }
    }
}

impl Projection for Noted {
    fn name(&self) -> &str {
        NAME
    }

    fn filter(&self) -> Filter {
        self.filter.clone()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.fails()?;
            for event in events {
                let id = &event.stream.aggregate_id;
                let known = tx.documents(NAME, generation, &[id]).await?.remove(id);
                let mut noted: Vec<i64> = known.map_or(Ok(Vec::new()), |document| document.data.read())?;
                noted.push(event.position.0);
                let version = u32::try_from(noted.len())?;
                let document = Document { id: id.clone(), data: json!(noted).into(), version };
                tx.store_documents(NAME, generation, vec![document]).await?;
            }
            // The effect is there, and the position is not.
            self.fails()
        })
    }
}

fn filter(dice: &mut Dice) -> Filter {
    let mut filter = Filter::types(TYPES.iter().filter(|_| dice.once_in(2)).copied());
    filter.service = dice.once_in(2).then(|| (dice.pick(&SERVICES)).to_owned());
    filter
}

async fn append(store: &EventStore, dice: &mut Dice) {
    let events = (0..=dice.below(4)).map(|_| NewEvent::new(dice.pick(&TYPES), json!({}).into())).collect();
    let stream = Stream::new("Order", dice.below(3).to_string());
    store.append(Append::new(dice.pick(&SERVICES), stream, Expected::Any, events)).await.unwrap();
}

fn memory(store: &EventStore) -> &Memory {
    match store.kind() {
        Kind::Memory(memory) => memory,
        Kind::Postgres(_) => unreachable!("these stores are kept in memory"),
    }
}

/// What the projection says up to its checkpoints, and what the events say up to there.
async fn both(store: &EventStore, filter: &Filter) -> [Vec<(i32, String, Value)>; 2] {
    let tables = memory(store).tables().await.projections.clone();
    let said = tables.documents.iter().map(|((_, generation, id), it)| (*generation, id.clone(), it.data.read()));
    let said = said.map(|(generation, id, positions)| (generation, id, positions.unwrap())).collect();
    let mut there = Vec::new();
    for checkpoint in tables.live.values().chain(tables.rebuilds.values()) {
        for id in 0..3 {
            let stream = Stream::new("Order", id.to_string());
            let events = store.load(&stream, 1, crate::store::Until::Now).await.unwrap();
            let wanted = events.iter().filter(|it| filter.wants(it) && it.position <= checkpoint.position);
            let positions: Vec<_> = wanted.map(|event| event.position.0).collect();
            if !positions.is_empty() {
                there.push((checkpoint.generation, id.to_string(), json!(positions)));
            }
        }
    }
    [said, there]
}

async fn begin(store: &EventStore) {
    let new = Checkpoint { position: Position::START, generation: 1 };
    memory(store).tables().await.projections.live.insert(NAME.to_owned(), new);
}

/// At any moment each event up to the checkpoint counts once, and none behind it does.
#[tokio::test]
async fn whatever_happens_the_effect_is_that_of_the_events_up_to_the_position() {
    let (mut steps, mut failed, mut rebuilt) = (0, 0, 0);
    for mut dice in rounds(100) {
        let store = EventStore::in_memory();
        begin(&store).await;
        let projection = Noted { filter: filter(&mut dice), trouble: Mutex::new(Some(dice.for_another())) };
        let mut runners: [Barren; 2] = [None; 2];
        for _ in 0..60 {
            match dice.below(10) {
                0..4 => append(&store, &mut dice).await,
                4 => match rebuild(&store, &projection, 1 + dice.below(9_usize)).await {
                    Ok(()) => rebuilt += 1,
                    Err(error) => assert!(matches!(error, StoreError::Failed { .. }), "{error}"),
                },
                _ => {
                    let barren = &mut runners[dice.below(2_usize)];
                    match step(&store, &projection, Target::Live, 1 + dice.below(9_usize), barren).await {
                        Ok(Step::ReadTo(_)) => steps += 1,
                        Ok(Step::Busy) => panic!("nobody else is at it"),
                        Err(_) => failed += 1,
                    }
                }
            }
            let [said, there] = both(&store, &projection.filter).await;
            assert_eq!(said, there);
        }
        projection.trouble.lock().unwrap().take();
        let head = store.head().await.unwrap();
        while step(&store, &projection, Target::Live, 1 + dice.below(9_usize), &mut runners[0]).await.unwrap()
            != Step::ReadTo(head)
        {}
        let live = memory(&store).tables().await.projections.live.get_mut(NAME).map(|live| live.position = head);
        assert!(live.is_some());
        // With the position at the end, so that what was read and not wanted counts as well.
        let [said, there] = both(&store, &projection.filter).await;
        assert_eq!(said, there);
    }
    println!("{steps} steps, {failed} failed, {rebuilt} rebuilt: lost 0, doubled 0");
    assert!(steps > 0 && failed > 0 && rebuilt > 0);
}

/// The planted bug: the effect is one transaction, and the position another one.
#[tokio::test]
async fn the_recount_sees_a_position_that_is_moved_apart() {
    let mut doubled = 0;
    for mut dice in rounds(10) {
        let store = EventStore::in_memory();
        begin(&store).await;
        let projection = Noted { filter: Filter::default(), trouble: Mutex::new(None) };
        for _ in 0..20 {
            append(&store, &mut dice).await;
            let position = memory(&store).tables().await.projections.live[NAME].position;
            let page = memory(&store).read(position, 5, &projection.filter).await;
            let effect = memory(&store)
                .transaction(async |tables| projection.apply(&mut Tx(Open::Memory(tables)), 1, &page.events).await);
            effect.await.unwrap();
            if dice.once_in(4) {
                continue; // killed in between
            }
            let moved = Checkpoint { position: page.read_to, generation: 1 };
            memory(&store).tables().await.projections.live.insert(NAME.to_owned(), moved);
        }
        let [said, there] = both(&store, &projection.filter).await;
        doubled += usize::from(said != there);
    }
    assert!(doubled > 0, "the same recount shows who moves it apart");
}
