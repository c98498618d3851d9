//! The REST door: paths made of contracts.

mod body;
mod documents;
mod etag;
mod flaws;
mod input;
mod mapping;
mod openapi;
mod packed;
mod query;
mod routes;
#[cfg(test)]
mod samples;
mod schema;
