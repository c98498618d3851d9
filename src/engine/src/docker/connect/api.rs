//! The version of the engine's API.

use std::fmt;

use bollard::{API_DEFAULT_VERSION, ClientVersion};

/// A version of the engine's API: `1.41`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Api {
    /// The part before the dot.
    pub major: usize,
    /// The part after the dot.
    pub minor: usize,
}

impl Api {
    /// The oldest one that will do: Docker Engine 20.10.
    pub const OLDEST: Api = Api { major: 1, minor: 41 };

    /// A version by its two numbers: `engine.api() >= Api::new(1, 44)`.
    pub const fn new(major: usize, minor: usize) -> Self {
        Self { major, minor }
    }

    /// The newest one that we know.
    pub(super) const fn newest() -> Self {
        Self::new(API_DEFAULT_VERSION.major_version, API_DEFAULT_VERSION.minor_version)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<Api> for ClientVersion {
    fn from(api: Api) -> Self {
        ClientVersion { major_version: api.major, minor_version: api.minor }
    }
}
