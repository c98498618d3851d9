//! The event store without a database: the same answers, forgotten with the process.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard, watch};
use uuid::Uuid;

use super::{
    StoreError,
    companion::{Open, Tx},
    event::{Append, Appended, Filter, Page, Position, Recorded, Snapshot, Stream, Until},
    inbox::Handled,
};
use crate::projection::tables::Tables as Projections;

/// An event store that is kept in memory.
pub(crate) struct Memory {
    state: Mutex<State>,
    head: watch::Sender<Position>,
    refusal: watch::Sender<Option<String>>,
    /// One for each service whose outbox has been run.
    turns: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// The right to publish the events of a service.
pub(super) type Leader = OwnedMutexGuard<()>;

#[derive(Default)]
struct State {
    events: Vec<Recorded>,
    ids: HashSet<Uuid>,
    streams: HashMap<Stream, Vec<usize>>,
    tables: Tables,
}

/// Everything that is no event.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    pub(crate) snapshots: HashMap<Stream, Snapshot>,
    pub(crate) projections: Projections,
    pub(crate) handled: BTreeMap<(String, String), Handled>,
    pub(crate) outbox: HashMap<String, Position>,
    /// By service and position: why an event could not be published.
    pub(crate) refused: BTreeMap<(String, Position), String>,
    /// What the companions of an append store beside it.
    pub(super) appends: Vec<Append>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            head: watch::Sender::new(Position::START),
            refusal: watch::Sender::new(None),
            turns: Mutex::default(),
        }
    }

    pub(super) fn refusal(&self) -> watch::Receiver<Option<String>> {
        self.refusal.subscribe()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    pub(super) fn head(&self) -> Position {
        *self.head.borrow()
    }

    pub(super) async fn append(&self, mut append: Append) -> Result<Appended, StoreError> {
        let mut state = self.state.lock().await;
        state.check(&append)?;
        let companions = std::mem::take(&mut append.companions);
        let mut appends = vec![append];
        if !companions.is_empty() {
            let stream = appends[0].stream.clone();
            let refused = |source| StoreError::Companion { stream: stream.clone(), source };
            let mut tables = state.tables.clone();
            for companion in companions {
                companion.run(&mut Tx(Open::Memory(&mut tables))).await.map_err(refused)?;
            }
            for other in std::mem::take(&mut tables.appends) {
                state.check(&other).map_err(|error| refused(error.into()))?;
                appends.push(other);
            }
            state.tables = tables;
        }
        let appended: Vec<_> = appends.into_iter().map(|append| state.put(append)).collect();
        // While the lock is held, so that it never goes backwards.
        self.head.send_replace(Position(state.events.len() as i64));
        Ok(appended[0])
    }

    pub(super) async fn load(&self, stream: &Stream, from: u32, until: Until) -> Vec<Recorded> {
        let state = self.state.lock().await;
        let all = state.streams.get(stream).into_iter().flatten().map(|&at| &state.events[at]);
        let wanted = all.take_while(|event| match until {
            Until::Now => true,
            Until::Version(version) => event.version <= version,
            Until::Time(time) => event.occurred_at <= time,
        });
        wanted.filter(|event| event.version >= from).cloned().collect()
    }

    pub(crate) async fn read(&self, after: Position, limit: usize, filter: &Filter) -> Page {
        let state = self.state.lock().await;
        let from = usize::try_from(after.0).unwrap_or(0).min(state.events.len());
        let wanted = state.events[from..].iter().filter(|event| filter.wants(event));
        let events: Vec<_> = wanted.take(limit).cloned().collect();
        let read_to = match events.last() {
            Some(last) if events.len() == limit => last.position,
            _ => Position(state.events.len() as i64).max(after),
        };
        Page { events, read_to }
    }

    /// The tables, which stay as they are when `work` fails.
    pub(crate) async fn transaction<T, E>(&self, work: impl AsyncFnOnce(&mut Tables) -> Result<T, E>) -> Result<T, E> {
        let mut state = self.state.lock().await;
        let mut tables = state.tables.clone();
        let done = work(&mut tables).await?;
        state.tables = tables;
        Ok(done)
    }

    /// The turn to publish the events of `service`, unless somebody has it.
    pub(super) async fn lead(&self, service: &str) -> Option<Leader> {
        let turn = Arc::clone(self.turns.lock().await.entry(service.to_owned()).or_default());
        turn.try_lock_owned().ok()
    }

    /// The tables as they are.
    pub(crate) async fn tables(&self) -> impl std::ops::DerefMut<Target = Tables> {
        MutexGuard::map(self.state.lock().await, |state| &mut state.tables)
    }
}

impl State {
    fn check(&self, append: &Append) -> Result<(), StoreError> {
        let (actual, stream) = (self.version(&append.stream), append.stream.clone());
        if !append.expected.allows(actual) {
            return Err(StoreError::Conflict { stream, expected: append.expected, actual });
        }
        let mut ids = HashSet::new();
        if append.events.iter().any(|event| self.ids.contains(&event.id) || !ids.insert(event.id)) {
            return Err(StoreError::DuplicateEvent { stream });
        }
        Ok(())
    }

    fn put(&mut self, append: Append) -> Appended {
        let (base, actual) = (self.events.len(), self.version(&append.stream));
        let appended = Appended::behind(base as i64, actual, append.events.len());
        let now = SystemTime::now();
        for (nth, event) in append.events.into_iter().enumerate() {
            self.ids.insert(event.id);
            self.events.push(Recorded {
                position: Position((base + nth + 1) as i64),
                id: event.id,
                service: append.service.clone(),
                stream: append.stream.clone(),
                version: actual + nth as u32 + 1,
                event_type: event.event_type,
                event_version: event.event_version,
                data: event.data,
                metadata: event.metadata.unwrap_or_else(|| serde_json::json!({}).into()),
                occurred_at: to_the_microsecond(event.occurred_at.unwrap_or(now)),
                correlation_id: event.correlation_id,
                causation_id: event.causation_id,
            });
        }
        let end = self.events.len();
        self.streams.entry(append.stream).or_default().extend(base..end);
        appended
    }

    fn version(&self, stream: &Stream) -> u32 {
        self.streams.get(stream).map_or(0, |events| events.len() as u32)
    }
}

/// As exact as the database is.
fn to_the_microsecond(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_micros(since.as_micros() as u64)
}
