//! What is derived from events: read models that can be thrown away and built anew.
//!
//! A [`Projection`] gets the events that it wants, in order, in batches. Its effect and the position up to which it has
//! come are one transaction, so that each event counts once, whatever is killed when. Several processes may run the same
//! projection: one of them works, the others take over when it stops.

mod documents;
mod read_model;
mod rebuild;
mod runner;
mod step;
pub(crate) mod tables;
mod view;

use futures_util::future::BoxFuture;

pub use documents::Document;
pub use read_model::{Fields, ReadModel};
pub use runner::Runner;
pub use view::{Direction, List, View};

use crate::store::{Filter, Recorded, Refusal, Tx};

/// Something that is derived from events.
pub trait Projection: Send + Sync {
    /// Its name, which is its identity in the database.
    fn name(&self) -> &str;

    /// The events that it wants.
    fn filter(&self) -> Filter;

    /// Takes in `events`, which follow those of the last call that succeeded for `generation`. What it does within `tx`
    /// happens if and only if the position is moved; what it does elsewhere may happen again.
    ///
    /// While the projection is built anew there are two generations, which must not disturb each other.
    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx<'_>,
        generation: i32,
        events: &'a [Recorded],
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Forgets everything that does not belong to `generation`, which is the one that is read from now on. Documents of
    /// the projection in the table of read models are forgotten in any case.
    fn retain<'a>(&'a self, _tx: &'a mut Tx<'_>, _generation: i32) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }
}
