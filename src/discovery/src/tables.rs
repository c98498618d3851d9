//! The tables of service discovery.

/// Their names as a whole.
pub(crate) const SET: &str = "discovery";

/// What makes them, in order.
pub(crate) const MIGRATIONS: &[(&str, &str)] = &[("contracts", include_str!("tables/1_contracts.sql"))];
