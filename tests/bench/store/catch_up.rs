//! E5: a projection that catches up, against reading the same pages and doing nothing.

use std::{collections::HashMap, time::Instant};

use banyan_sdk::{
    projection::{Document, Projection, Runner},
    store::{Filter, Json, Recorded, Refusal, Tx},
};
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::{
    Options, Report, Result,
    database::{self, Database, Server},
    import, load,
    report::Level,
};

/// How many events are read and taken in at once.
const PAGE: i64 = 1_000;

pub async fn measure(options: &Options, server: &Server, report: &mut Report) -> Result<()> {
    let database = server.database().await?;
    let store = database::store(&database.url).await?;
    import::fill(&store, options.projected).await?;
    database.run("vacuum analyze events").await?;
    database.run("checkpoint").await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        theirs.push(read(&database).await?);
        let name = format!("orders{round}");
        let runner = Runner::new(store.clone(), Orders { name: name.clone() }).with_batch(PAGE as usize);
        let began = Instant::now();
        if !runner.catch_up().await? {
            return Err("somebody else is at the projection".into());
        }
        ours.push(options.projected as f64 / began.elapsed().as_secs_f64());
        let counted = format!(
            "select sum((data ->> 'count')::bigint)::bigint from projections where projection_name = '{name}'
                and id like 'type %'"
        );
        let orders = format!("select count(*) from projections where projection_name = '{name}' and id like 'order %'");
        let aggregates = database.number("select count(distinct aggregate_id) from events").await?;
        if database.number(&counted).await? != database.number("select count(*) from events").await?
            || database.number(&orders).await? != aggregates
        {
            report.invalid(format!("E5: the projection of round {round} is wrong"));
        }
    }
    store.close().await;
    report.condition(
        "E5",
        format!(
            "{} events in pages of {PAGE}, aggregates of {} events; a document for each aggregate and each type of event",
            options.projected,
            load::LENGTH
        ),
    );
    report.ratio("E5 projection, against reading alone", "/s", &ours, &theirs, Level::at_least(0.15).goal(0.5));
    Ok(())
}

/// Events per second of one connection that reads all pages.
async fn read(database: &Database) -> Result<f64> {
    let mut connection = database.connect().await?;
    let (mut after, began) = (0, Instant::now());
    loop {
        let rows = sqlx::query(
            "select position, event_id, service, aggregate_type, aggregate_id, version, event_type, event_version,
                event_data, metadata, occurred_at, correlation_id, causation_id from events
                where position > $1 order by position limit $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut connection)
        .await?;
        if rows.is_empty() {
            return Ok(after as f64 / began.elapsed().as_secs_f64());
        }
        after += rows.len() as i64;
    }
}

/// How many events of each type there are, and what each order has come to.
struct Orders {
    name: String,
}

impl Projection for Orders {
    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> Filter {
        Filter::default()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let mut documents = HashMap::new();
            let mut counts = HashMap::<_, u64>::new();
            for event in events {
                *counts.entry(event.event_type.as_str()).or_default() += 1;
                let data = json!({ "last": event.event_type, "events": event.version });
                let id = format!("order {}", event.stream.aggregate_id);
                documents.insert(id.clone(), Document { id, data: data.into(), version: event.version });
            }
            let ids: Vec<_> = counts.keys().map(|event_type| format!("type {event_type}")).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let before = tx.documents(&self.name, generation, &ids).await?;
            for (event_type, count) in counts {
                let id = format!("type {event_type}");
                let old = before.get(&id).map(|document| document.data.read::<HashMap<String, u64>>()).transpose()?;
                let count = count + old.and_then(|old| old.get("count").copied()).unwrap_or(0);
                let data = Json::from(json!({ "count": count }));
                documents.insert(id.clone(), Document { id, data, version: 1 });
            }
            Ok(tx.store_documents(&self.name, generation, documents.into_values().collect()).await?)
        })
    }
}
