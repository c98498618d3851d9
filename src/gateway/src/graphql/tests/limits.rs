//! Documents that ask for too much.

use super::super::execute::{Asked, ready};
use super::super::limits::Limits;
use super::super::trouble::refused;
use super::*;

fn tree() -> Vec<Contract> {
    let node = json!({ "type": "object", "properties": {
        "id": { "type": "string" }, "next": { "$ref": "#" }, "all": { "type": "array", "items": { "$ref": "#" } },
    } });
    vec![contract("trees", "GetTreeQuery", none(), node), contract("auth", "LoginCommand", none(), none())]
}

/// What is said of a document; nothing when it is taken.
fn said(query: String) -> Option<String> {
    let visible = visible(tree());
    let asked = Asked { query, ..Asked::default() };
    let troubles = ready(&visible, &caller(None), &Limits::default(), true, &asked).err()?;
    Some(refused(&troubles, "c1")["errors"][0]["message"].as_str().unwrap().to_owned())
}

fn nested(levels: usize, field: &str) -> String {
    format!("{{ getTree(input: {{}}) {} }}", format!("{{ {field} ").repeat(levels) + "{ id }" + &"}".repeat(levels))
}

fn too_much(query: String, what: &str) {
    let said = said(query).unwrap();
    assert!(said.contains(what), "{said}");
}

#[test]
fn what_is_within_the_limits_is_taken() {
    assert_eq!(said(nested(8, "next")), None);
    assert_eq!(said("{ getTree(input: {}) { all { all { id } } } }".to_owned()), None);
    let aliases: String = (0..30).map(|i| format!("a{i}: login(input: {{}}) ")).collect();
    assert_eq!(said(format!("mutation {{ {aliases} }}")), None);
}

#[test]
fn depth_fields_and_complexity_are_bounded() {
    too_much(nested(9, "next"), "levels of fields");
    too_much(nested(1000, "next"), "limit");
    too_much(format!("{{ getTree(input: {{}}) {{ {} }} }}", "id ".repeat(101)), "fields");
    too_much(nested(4, "all"), "complexity");
}

#[test]
fn aliases_directives_operations_and_text_are_bounded() {
    let logins: String = (0..10_000).map(|i| format!("a{i}: login(input: {{}}) ")).collect();
    too_much(format!("mutation {{ {logins} }}"), "longer than");
    let logins: String = (0..31).map(|i| format!("a{i}: login(input: {{}}) ")).collect();
    too_much(format!("mutation {{ {logins} }}"), "aliases");
    too_much(format!("{{ getTree(input: {{}}) {{ id {} }} }}", "@skip(if: false) ".repeat(51)), "directives");
    too_much((0..11).map(|i| format!("query Q{i} {{ getTree(input: {{}}) {{ id }} }} ")).collect(), "operations");
    too_much("{".repeat(40_000), "limit");
    too_much(format!("{{ {} }}", "id ".repeat(9_000)), "limit");
}

#[test]
fn fragments_count_where_they_are_used() {
    let mut query = "{ getTree(input: {}) { ...F0 } } fragment F30 on GetTreeResult { id }".to_owned();
    for i in 0..30 {
        query += &format!(" fragment F{i} on GetTreeResult {{ next {{ ...F{0} }} all {{ ...F{0} }} }}", i + 1);
    }
    too_much(query, "levels of fields");
    let mut query = "{ getTree(input: {}) { ...F0 } } fragment F30 on GetTreeResult { id }".to_owned();
    for i in 0..30 {
        query += &format!(" fragment F{i} on GetTreeResult {{ ...F{0} ...F{0} }}", i + 1);
    }
    too_much(query, "fields");
    too_much(
        "{ getTree(input: {}) { ...A } } fragment A on GetTreeResult { ...B } fragment B on GetTreeResult { ...A }"
            .to_owned(),
        "fragment",
    );
}

#[test]
fn introspection_can_be_turned_off() {
    let visible = visible(tree());
    let asked = |query: &str| Asked { query: query.to_owned(), ..Asked::default() };
    let query = "{ __schema { types { name } } __typename }";
    let on = ready(&visible, &caller(None), &Limits::default(), true, &asked(query)).ok().unwrap();
    let names = on.response(&Default::default(), "c1")["data"]["__schema"]["types"].to_string();
    assert!(names.contains("GetTreeResult"), "{names}");
    for query in [query, "{ ...F } fragment F on Query { x: __type(name: \"Query\") { name } }"] {
        let troubles = ready(&visible, &caller(None), &Limits::default(), false, &asked(query)).err().unwrap();
        assert!(refused(&troubles, "c1").to_string().contains("introspection is turned off"));
    }
    assert!(ready(&visible, &caller(None), &Limits::default(), false, &asked("{ __typename }")).is_ok());
}

#[test]
fn introspection_has_bounds_of_its_own() {
    let types =
        "{ types { fields { type ".repeat(1) + &"{ fields { type ".repeat(5) + "{ name }" + &"} }".repeat(5) + "} } }";
    too_much(format!("{{ __schema {types} }}"), "depth");
}
