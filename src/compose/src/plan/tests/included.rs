//! Which services are brought up, and which of them count as required.

use super::project;
use crate::plan::{included, included_with};

const TIERS: &str = "
services:
  db: {image: db}
  web: {image: web, depends_on: {db: {condition: service_healthy}, trace: {condition: service_started, required: false}}}
  trace: {image: trace, depends_on: [store], x-banyan: {tier: watch}}
  store: {image: store, x-banyan: {tier: watch}}
  board: {image: board, depends_on: [trace, db], x-banyan: {tier: watch}}
";

/// `required / optional`
fn sets(yaml: &str, named: &[&str], no_deps: bool) -> String {
    let named: Vec<String> = named.iter().map(|s| (*s).to_owned()).collect();
    let (required, optional) = included(&project(yaml), &named, no_deps);
    format!("{} / {}", required.join(" "), optional.join(" ")).trim().to_owned()
}

#[test]
fn all_services_by_default_with_the_tiers_apart() {
    assert_eq!(sets(TIERS, &[], false), "db web / trace store board");
}

#[test]
fn a_named_service_brings_what_it_depends_on() {
    assert_eq!(sets(TIERS, &["db"], false), "db /");
    assert_eq!(sets(TIERS, &["web"], false), "db web / trace store");
}

#[test]
fn a_named_service_of_a_tier_is_required_and_so_is_what_it_needs() {
    assert_eq!(sets(TIERS, &["store"], false), "store /");
    assert_eq!(sets(TIERS, &["board"], false), "db trace store board /");
    assert_eq!(sets(TIERS, &["web", "trace"], false), "db web trace store /");
}

#[test]
fn what_a_required_service_cannot_do_without_is_required() {
    assert_eq!(sets(&TIERS.replace(", required: false", ""), &[], false), "db web trace store / board");
}

#[test]
fn without_dependencies_only_what_is_named() {
    assert_eq!(sets(TIERS, &["web"], true), "web /");
    assert_eq!(sets(TIERS, &["board", "web"], true), "web board /");
}

#[test]
fn what_is_wanted_beside_the_named_ones_stays_what_it_is() {
    let list = |names: &[&str]| names.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let (required, optional) = included_with(&project(TIERS), &list(&["db"]), &list(&["board"]), false);
    assert_eq!((required, optional), (list(&["db"]), list(&["trace", "store", "board"])));
}
