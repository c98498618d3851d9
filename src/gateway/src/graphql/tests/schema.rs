//! What becomes of a schema: one contract, and the SDL that it is translated to.

use insta::assert_snapshot;
use serde_json::json;

use super::*;

/// The SDL of one query, without the scalars that are always there.
fn sdl(input: Value, output: Value) -> String {
    shown(vec![contract("users", "GetUserQuery", input, output)])
}

fn shown(contracts: Vec<Contract>) -> String {
    let visible = visible(contracts);
    assert!(visible.made().schema.types.contains_key("JSON"), "not valid: {}", visible.sdl());
    let sdl = visible.sdl();
    sdl.split_once("scalar Long\n").unwrap().1.to_owned()
}
