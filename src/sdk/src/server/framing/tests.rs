//! The same verdict however the bytes come, and no request that two readers could take for different ones.

use super::*;
use crate::dice::Dice;

const LIMIT: usize = 512;

/// How far `bytes` may be read, and why no further, when they come in pieces that end at `cuts`.
fn verdict(bytes: &[u8], cuts: &[usize]) -> (usize, Option<Refusal>) {
    let mut watch = Watch::new(LIMIT);
    let mut from = 0;
    for to in cuts.iter().copied().chain([bytes.len()]) {
        if let Err((at, why)) = watch.look(&bytes[from..to]) {
            return (from + at, Some(why));
        }
        from = to;
    }
    (from, None)
}

fn refused(bytes: impl AsRef<[u8]>) -> Option<Refusal> {
    verdict(bytes.as_ref(), &[]).1
}

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET /a?b=%20 HTTP/1.1\r\nHost: [::1]:80\r\nX: \t y\tz \r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://A:80/x HTTP/1.1\r\nhost: a:80\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n5;a=\"b\"\r\nhel\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const BAD_HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET file://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \x0b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\x7f\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
    "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\r\nHost: a\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET / http/1.1\r\nHost: a\r\n\r\n",
    "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /é HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const BAD_CHUNKS: &[&str] = &[
    "x\r\n",
    "\r\n",
    "-1\r\n",
    "0x5\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "5\nhello\r\n",
    "5\r\nhelloo\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n",
    "5;a\nb\r\nhello\r\n",
    "10000000000000000\r\n",
    "ffffffffffffffff1\r\nx",
    "0\r\nX: y\n\r\n",
    "0\r\nX y\r\n\r\n",
    "0\r\n X: y\r\n\r\n",
];

#[test]
fn requests_that_can_be_read_in_one_way_only_pass_one_after_the_other() {
    let all = GOOD.concat();
    assert_eq!(refused(&all), None);
    let mut watch = Watch::new(LIMIT);
    watch.look(all.as_bytes()).unwrap();
    assert!(watch.between_requests());
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused_before_their_end() {
    for head in BAD_HEADS {
        let (at, why) = verdict(head.as_bytes(), &[]);
        assert!(matches!(why, Some(Refusal::Head(_))), "{head:?}: {why:?}");
        assert!(!head[..at].contains("\r\n\r\n") && !head[..at].contains("\n\n"), "{head:?} up to {at}");
    }
}

#[test]
fn a_bad_head_is_refused_behind_every_good_request() {
    for (good, bad) in GOOD.iter().flat_map(|good| BAD_HEADS.iter().map(move |bad| (good, bad))) {
        let (at, why) = verdict(format!("{good}{bad}").as_bytes(), &[]);
        assert!(matches!(why, Some(Refusal::Head(_))) && at >= good.len(), "{good:?} {bad:?}: {why:?} at {at}");
    }
}

#[test]
fn chunks_that_can_be_read_in_two_ways_are_refused() {
    for chunks in BAD_CHUNKS {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let why = refused(&request);
        assert!(matches!(why, Some(Refusal::Body(_))), "{chunks:?}: {why:?}");
    }
}

#[test]
fn what_does_not_end_is_refused() {
    let head = |length: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(length));
    let frame = head(0).len();
    assert_eq!(refused(head(LIMIT - frame)), None);
    let long = head(LIMIT - frame + 1);
    assert_eq!(verdict(long.as_bytes(), &[]), (LIMIT, Some(Refusal::Length)));
    assert_eq!(verdict("\r\n".repeat(LIMIT).as_bytes(), &[]), (LIMIT, Some(Refusal::Length)));
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for rest in [format!("5;{}", "x".repeat(LONGEST_CHUNK_LINE)), format!("0\r\nX: {}", "y".repeat(LIMIT))] {
        assert!(matches!(refused(format!("{chunked}{rest}")), Some(Refusal::Body(_))), "{rest}");
    }
}

#[test]
fn nothing_may_follow_a_request_for_a_websocket_before_its_answer() {
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let mut watch = Watch::new(LIMIT);
    watch.look(request.as_bytes()).unwrap();
    assert!(watch.awaits_answer());
    assert_eq!(watch.look(b"GET"), Err((0, Refusal::Body("more after a request for a WebSocket"))));
}

#[test]
fn the_verdict_is_the_same_at_whatever_byte_the_bytes_are_split() {
    let chunked = |chunks: &&str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let all = GOOD.iter().chain(BAD_HEADS).map(|head| (*head).to_owned()).chain(BAD_CHUNKS.iter().map(chunked));
    for text in all {
        let bytes = text.as_bytes();
        let whole = verdict(bytes, &[]);
        for cut in 0..=bytes.len() {
            assert_eq!(verdict(bytes, &[cut]), whole, "{text:?} at {cut}");
        }
        let each: Vec<_> = (0..bytes.len()).collect();
        assert_eq!(verdict(bytes, &each), whole, "{text:?} byte by byte");
    }
}

#[test]
fn the_verdict_on_anything_is_the_same_however_it_is_cut() {
    for seed in 0..2_000 {
        let mut dice = Dice::of(seed);
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..1 + dice.below(4_usize) {
            bytes.extend_from_slice(dice.pick(GOOD).as_bytes());
        }
        for _ in 0..dice.below(4_usize) {
            let at = dice.below(bytes.len());
            match dice.below(3_u8) {
                0 => bytes[at] = dice.pick(b"\r\n\0 \t:;,a0F/"),
                1 => bytes.insert(at, dice.pick(b"\r\n\0 \t:;,a0F/")),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let mut cuts: Vec<usize> = (0..dice.below(8_usize)).map(|_| dice.below(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(verdict(&bytes, &cuts), verdict(&bytes, &[]), "seed {seed}: {text:?} cut at {cuts:?}");
    }
}
