//! Panics of handlers: caught, so that the service lives, and remembered by the place in the code where they happened.

use std::{
    any::Any,
    cell::Cell,
    fmt::Write as _,
    future::Future,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use futures_util::FutureExt;
use sha2::{Digest, Sha256};

thread_local! {
    /// Where the latest panic of this thread happened.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// A panic that was caught.
pub(super) struct Panic {
    /// What the code said; for the log and nobody else.
    pub(super) words: String,
    /// The same for the same place in the code.
    pub(super) stack_hash: Option<String>,
}

/// Has the process remember where panics happen; what it did with them before is still done.
pub(super) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PLACE.set(info.location().map(|it| format!("{}:{}:{}", it.file(), it.line(), it.column())));
            before(info);
        }));
    });
}

/// Does `work` to its end, be that a panic.
pub(super) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panic> {
    // The place is read in the same poll as the panic is caught in, and so on the same thread.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| Panic {
        words: words(panic.as_ref()).to_owned(),
        stack_hash: PLACE.take().map(|place| hash(&place)),
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why")
}

fn hash(place: &str) -> String {
    Sha256::digest(place).iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a `String` does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fails(number: u32) -> u32 {
        tokio::task::yield_now().await;
        assert!(number < 5, "{number} is too much");
        number
    }

    #[tokio::test]
    async fn a_panic_is_known_by_its_place() {
        watch();
        watch();
        assert_eq!(caught(fails(1)).await.ok(), Some(1));
        let [first, again] = [caught(fails(5)).await.err().unwrap(), caught(fails(6)).await.err().unwrap()];
        assert_eq!((first.words.as_str(), again.words.as_str()), ("5 is too much", "6 is too much"));
        assert_eq!(first.stack_hash.as_ref().map(String::len), Some(16));
        assert_eq!(first.stack_hash, again.stack_hash);
        let other = caught(async { panic!("elsewhere") }).await.map(|(): ()| ()).err().unwrap();
        assert_ne!(other.stack_hash, first.stack_hash);
    }
}
