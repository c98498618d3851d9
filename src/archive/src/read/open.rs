//! From the end of an archive to its manifest.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use serde::Deserialize;
use zstd::bulk::Decompressor;

use super::damaged;
use super::member::{entry, frame};
use super::source::{Place, Source};
use crate::error::{Damage, Error, Result};
use crate::layout::{self, BLOCK, FOOTER_LENGTH, Footer, LAYOUT, START_LENGTH};
use crate::manifest::{self, Contradiction, Manifest, SCHEMA, Schema};

/// What messages call them.
const START: &str = "the beginning";
const FOOTER: &str = "the footer";
const MANIFEST: &str = "the manifest";

/// The manifest and its digest. Afterwards every byte of the file that no member covers has been checked.
pub fn manifest(place: &Place) -> Result<(Manifest, String)> {
    let mut source = place.source()?;
    let (footer, size) = ends(place, &mut source)?;
    let end = footer.at.checked_add(u64::from(footer.stored)).and_then(|it| it.checked_add(FOOTER_LENGTH as u64));
    if end != Some(size) || footer.at < START_LENGTH as u64 {
        return Err(damaged(&place.path, FOOTER, Damage::Length));
    }
    let json = json(place, &mut source, footer)?;
    let manifest = parse(place, &json)?;
    let contradiction = |fault| Error::Contradiction { archive: place.path.clone(), fault };
    manifest::check(&manifest, footer.at).map_err(contradiction)?;
    Ok((manifest, layout::hex(&footer.sha256)))
}

/// The footer, and the length of everything.
fn ends(place: &Place, source: &mut Source) -> Result<(Footer, u64)> {
    let archive = || place.path.clone();
    let read = |what: &str| {
        let place = what.to_owned();
        move |source| Error::Read { archive: archive(), place, source }
    };
    let mut start = Vec::new();
    source.by_ref().take(START_LENGTH as u64).read_to_end(&mut start).map_err(read(START))?;
    let size = source.seek(SeekFrom::End(0)).map_err(read("the end"))?;
    let mut end = [0; FOOTER_LENGTH];
    let has_end = size >= (START_LENGTH + FOOTER_LENGTH) as u64;
    if has_end {
        source.seek(SeekFrom::Start(size - FOOTER_LENGTH as u64)).map_err(read(FOOTER))?;
        source.read_exact(&mut end).map_err(read(FOOTER))?;
    }
    match (layout::layout(&start, false), layout::layout(&end, true)) {
        (None, None) => Err(Error::NotAnArchive { archive: archive() }),
        (Some(layout), _) | (_, Some(layout)) if layout > LAYOUT => {
            Err(Error::Newer { archive: archive(), found: Schema { major: layout.into(), minor: 0 }, known: SCHEMA })
        }
        (Some(LAYOUT), None) => Err(Error::CutShort { archive: archive() }),
        (Some(LAYOUT), Some(LAYOUT)) => {
            Ok((Footer::read(end).ok_or_else(|| damaged(&place.path, FOOTER, Damage::Mark))?, size))
        }
        (_, Some(LAYOUT)) => Err(damaged(&place.path, START, Damage::Mark)),
        _ => Err(damaged(&place.path, FOOTER, Damage::Mark)),
    }
}

fn json(place: &Place, source: &mut Source, footer: Footer) -> Result<Vec<u8>> {
    let size = footer.size as usize;
    if size > layout::MANIFEST_MOST {
        return Err(Error::Contradiction { archive: place.path.clone(), fault: Contradiction::TooLong });
    }
    let wrong = |damage| damaged(&place.path, MANIFEST, damage);
    let read = |source| Error::Read { archive: place.path.clone(), place: MANIFEST.to_owned(), source };
    // the end of the tar stands behind it
    let whole = BLOCK + layout::padded(size) + 2 * BLOCK;
    if footer.stored as usize > layout::stored_most(whole) {
        return Err(wrong(Damage::Length));
    }
    source.seek(SeekFrom::Start(footer.at)).map_err(read)?;
    let mut compressed = Vec::new();
    let stored = frame(source, u64::from(footer.stored), &mut compressed).map_err(|why| why.at(wrong, read))?;
    if stored != u64::from(footer.stored) {
        return Err(wrong(Damage::Length));
    }
    let mut decompressor = decompressor().map_err(read)?;
    let mut json = entry(&mut decompressor, &compressed, layout::MANIFEST, size, whole).map_err(wrong)?;
    json.truncate(BLOCK + size);
    json.drain(..BLOCK);
    if layout::sha256(&json) != footer.sha256 {
        return Err(wrong(Damage::Digest));
    }
    Ok(json)
}

pub fn decompressor() -> io::Result<Decompressor<'static>> {
    Decompressor::new()
}

fn parse(place: &Place, json: &[u8]) -> Result<Manifest> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Any {
        schema_version: Schema,
    }
    let wrong = |source| Error::Manifest { archive: place.path.clone(), source };
    let Any { schema_version: found } = serde_json::from_slice(json).map_err(wrong)?;
    if found.major > SCHEMA.major {
        return Err(Error::Newer { archive: place.path.clone(), found, known: SCHEMA });
    }
    serde_json::from_slice(json).map_err(wrong)
}
