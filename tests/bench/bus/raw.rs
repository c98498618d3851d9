//! Calls by a client that is packed by hand: what the broker allows, for explaining what clients make of it.

use std::{
    io::Error,
    time::{Duration, Instant},
};

use crate::{
    Result,
    orders::{Orders, answer},
    part::Load,
    wire::{Message, Wire},
};

const QUEUE: &[u8] = b"bench-raw";
const REPLY_TO: &[u8] = b"amq.rabbitmq.reply-to";

/// Bytes of a body.
const BODY: usize = 128;

/// Answers what it is sent with what it is sent.
pub async fn server(url: &str) -> Result<()> {
    let mut wire = Wire::open(url)?;
    wire.declare(QUEUE)?;
    wire.consume(QUEUE)?;
    std::thread::spawn(move || -> Result<(), Error> {
        loop {
            wire.messages(|wire, correlation_id, reply_to, body| {
                wire.publish(reply_to, &Message { correlation_id, reply_to: b"", body });
            })?;
            wire.flush()?;
        }
    });
    Orders::ready().end().await;
    Ok(())
}

/// Calls, with answers matched by id.
pub async fn client(url: &str) -> Result<()> {
    let mut wire = Wire::open(url)?;
    wire.consume(REPLY_TO)?;
    let mut next = 0;
    let mut orders = Orders::ready();
    while let Some((in_flight, time)) = orders.load().await {
        let load = tokio::task::block_in_place(|| run(&mut wire, &mut next, in_flight, time))?;
        answer(&load)?;
    }
    Ok(())
}

/// One load. Calls that are under way at its end are waited for.
fn run(wire: &mut Wire, next: &mut u64, in_flight: usize, time: Duration) -> Result<Load, Error> {
    let began = Instant::now();
    // When each call under way was made, by its id less the first one's.
    let (first, mut asked): (u64, Vec<Option<Instant>>) = (*next, Vec::new());
    let (mut times, mut errors) = (Vec::new(), 0);
    let mut call = |wire: &mut Wire, asked: &mut Vec<Option<Instant>>| {
        let id = next.to_string();
        *next += 1;
        asked.push(Some(Instant::now()));
        wire.publish(QUEUE, &Message { correlation_id: id.as_bytes(), reply_to: REPLY_TO, body: &[b'x'; BODY] });
    };
    for _ in 0..in_flight {
        call(wire, &mut asked);
    }
    wire.flush()?;
    let mut under_way = in_flight;
    while under_way > 0 {
        wire.messages(|wire, id, _, body| {
            let place = std::str::from_utf8(id).ok().and_then(|it| it.parse::<u64>().ok()?.checked_sub(first));
            let when = place.and_then(|it| asked.get_mut(it as usize)?.take());
            match when {
                Some(when) if body.len() == BODY => times.push(when.elapsed().as_secs_f64() * 1e6),
                _ => errors += 1,
            }
            if began.elapsed() < time {
                call(wire, &mut asked);
            } else {
                under_way -= 1;
            }
        })?;
        wire.flush()?;
    }
    Ok(Load::of(times, errors, began.elapsed().as_secs_f64()))
}
