//! The file of a backup, `NAME.banyan`: members, a manifest and checksums. What is in the members is not known here.
//!
//! ```text
//!  a tar, cut into zstd frames:    ┌─ inside age when sealed ───────────────────────────────────────────┐
//!                                  │ start │ part │ part │ … │ part │ manifest.json, end of tar │ footer │
//!                                  └────────────────────────────────────────────────────────────────────┘
//!  a part is one entry of the tar:   length and checksum of the frame │ zstd frame: header, at most 2 MiB, padding
//! ```
//!
//! A [`Writer`] takes the members one after the other, of whatever size; a member becomes one part or many. What is
//! written has a temporary name until it is complete and on the disk. An [`Archive`] reads the footer and the manifest
//! first; the manifest says where each member is, so nothing else has to be read to find it. The reader knows every byte
//! of a header before it reads it: the only archive that it accepts is one that a [`Writer`] could have written. The
//! `README.md` of this crate describes the format, and how to read a file without banyan.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod folder;
mod layout;
mod manifest;
mod name;
mod read;
mod seal;
mod write;

pub use banyan_protocol::Timestamp;
pub use error::{Damage, Error, NameFault, Result};
pub use folder::{Kept, Listed, list, surplus, sweep};
pub use manifest::{Consistency, Contradiction, Image, Kind, Manifest, Member, Method, Schema, Skipped, Store, Tool};
pub use name::{FileName, NotAFileName};
pub use read::{Archive, MemberReader};
pub use seal::{Sealing, Unsealing};
pub use write::{MemberWriter, Summary, Writer, Written};
