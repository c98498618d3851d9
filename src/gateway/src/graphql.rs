//! GraphQL: contracts as fields of one schema for each set of permissions.

mod entries;
mod execute;
mod limits;
mod names;
mod schemas;
#[cfg(test)]
mod tests;
mod trouble;
mod types;
mod wire;
