//! Archives made by hand, byte for byte as the format is described, and not as it is.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::PART;

/// A member as it is in the file: what the manifest says, and the entries of the tar.
#[derive(Clone)]
pub struct Piece {
    pub name: String,
    pub size: u64,
    pub sha256: String,
    pub entries: Vec<Vec<u8>>,
}

/// The header of a plain file.
pub fn header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // as it stands, whatever it is
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header
}

/// A header and what belongs to it, filled up to blocks.
pub fn entry(header: &tar::Header, content: &[u8]) -> Vec<u8> {
    let mut entry = header.as_bytes().to_vec();
    entry.extend_from_slice(content);
    entry.resize(entry.len().div_ceil(512) * 512, 0);
    entry
}

/// A member as it should be.
pub fn honest(name: &str, content: &[u8]) -> Piece {
    let chunks: Vec<&[u8]> = if content.is_empty() { vec![content] } else { content.chunks(PART).collect() };
    let named = |i: usize| if chunks.len() == 1 { name.to_owned() } else { format!("{name}.{:08}", i + 1) };
    let entries = chunks.iter().enumerate().map(|(i, chunk)| entry(&header(&named(i), chunk.len() as u64), chunk));
    Piece { name: name.into(), size: content.len() as u64, sha256: hex(content), entries: entries.collect() }
}

pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
    compressor.include_checksum(true).unwrap();
    compressor.compress(bytes).unwrap()
}

fn skippable(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0x2a, 0x4d, 0x18];
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// A frame behind its length and checksum.
pub fn framed(frame: &[u8]) -> Vec<u8> {
    let mut content = (frame.len() as u32).to_le_bytes().to_vec();
    content.extend_from_slice(&crc32fast::hash(frame).to_le_bytes());
    let mut bytes = skippable(0x5c, &content);
    bytes.extend_from_slice(frame);
    bytes
}

pub fn start() -> Vec<u8> {
    skippable(0x5b, b"BANYAN\0\x01")
}

/// An archive of these members; `change` may alter the manifest.
pub fn assemble(pieces: &[Piece], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let frames = |piece: &Piece| piece.entries.iter().flat_map(|it| framed(&compress(it))).collect();
    assemble_stored(&pieces.iter().map(|it| (it.clone(), frames(it))).collect::<Vec<_>>(), change)
}

/// The same, of members that are compressed already.
pub fn assemble_stored(pieces: &[(Piece, Vec<u8>)], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut bytes, mut members) = (start(), Vec::new());
    for (Piece { name, size, sha256, .. }, stored) in pieces {
        let parts = size.div_ceil(PART as u64).max(1);
        let (at, stored_length) = (bytes.len(), stored.len());
        members.push(json!({
            "name": name, "size": size, "sha256": sha256, "parts": parts, "at": at, "stored": stored_length,
        }));
        bytes.extend_from_slice(stored);
    }
    let mut manifest = json!({
        "schema_version": "1.0",
        "tool": { "name": "banyan", "version": "0.1.0" },
        "created": "2030-01-02T03:04:05.678Z",
        "instance": "default", "project": "flow-platform", "config_hash": "c0ffee", "consistency": "paused",
        "stores": [{
            "name": "postgres", "kind": "postgres", "method": "logical", "server_version": "16.4",
            "image": { "reference": "postgres:16-alpine", "digest": "sha256:00" },
            "members": pieces.iter().map(|(it, _)| it.name.as_str()).collect::<Vec<_>>(),
            "size": pieces.iter().fold(0u64, |sum, (it, _)| sum.wrapping_add(it.size)),
            "counts": { "events": 3 }, "digests": { "events": "ab" },
        }],
        "skipped": [],
        "members": members,
    });
    change(&mut manifest);
    close(bytes, &serde_json::to_vec_pretty(&manifest).unwrap())
}

/// Members, and behind them a manifest and the end.
pub fn close(bytes: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    let mut last = entry(&header("manifest.json", manifest.len() as u64), manifest);
    last.resize(last.len() + 1024, 0);
    close_with(bytes, &compress(&last), manifest)
}

/// The same, with any frame for the manifest.
pub fn close_with(mut bytes: Vec<u8>, frame: &[u8], manifest: &[u8]) -> Vec<u8> {
    let frame = framed(frame);
    let mut footer = (bytes.len() as u64).to_le_bytes().to_vec();
    footer.extend_from_slice(&(frame.len() as u32).to_le_bytes());
    footer.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
    footer.extend_from_slice(&Sha256::digest(manifest));
    footer.extend_from_slice(b"BANYAN\0\x01");
    bytes.extend_from_slice(&frame);
    bytes.extend_from_slice(&skippable(0x5d, &footer));
    bytes
}
