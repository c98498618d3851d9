//! A projection into the table of read models, told as what each event does to a document.

use std::collections::{HashMap, HashSet};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Projection, documents::Document};
use crate::store::{Filter, Json, Recorded, Refusal, Tx};

type Fold = Box<dyn Fn(&mut Fields, &Recorded) -> Result<(), Refusal> + Send + Sync>;
type Key = Box<dyn Fn(&Recorded) -> Option<String> + Send + Sync>;

/// What a document says, while events are taken in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    /// The fields.
    pub fields: Map<String, Value>,
    removed: bool,
}

impl Fields {
    /// Puts `value` into `field`.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Removes the document; an event that follows begins a new one.
    pub fn remove(&mut self) {
        self.removed = true;
    }
}

/// A read model: one document for each id, made of the events that concern it.
pub struct ReadModel {
    name: String,
    // An event may do several things, to several documents.
    folds: HashMap<String, Vec<(Key, Fold)>>,
}

impl ReadModel {
    /// A read model that wants no events yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), folds: HashMap::new() }
    }

    /// The same, where an event `event_type` also does `fold` to the document of its aggregate.
    pub fn on(
        self,
        event_type: impl Into<String>,
        fold: impl Fn(&mut Fields, &Recorded) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.on_by(event_type, |event| Some(event.stream.aggregate_id.clone()), fold)
    }

    /// The same, where an event `event_type` also does `fold` to the document that `key` names, if it names one.
    pub fn on_by(
        mut self,
        event_type: impl Into<String>,
        key: impl Fn(&Recorded) -> Option<String> + Send + Sync + 'static,
        fold: impl Fn(&mut Fields, &Recorded) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.folds.entry(event_type.into()).or_default().push((Box::new(key), Box::new(fold)));
        self
    }

    /// The same, where an event `event_type` also sets fields of its aggregate's document to fields of its own: pairs of
    /// the document's field and the event's. `id` is the aggregate's id when the event has no such field.
    pub fn copy<'a>(self, event_type: impl Into<String>, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fields: Vec<_> = fields.into_iter().map(|(to, from)| (to.to_owned(), from.to_owned())).collect();
        self.on(event_type, move |document, event| {
            let mut data: Map<String, Value> = event.data.read()?;
            for (to, from) in &fields {
                let id = || (from == "id").then(|| event.stream.aggregate_id.clone().into());
                if let Some(value) = data.get_mut(from).map(Value::take).or_else(id) {
                    document.set(to, value);
                }
            }
            Ok(())
        })
    }

    /// Removes the document of its aggregate when `event_type` happens.
    pub fn remove_on(self, event_type: impl Into<String>) -> Self {
        self.on(event_type, |document, _| {
            document.remove();
            Ok(())
        })
    }

    async fn take_in(&self, tx: &mut Tx<'_>, generation: i32, events: &[Recorded]) -> Result<(), Refusal> {
        let mut work = Vec::new();
        for event in events {
            for (key, fold) in self.folds.get(&event.event_type).into_iter().flatten() {
                work.extend(key(event).map(|id| (id, event, fold)));
            }
        }
        let ids: HashSet<&str> = work.iter().map(|(id, _, _)| id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let stored = tx.documents(&self.name, generation, &ids).await?;
        let mut open: HashMap<&str, (Option<Fields>, u32)> = HashMap::with_capacity(ids.len());
        for (id, document) in &stored {
            let fields = Fields { fields: document.data.read()?, removed: false };
            open.insert(id, (Some(fields), document.version));
        }
        for (id, event, fold) in &work {
            let (fields, version) = open.entry(id).or_default();
            let changed = fields.get_or_insert_default();
            fold(changed, event)?;
            *version += 1;
            if changed.removed {
                (*fields, *version) = (None, 0);
            }
        }
        let (kept, gone): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, (fields, _))| fields.is_some());
        let gone: Vec<&str> = gone.into_iter().map(|(id, _)| id).filter(|id| stored.contains_key(*id)).collect();
        if !gone.is_empty() {
            tx.remove_documents(&self.name, generation, &gone).await?;
        }
        let kept = kept.into_iter().map(|(id, (fields, version))| {
            let data = Json::write(&fields.map(|it| it.fields))?;
            Ok(Document { id: id.to_owned(), data, version })
        });
        let kept = kept.collect::<Result<Vec<_>, serde_json::Error>>()?;
        if !kept.is_empty() {
            tx.store_documents(&self.name, generation, kept).await?;
        }
        Ok(())
    }
}

impl Projection for ReadModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> Filter {
        Filter::types(self.folds.keys())
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.take_in(tx, generation, events))
    }
}
