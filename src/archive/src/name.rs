//! What archives and members are called.

use std::{fmt, str::FromStr};

use banyan_protocol::Timestamp;

use crate::error::NameFault;
use crate::layout;

/// How archives end.
pub const EXTENSION: &str = ".banyan";

/// What stands before the extension of an archive that was made to undo something.
const UNDO: &str = ".undo";

/// The name of an archive that was given none: `shop.default.20300101T000000.000Z.banyan`. By name is by time, within an
/// instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Which project it is of.
    pub project: String,
    /// Which instance it is of.
    pub instance: String,
    /// When it was made.
    pub created: Timestamp,
    /// True when it was made before something was deleted, so that it can be undone.
    pub undo: bool,
}

/// A text is not the name of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an archive: expected PROJECT.INSTANCE.TIME.banyan")]
pub struct NotAFileName;

impl FileName {
    /// The name of an archive that is made at this time.
    #[must_use]
    pub fn new(project: impl Into<String>, instance: impl Into<String>, created: Timestamp) -> Self {
        Self { project: project.into(), instance: instance.into(), created, undo: false }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time: String = self.created.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let undo = if self.undo { UNDO } else { "" };
        write!(f, "{}.{}.{time}{undo}{EXTENSION}", self.project, self.instance)
    }
}

impl FromStr for FileName {
    type Err = NotAFileName;

    fn from_str(text: &str) -> Result<Self, NotAFileName> {
        let parse = || {
            let text = text.strip_suffix(EXTENSION)?;
            let (text, undo) = text.strip_suffix(UNDO).map_or((text, false), |text| (text, true));
            let (text, fraction) = text.rsplit_once('.')?;
            let (whose, time) = text.rsplit_once('.')?;
            let (project, instance) = whose.split_once('.')?;
            let (date, clock) = time.split_once('T')?;
            let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
            let (hour, minute, second) = (clock.get(..2)?, clock.get(2..4)?, clock.get(4..)?);
            let created = format!("{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}").parse().ok()?;
            Some(Self { undo, ..Self::new(project, instance, created) })
        };
        let is_whole = |name: &Self| !name.project.is_empty() && !name.instance.is_empty();
        // only the one way of writing a time, and whose it is
        let only = |name: &Self| !name.instance.contains('.') && name.to_string() == text;
        parse().filter(|name| is_whole(name) && only(name)).ok_or(NotAFileName)
    }
}

/// Whether a member can be called so, whatever the others are called.
pub fn check_member(name: &str) -> Result<(), NameFault> {
    // room for the number of a part
    if name.is_empty() || name.len() > 90 {
        return Err(NameFault::Length);
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)) {
        return Err(NameFault::Characters);
    }
    if name.split('/').any(|component| component.is_empty() || component.starts_with(['.', '-'])) {
        return Err(NameFault::Component);
    }
    let number =
        name.rsplit_once('.').is_some_and(|(_, end)| end.len() == 8 && end.bytes().all(|b| b.is_ascii_digit()));
    if number || name == layout::MANIFEST {
        return Err(NameFault::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_archives_go_there_and_back() {
        let created: Timestamp = "2030-01-02T03:04:05.678Z".parse().unwrap();
        for (project, instance) in [("shop", "default"), ("a-b", "c_d"), ("x-20300101T000000", "undo")] {
            let name = FileName::new(project, instance, created);
            assert_eq!(name.to_string(), format!("{project}.{instance}.20300102T030405.678Z.banyan"));
            assert_eq!(name.to_string().parse(), Ok(name.clone()));
            let undo = FileName { undo: true, ..name };
            assert_eq!(undo.to_string(), format!("{project}.{instance}.20300102T030405.678Z.undo.banyan"));
            assert_eq!(undo.to_string().parse(), Ok(undo));
        }
    }

    #[test]
    fn other_names_are_nobodys() {
        let wrong = [
            "",
            ".banyan",
            "seed.banyan",
            "shop.default.banyan",
            ".default.20300102T030405.678Z.banyan",
            "shop..20300102T030405.678Z.banyan",
            "a.b.c.20300102T030405.678Z.banyan",
            "default.20300102T030405.678Z.banyan",
            "shop.default.20300102T030405.678Z",
            "shop.default.20300102T030405Z.banyan",
            "shop.default.20300102T030405.6789Z.banyan",
            "shop.default.20300102T030405.678+01:00.banyan",
            "shop.default.2030-01-02T03:04:05.678Z.banyan",
            "shop.default.20301302T030405.678Z.banyan",
            "shop.default.203é0102T030405.678Z.banyan",
            "shop.default.20300102T030405.678Z.undone.banyan",
        ];
        for text in wrong {
            assert_eq!(text.parse::<FileName>(), Err(NotAFileName), "{text}");
        }
    }

    #[test]
    fn members_are_called_like_files_that_surprise_nobody() {
        for name in ["a", "postgres/dump.tar", "v/1_x-Y.z", "a.1234567", "a.123456789", &"x".repeat(90)] {
            assert_eq!(check_member(name), Ok(()), "{name}");
        }
        let wrong = [
            ("", NameFault::Length),
            (&"x".repeat(91), NameFault::Length),
            ("a b", NameFault::Characters),
            ("a\\b", NameFault::Characters),
            ("a\0", NameFault::Characters),
            ("ä", NameFault::Characters),
            ("/etc/passwd", NameFault::Component),
            ("a//b", NameFault::Component),
            ("a/", NameFault::Component),
            ("..", NameFault::Component),
            ("a/../b", NameFault::Component),
            ("./a", NameFault::Component),
            (".a", NameFault::Component),
            ("-rf", NameFault::Component),
            ("manifest.json", NameFault::Reserved),
            ("a.00000001", NameFault::Reserved),
        ];
        for (name, fault) in wrong {
            assert_eq!(check_member(name), Err(fault), "{name}");
        }
    }
}
