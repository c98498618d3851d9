//! Large bodies travel compressed, and none travels that is larger than its kind may be.

use std::io::{Read, Write};

use banyan_protocol::{
    Kind,
    limits::{self, TooLarge},
    names::{GZIP, HEADER_COMPRESSION},
};
use bytes::Bytes;
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use super::{HeaderValue, Message};

/// Why a body cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackingError {
    /// It is larger than its kind may be, packed or not.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It is compressed in a way that nobody here knows.
    #[error("cannot unpack a body with compression `{name}`")]
    UnknownCompression {
        /// What the header says.
        name: String,
    },
    /// It says that it is compressed, and is not, or is damaged.
    #[error("cannot unpack a body that is not gzip")]
    Damaged(#[source] std::io::Error),
}

/// Checks the size of a body, and compresses it when that pays.
///
/// # Errors
/// [`PackingError::TooLarge`].
pub fn pack(kind: Kind, mut message: Message) -> Result<Message, PackingError> {
    limits::check(kind, message.body.len())?;
    if message.body.len() > limits::COMPRESS_OVER {
        let mut packer = GzEncoder::new(Vec::with_capacity(message.body.len() / 2), Compression::fast());
        packer.write_all(&message.body).map_err(PackingError::Damaged)?;
        let packed = packer.finish().map_err(PackingError::Damaged)?;
        if packed.len() < message.body.len() {
            message.body = packed.into();
            message.headers.insert(HEADER_COMPRESSION.to_owned(), GZIP.into());
        }
    }
    Ok(message)
}

/// The body as it was before [`pack`]. Unpacking stops at the limit, so a small body that would unpack to gigabytes
/// costs no more than the largest honest one.
///
/// # Errors
/// [`PackingError`] has a variant for each.
pub fn unpack(kind: Kind, message: &Message) -> Result<Bytes, PackingError> {
    match message.headers.get(HEADER_COMPRESSION) {
        None | Some(HeaderValue::Null) => {
            limits::check(kind, message.body.len())?;
            Ok(message.body.clone())
        }
        Some(HeaderValue::Text(name)) if name == GZIP => {
            let limit = limits::hard(kind);
            limits::check(kind, message.body.len())?;
            let mut body = Vec::with_capacity(limit.min(message.body.len().saturating_mul(4)));
            let past_the_limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            MultiGzDecoder::new(&*message.body)
                .take(past_the_limit)
                .read_to_end(&mut body)
                .map_err(PackingError::Damaged)?;
            limits::check(kind, body.len())?;
            Ok(body.into())
        }
        Some(other) => {
            Err(PackingError::UnknownCompression { name: other.as_text().unwrap_or("not a text").to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::{Dice, seed};

    fn packed(body: Vec<u8>) -> Message {
        pack(Kind::Command, Message::durable("m", body)).unwrap()
    }

    #[test]
    fn only_large_bodies_are_packed_and_come_back() {
        for size in [0, 1, 1024, 1025, 50_000, 1024 * 1024] {
            let body = b"0123456789".iter().copied().cycle().take(size).collect::<Vec<_>>();
            let message = packed(body.clone());
            assert_eq!(message.headers.contains_key(HEADER_COMPRESSION), size > 1024, "{size}");
            assert!(size <= 1024 || message.body.len() < size / 2, "{size}");
            assert_eq!(unpack(Kind::Command, &message).unwrap(), body, "{size}");
        }
    }

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        let mut dice = Dice::of(seed());
        let message = packed((0..2000).map(|_| dice.below(256_u64) as u8).collect());
        assert!(message.headers.is_empty());
    }

    #[test]
    fn both_sides_refuse_what_is_too_large() {
        let large = Message::durable("m", vec![0; 100 * 1024 + 1]);
        let refused = |result: Result<(), PackingError>| match result {
            Err(PackingError::TooLarge(too_large)) => too_large.size,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(pack(Kind::Query, large.clone()).map(drop)), 100 * 1024 + 1);
        assert_eq!(refused(unpack(Kind::Query, &large).map(drop)), 100 * 1024 + 1);
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = pack(Kind::Event, Message::durable("m", vec![0; 10 * 1024 * 1024])).unwrap();
        assert!(bomb.body.len() < 100 * 1024);
        match unpack(Kind::Query, &bomb) {
            Err(PackingError::TooLarge(too_large)) => assert_eq!(too_large.size, too_large.limit + 1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let message = Message::durable("m", "plain").header(HEADER_COMPRESSION, GZIP);
        assert!(matches!(unpack(Kind::Event, &message), Err(PackingError::Damaged(_))));
        let message = Message::durable("m", "plain").header(HEADER_COMPRESSION, "br");
        let error = unpack(Kind::Event, &message).unwrap_err();
        assert_eq!(error.to_string(), "cannot unpack a body with compression `br`");
        let mut cut = packed(vec![b'x'; 5000]);
        cut.body.truncate(cut.body.len() / 2);
        assert!(matches!(unpack(Kind::Command, &cut), Err(PackingError::Damaged(_))));
    }
}
