//! What is done about each message.

pub mod entry;
pub mod external;
pub mod limits;
pub mod queries;
pub mod roles;
pub mod sessions;
pub mod users;
