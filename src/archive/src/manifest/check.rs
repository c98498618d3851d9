//! Whether what a manifest says can be: nothing of the file but its length is needed to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Manifest, Member};
use crate::error::NameFault;
use crate::{layout, name};

/// More members, stores or skipped stores than this are refused.
pub const MOST: usize = 10_000;

/// What cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contradiction {
    /// More than anybody has.
    TooMany {
        /// `members`
        what: &'static str,
    },
    /// It is longer than any manifest can be.
    TooLong,
    /// A member is called as none can be.
    Name {
        /// The member; cut when it is long.
        member: String,
        /// Why not.
        fault: NameFault,
    },
    /// The sha256 of a member is no sha256.
    Digest {
        /// The member.
        member: String,
    },
    /// A member with so many bytes has another number of parts.
    Parts {
        /// The member.
        member: String,
    },
    /// A member does not begin where the one before it ends, or the last one does not end where the manifest begins.
    Place {
        /// The member; empty for the end of the last one.
        member: String,
    },
    /// Its bytes cannot take so little, or so much, of the file.
    Stored {
        /// The member.
        member: String,
    },
    /// Two stores have the same name.
    StoreTwice {
        /// The store.
        store: String,
    },
    /// A store has a member that is not there, or that another one has, too.
    StoreMember {
        /// The store.
        store: String,
        /// The member.
        member: String,
    },
    /// The members of a store have more or fewer bytes.
    StoreSize {
        /// The store.
        store: String,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { what } => write!(f, "it has more than {MOST} {what}"),
            Self::TooLong => write!(f, "it is longer than {} MiB", layout::MANIFEST_MOST >> 20),
            Self::Name { member, fault } => write!(f, "no member can be called `{}`: {fault}", member.escape_debug()),
            Self::Digest { member } => write!(f, "the sha256 of member `{member}` is none"),
            Self::Parts { member } => write!(f, "member `{member}` cannot have so many parts"),
            Self::Place { member } if member.is_empty() => f.write_str("the last member does not end where it must"),
            Self::Place { member } => write!(f, "member `{member}` does not begin where the one before it ends"),
            Self::Stored { member } => write!(f, "member `{member}` cannot take so many bytes of the file"),
            Self::StoreTwice { store } => write!(f, "store `{store}` is there twice"),
            Self::StoreMember { store, member } => {
                write!(f, "member `{member}` of store `{store}` is missing or that of another one")
            }
            Self::StoreSize { store } => write!(f, "the size of store `{store}` is not that of its members"),
        }
    }
}

/// Checks all of it; `end` is where the members end in the file.
pub fn check(manifest: &Manifest, end: u64) -> Result<(), Contradiction> {
    let Manifest { members, stores, skipped, .. } = manifest;
    for (what, count) in [("members", members.len()), ("stores", stores.len()), ("skipped stores", skipped.len())] {
        if count > MOST {
            return Err(Contradiction::TooMany { what });
        }
    }
    let mut names = Names::default();
    let mut at = layout::START_LENGTH as u64;
    for member in members {
        let fault = |fault| Contradiction::Name { member: member.name.chars().take(100).collect(), fault };
        names.add(&member.name).map_err(fault)?;
        at = check_member(member, at)?;
    }
    if at != end {
        return Err(Contradiction::Place { member: String::new() });
    }
    check_stores(manifest)
}

/// Where the next member begins.
fn check_member(member: &Member, at: u64) -> Result<u64, Contradiction> {
    let name = || member.name.clone();
    if member.sha256.len() != 64 || !member.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Contradiction::Digest { member: name() });
    }
    if member.parts != layout::parts(member.size) || member.parts > layout::PARTS_MOST {
        return Err(Contradiction::Parts { member: name() });
    }
    if member.at != at {
        return Err(Contradiction::Place { member: name() });
    }
    // no product of these can overflow: the parts have eight digits
    let least = member.parts * layout::PREFIX_LENGTH as u64;
    let most = member.parts * layout::stored_most(layout::PART) as u64;
    if member.stored <= least || member.stored > most {
        return Err(Contradiction::Stored { member: name() });
    }
    at.checked_add(member.stored).ok_or_else(|| Contradiction::Stored { member: name() })
}

fn check_stores(manifest: &Manifest) -> Result<(), Contradiction> {
    let mut sizes: BTreeMap<&str, u64> = manifest.members.iter().map(|m| (m.name.as_str(), m.size)).collect();
    let mut seen = BTreeSet::new();
    for store in &manifest.stores {
        if !seen.insert(&store.name) {
            return Err(Contradiction::StoreTwice { store: store.name.clone() });
        }
        let mut size = 0;
        for member in &store.members {
            let missing = || Contradiction::StoreMember { store: store.name.clone(), member: member.clone() };
            size += sizes.remove(member.as_str()).ok_or_else(missing)?;
        }
        if size != store.size {
            return Err(Contradiction::StoreSize { store: store.name.clone() });
        }
    }
    Ok(())
}

/// The names of members: each is a file of its own in a folder of files.
#[derive(Debug, Default)]
pub struct Names {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Names {
    /// Adds one, if it can stand beside the others.
    pub fn add(&mut self, name: &str) -> Result<(), NameFault> {
        name::check_member(name)?;
        let folders = || name.match_indices('/').map(|(at, _)| &name[..at]);
        if self.folders.contains(name) || self.files.contains(name) || folders().any(|f| self.files.contains(f)) {
            return Err(NameFault::Taken);
        }
        self.folders.extend(folders().map(str::to_owned));
        self.files.insert(name.to_owned());
        Ok(())
    }
}
