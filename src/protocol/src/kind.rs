//! The kinds of messages.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Do something: one handler, one reply.
    Command,
    /// Say something: one handler, one reply, nothing changes.
    Query,
    /// It happened: any number of handlers, no reply.
    Event,
    /// The answer to a command or query.
    Response,
}

impl Kind {
    /// The ending of the message types of this kind; events have none.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Command => "Command",
            Self::Query => "Query",
            Self::Event => "",
            Self::Response => "Response",
        }
    }

    /// The kind that a message type says by its ending, or by its middle: `Users.Commands.CreateUser`.
    #[must_use]
    pub fn of(message_type: &str) -> Self {
        match message_type.rsplit('.').nth(1) {
            Some("Commands") => return Self::Command,
            Some("Queries") => return Self::Query,
            Some("Events") => return Self::Event,
            _ => {}
        }
        [Self::Response, Self::Command, Self::Query]
            .into_iter()
            .find(|kind| message_type.ends_with(kind.suffix()))
            .unwrap_or(Self::Event)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Query => "query",
            Self::Event => "event",
            Self::Response => "response",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_kind() {
        assert_eq!(Kind::of("CreateUserCommand"), Kind::Command);
        assert_eq!(Kind::of("GetUserQuery"), Kind::Query);
        assert_eq!(Kind::of("GetUserQueryResponse"), Kind::Response);
        assert_eq!(Kind::of("UserCreated"), Kind::Event);
        assert_eq!(Kind::of("Users.Commands.CreateUser"), Kind::Command);
        assert_eq!(Kind::of("Users.Queries.GetUser"), Kind::Query);
        assert_eq!(Kind::of("User.Events.LastCommand"), Kind::Event);
        assert_eq!(Kind::of("Users.CreateUserCommand"), Kind::Command);
    }
}
