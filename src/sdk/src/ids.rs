//! New ids. Randomness is a parameter everywhere but in [`random`].

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::protocol::{Timestamp, TraceContext};

/// 128 random bits, from the generator of the operating system, stretched per thread.
#[must_use]
pub fn random() -> u128 {
    rand::random()
}

/// An id for a message: `msg_` and 26 letters and digits.
#[must_use]
pub fn message(random: u128) -> String {
    prefixed("msg_", random)
}

/// An id for a request and everything that follows from it: `cor_` and 26 letters and digits.
#[must_use]
pub fn correlation(random: u128) -> String {
    prefixed("cor_", random)
}

/// A name that nothing else has: 26 letters and digits.
pub(crate) fn stamp(random: u128) -> String {
    prefixed("", random)
}

/// The beginning of a trace that nobody records.
#[must_use]
pub fn trace(random: u128, more: u128) -> TraceContext {
    // neither id may be zero
    let (trace, span) = (random | 1, (more as u64) | 1);
    TraceContext::new(trace, span, 0).expect("the lowest bit is set in both ids")
}

/// An id for an event that no message caused.
#[must_use]
pub fn event() -> Uuid {
    Uuid::now_v7()
}

/// The id of the event number `index` that the handling of a message causes: the same each time that the same handler
/// handles it, so that the store refuses what it has already. `origin` names the handler and the message. It begins with
/// the time at which the message was made: neighbours in time are neighbours in an index.
#[must_use]
pub(crate) fn derived(origin: &str, made: Timestamp, index: usize) -> Uuid {
    let digest = Sha256::new().chain_update(index.to_be_bytes()).chain_update(origin).finalize();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&made.millis().to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn prefixed(prefix: &str, random: u128) -> String {
    // no letters that are taken for digits
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let letters = (0..26).map(|at| char::from(LETTERS[(random >> (at * 5)) as usize & 31]));
    prefix.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_short_and_differ() {
        assert_eq!(message(0), format!("msg_{}", "0".repeat(26)));
        assert_eq!(correlation(u128::MAX), format!("cor_{}7", "z".repeat(25)));
        let ids: BTreeSet<String> = (0..10_000).map(|_| message(random())).collect();
        assert_eq!(ids.len(), 10_000);
        let bits: BTreeSet<String> = (0..128).map(|bit| message(1 << bit)).collect();
        assert_eq!(bits.len(), 128);
    }

    #[test]
    fn derived_ids_are_the_same_each_time_and_differ_by_message_and_number() {
        let (made, later) = (Timestamp::from_millis(1_700_000_000_000), Timestamp::from_millis(1_700_000_000_001));
        assert_eq!(derived("m", made, 0), derived("m", made, 0));
        let others = [derived("m", made, 1), derived("n", made, 0), derived("m", later, 0)];
        assert!(others.iter().all(|other| *other != derived("m", made, 0)));
        assert!(derived("m", made, 0) < derived("a", later, 0));
    }

    #[test]
    fn a_trace_has_no_zero_in_its_ids() {
        let trace = trace(0, 0);
        assert!(trace.trace_id() != 0 && trace.span_id() != 0 && !trace.is_sampled());
    }
}
