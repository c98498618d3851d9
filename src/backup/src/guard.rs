//! What goes with what: decided before anything is touched.

use std::io::Read;

use archive::{Archive, Kind, Manifest, Method};

use crate::error::{Error, Result};
use crate::prepare::Target;
use crate::sieve::Sieve;
use crate::store::Store;

/// What the file has for the stores that are here; `only` names some of its stores, none means all.
pub fn targets(manifest: &Manifest, here: &[Store], only: &[String]) -> Result<Vec<Target>> {
    let mut why = Vec::new();
    for name in only.iter().filter(|name| manifest.store(name).is_none()) {
        let skipped = manifest.skipped.iter().find(|s| s.name == **name);
        let reason = skipped.map_or("it is not in the file".to_owned(), |s| format!("it was skipped: {}", s.reason));
        why.push(format!("{name}: {reason}"));
    }
    let mut targets = Vec::new();
    for archived in manifest.stores.iter().filter(|s| only.is_empty() || only.contains(&s.name)) {
        match here.iter().find(|s| s.name == archived.name) {
            Some(store) => {
                why.extend(difference(archived, store).map(|d| format!("{}: {d}", archived.name)));
                targets.push(Target { store: store.clone(), archived: archived.clone() });
            }
            None => why.push(format!("{}: the project has no such store", archived.name)),
        }
    }
    if targets.is_empty() && why.is_empty() {
        why.push("there is no store in it".to_owned());
    }
    if why.is_empty() { Ok(targets) } else { Err(Error::Refused(why)) }
}

/// Why the data of a store cannot be opened by this one.
fn difference(archived: &archive::Store, here: &Store) -> Option<String> {
    if archived.kind == Kind::Unknown || archived.method == Method::Unknown {
        return Some("a newer banyan wrote it".to_owned());
    }
    if archived.kind != here.kind {
        return Some("it is another kind of store here".to_owned());
    }
    if archived.image.digest.is_some() && archived.image.digest == here.image.digest {
        return None;
    }
    let (made, would) = (archived.server_version.as_str(), here.version.as_str());
    let (from, to) = (numbers(made), numbers(would));
    let fits = match (archived.kind, archived.method) {
        // a dump can be read by the same server and by newer ones
        (Kind::Postgres, Method::Logical) => from.first() <= to.first(),
        (Kind::Postgres | Kind::Elasticsearch, Method::ColdCopy) => from.first() == to.first(),
        (Kind::Postgres, _) => from.first() == to.first(),
        // snapshots are read by the same major version and by the next
        (Kind::Elasticsearch, _) => from.first() <= to.first(),
        // a file of Redis, too
        (Kind::Redis, _) => from.get(..2) <= to.get(..2),
        // the files of a node, not even by those
        (Kind::Rabbitmq, _) => from.get(..2) == to.get(..2),
        _ => return None,
    };
    let told = |version: &str| if version.is_empty() { "not known".to_owned() } else { version.to_owned() };
    (!fits || from.is_empty() || to.is_empty())
        .then(|| format!("data of version {}, a server of version {}", told(made), told(would)))
}

/// `16.4 (Debian)` → 16, 4.
fn numbers(version: &str) -> Vec<u32> {
    let word = version.split([' ', '-', '+']).next().unwrap_or_default();
    word.split('.').map_while(|n| n.parse().ok()).collect()
}

/// Reads all of it once: every checksum, and what the tar archives inside would do.
pub fn check(archive: &Archive, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
    archive.verify(&mut |done| on_progress(done)).map_err(Error::Damaged)?;
    for name in archive.manifest().members.iter().map(|m| m.name.as_str()).filter(|name| name.ends_with(".tar")) {
        let hostile = |why: String| Error::Hostile { member: name.to_owned(), why };
        let mut member = archive.member(name)?;
        let (mut sieve, mut buffer) = (Sieve::default(), vec![0; 256 * 1024]);
        loop {
            let read = member.read(&mut buffer).map_err(|e| hostile(e.to_string()))?;
            if read == 0 {
                break;
            }
            sieve.push(&buffer[..read]).map_err(hostile)?;
        }
        sieve.end().map_err(hostile)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use archive::Image;
    use compose::observed::State;

    use super::*;

    fn pair(kind: Kind, method: Method, from: &str, to: &str) -> Option<String> {
        let image = Image { reference: "image".to_owned(), digest: None };
        let archived = archive::Store {
            name: "db".to_owned(),
            kind,
            method,
            server_version: from.to_owned(),
            image: image.clone(),
            members: vec![],
            size: 0,
            counts: Default::default(),
            digests: Default::default(),
            facts: Default::default(),
        };
        let here = Store {
            name: "db".to_owned(),
            service: "db".to_owned(),
            kind,
            container: "c".to_owned(),
            users: Vec::new(),
            state: State::Running,
            volume: "v".to_owned(),
            path: "/data".to_owned(),
            image,
            version: to.to_owned(),
            ready: None,
        };
        difference(&archived, &here)
    }

    #[test]
    fn versions_decide() {
        use Kind::{Postgres, Rabbitmq, Redis, Volume};
        use Method::{ColdCopy, Logical, Physical};
        for (kind, method, from, to) in [
            (Postgres, Logical, "16.4", "16.1"),
            (Postgres, Logical, "16.4 (Debian 16.4-1)", "17.0"),
            (Redis, Physical, "7.0.15", "7.2.4"),
            (Rabbitmq, Physical, "3.10.8", "3.10.25"),
            (Volume, ColdCopy, "", ""),
        ] {
            assert_eq!(pair(kind, method, from, to), None, "{kind:?} {from} {to}");
        }
        for (kind, method, from, to) in [
            (Postgres, Logical, "17.0", "16.4"),
            (Postgres, Physical, "16.4", "17.0"),
            (Redis, Physical, "7.2.4", "7.0.15"),
            (Rabbitmq, Physical, "3.10.8", "3.13.7"),
            (Rabbitmq, Physical, "3.13.7", "3.10.8"),
            (Redis, Physical, "7.2.4", ""),
            (Kind::Unknown, Physical, "1", "1"),
        ] {
            assert!(pair(kind, method, from, to).is_some(), "{kind:?} {from} {to}");
        }
        assert_eq!(
            pair(Postgres, Logical, "17.0", "16.4").as_deref(),
            Some("data of version 17.0, a server of version 16.4")
        );
    }
}
