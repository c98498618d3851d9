//! How large a message may be, and how much of it is worth compressing.
//!
//! Sizes are bytes of the JSON body before compression. Both sides check: the sender before it publishes, the receiver
//! before it reads, and while it unpacks.

use crate::Kind;

/// Bodies that are longer than this, in bytes, are compressed.
pub const COMPRESS_OVER: usize = 1024;

/// Arrays and objects may be nested this deep, counted over the whole message.
pub const DEPTH: usize = 100;

/// A correlation id has at most this many characters.
pub const CORRELATION_ID: usize = 128;

/// A message id and an idempotency key have at most this many bytes, which is what AMQP carries in a property.
pub const ID: usize = 255;

/// A message is larger than its kind may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} is too large: {size} bytes, at most {limit}")]
pub struct TooLarge {
    /// What kind of message it is.
    pub kind: Kind,
    /// How many bytes it has; when unpacking was given up, how many there were by then.
    pub size: usize,
    /// How many bytes it may have.
    pub limit: usize,
}

/// The size in bytes that no message of this kind may exceed.
#[must_use]
pub const fn hard(kind: Kind) -> usize {
    match kind {
        Kind::Query => 100 * 1024,
        Kind::Command => 1024 * 1024,
        Kind::Event | Kind::Response => 10 * 1024 * 1024,
    }
}

/// The size in bytes that messages of this kind should stay below; a larger one is worth a warning.
#[must_use]
pub const fn recommended(kind: Kind) -> usize {
    match kind {
        Kind::Query => 5 * 1024,
        Kind::Command => 10 * 1024,
        Kind::Event | Kind::Response => 100 * 1024,
    }
}

/// Refuses a body of `size` bytes that is over the hard limit of its kind.
///
/// # Errors
/// [`TooLarge`] says the kind, the size and the limit.
pub const fn check(kind: Kind, size: usize) -> Result<(), TooLarge> {
    let limit = hard(kind);
    if size > limit { Err(TooLarge { kind, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        for kind in [Kind::Command, Kind::Query, Kind::Event, Kind::Response] {
            assert!(recommended(kind) < hard(kind));
            assert_eq!(check(kind, hard(kind)), Ok(()));
            let error = check(kind, hard(kind) + 1).unwrap_err();
            assert_eq!(error, TooLarge { kind, size: hard(kind) + 1, limit: hard(kind) });
        }
        let text = check(Kind::Query, 200_000).unwrap_err().to_string();
        assert_eq!(text, "query is too large: 200000 bytes, at most 102400");
    }
}
