//! What goes with what: decided before anything is touched.

mod look;

use std::collections::BTreeMap;

use archive::{Archive, Kind, Manifest, Method};

use crate::error::{Error, Result};
use crate::prepare::Target;
use crate::rdb::checked_name;
use crate::sieve::Sieve;
use crate::statements::Statements;
use crate::store::Store;

pub use look::{look, versions};

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
                let same = targets.iter().find(|t: &&Target| t.store.volume == store.volume);
                why.extend(same.map(|t| format!("{}: its volume is that of {}", archived.name, t.store.name)));
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
    // an image that has to be fetched first: it is looked at again then
    let unknown = here.image.digest.is_none();
    let (made, would) = (archived.server_version.as_str(), here.version.as_str());
    let (from, to) = (numbers(made), numbers(would));
    let fits = match (archived.kind, archived.method) {
        // a dump can be read by the same server and by newer ones
        (Kind::Postgres, Method::Logical) => from.first() <= to.first(),
        // indices are in the order of the image's own library, and found in no other
        (Kind::Postgres, _) if is_the_same_image(archived, here) => from.first() == to.first(),
        (Kind::Postgres, _) if unknown => true,
        (Kind::Postgres, _) => {
            let image = &archived.image.reference;
            return Some(format!(
                "these are files of a server, which only the image that wrote them can open: {image}"
            ));
        }
        (Kind::Elasticsearch, Method::ColdCopy) => from.first() == to.first(),
        // snapshots are read by the same major version and by the next
        (Kind::Elasticsearch, _) => from.first() <= to.first(),
        // a file of Redis, too
        (Kind::Redis, _) => from.get(..2) <= to.get(..2),
        // the files of a node, not even by those
        (Kind::Rabbitmq, _) => from.get(..2) == to.get(..2),
        _ => return None,
    };
    if unknown {
        return None;
    }
    let told = |version: &str| if version.is_empty() { "not known".to_owned() } else { version.to_owned() };
    (!fits || from.is_empty() || to.is_empty())
        .then(|| format!("data of version {}, a server of version {}", told(made), told(would)))
}

/// Of a volume whose container was gone only the name of its image is known.
fn is_the_same_image(archived: &archive::Store, here: &Store) -> bool {
    archived.image.digest.is_none() && archived.image.reference == here.image.reference
}

/// `16.4 (Debian)` → 16, 4.
fn numbers(version: &str) -> Vec<u32> {
    let word = version.split([' ', '-', '+']).next().unwrap_or_default();
    word.split('.').map_while(|n| n.parse().ok()).collect()
}

/// Reads all of it once: every checksum, and what the tar archives and the statements inside would do.
pub fn check(archive: &Archive, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
    let (mut done, mut doubts) = (0, BTreeMap::<String, Doubt>::new());
    let read = archive.read_all(&mut |member, bytes| {
        doubts.entry(member.name.clone()).or_insert_with(|| Doubt::of(&member.name)).push(bytes);
        done += bytes.len() as u64;
        on_progress(done);
    });
    read.map_err(Error::Damaged)?;
    let hostile = |member: &str, why: String| Error::Hostile { member: member.to_owned(), why };
    for store in archive.manifest().stores.iter().filter(|store| store.kind == Kind::Redis) {
        if let Some(file) = store.facts.get("file") {
            checked_name(file).map_err(|why| hostile("manifest.json", why))?;
        }
    }
    doubts.into_iter().try_for_each(|(name, doubt)| doubt.end().map_err(|why| hostile(&name, why)))
}

/// What is looked for in a member, by its kind.
enum Doubt {
    Tar(Box<Sieve>),
    Sql(Box<Statements>),
    None,
    Found(String),
}

impl Doubt {
    fn of(member: &str) -> Self {
        match member.rsplit('.').next() {
            Some("tar") => Self::Tar(Box::default()),
            Some("sql") => Self::Sql(Box::default()),
            _ => Self::None,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let judged = match self {
            Self::Tar(sieve) => sieve.push(bytes),
            Self::Sql(statements) => statements.push(bytes),
            Self::None | Self::Found(_) => Ok(()),
        };
        if let Err(why) = judged {
            *self = Self::Found(why);
        }
    }

    fn end(self) -> std::result::Result<(), String> {
        match self {
            Self::Tar(sieve) => sieve.end(),
            Self::Sql(mut statements) => statements.end(),
            Self::None => Ok(()),
            Self::Found(why) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use archive::Image;
    use compose::observed::State;

    use super::*;

    fn pair(kind: Kind, method: Method, from: &str, to: &str) -> Option<String> {
        between(kind, method, (from, Some("sha256:1")), (to, Some("sha256:2")))
    }

    fn between(
        kind: Kind,
        method: Method,
        (from, one): (&str, Option<&str>),
        (to, other): (&str, Option<&str>),
    ) -> Option<String> {
        let image = |digest: Option<&str>| Image { reference: "image".to_owned(), digest: digest.map(str::to_owned) };
        let archived = archive::Store {
            name: "db".to_owned(),
            kind,
            method,
            server_version: from.to_owned(),
            image: image(one),
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
            image: image(other),
            version: to.to_owned(),
            ready: None,
        };
        difference(&archived, &here)
    }

    #[test]
    fn files_go_to_the_image_that_wrote_them() {
        use Kind::Postgres;
        use Method::{ColdCopy, Logical, Physical};
        let image = |digest| ("16.4", digest);
        for method in [ColdCopy, Physical] {
            assert_eq!(between(Postgres, method, image(Some("sha256:1")), image(Some("sha256:1"))), None);
            assert_eq!(between(Postgres, method, image(None), image(Some("sha256:2"))), None, "the name is the same");
            assert!(between(Postgres, method, image(Some("sha256:1")), image(Some("sha256:2"))).is_some());
        }
        let unlabelled = ("", Some("sha256:1"));
        assert_eq!(between(Postgres, Logical, unlabelled, unlabelled), None, "the same image reads what it wrote");
        assert_eq!(between(Postgres, Logical, image(Some("sha256:1")), ("", None)), None, "not fetched yet");
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
            (Postgres, Logical, "16.4", ""),
            // glibc or musl: the same version, and another order of words
            (Postgres, ColdCopy, "16.4", "16.4"),
            (Postgres, Physical, "16.4", "16.4"),
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
