use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "page": { "type": "integer", "minimum": 1 },
            "price": { "type": "number" },
            "search": { "type": "string" },
            "order": { "$ref": "#/$defs/Order" },
            "after": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
            "nick": { "type": ["string", "null"] },
            "deep": { "type": "boolean" },
            "level": { "enum": [1, 2] },
            "tags": { "type": "array", "items": { "type": "string" } },
            "ids": { "anyOf": [{ "type": "array", "items": { "type": "integer" } }, { "type": "null" }] },
            "filter": { "anyOf": [{ "$ref": "#/$defs/Filter" }, { "type": "null" }] },
            "items": { "type": "array", "items": { "$ref": "#/$defs/Filter" } },
            "labels": { "type": "object", "additionalProperties": { "type": "integer" } },
            "user.name": { "type": "string" },
            "any": true,
            "ip": { "type": "string", "x-filled-in": true },
        },
        "$defs": {
            "Order": { "oneOf": [{ "const": "asc" }, { "const": "desc" }] },
            "Filter": {
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "age": { "type": "integer" },
                    "and": { "$ref": "#/$defs/Filter" },
                    "ids": { "type": "array", "items": { "type": "integer" } },
                },
                "additionalProperties": false,
            },
        },
    })
}

fn fields(query: &str) -> (Value, Vec<String>) {
    let (schema, mut flaws) = (schema(), Flaws::default());
    let value = read(query, &schema, &mut flaws);
    (Value::Object(value), flaws.fields().into_iter().map(str::to_owned).collect())
}

#[test]
fn text_becomes_what_the_schema_says() {
    for (query, expected) in [
        ("", json!({})),
        ("&&", json!({})),
        ("page=2&search=2", json!({ "page": 2, "search": "2" })),
        ("page=-3&price=1.5e2", json!({ "page": -3, "price": 150.0 })),
        ("price=7", json!({ "price": 7 })),
        ("page=18446744073709551615", json!({ "page": u64::MAX })),
        ("order=asc", json!({ "order": "asc" })),
        ("after=5&nick=", json!({ "after": 5, "nick": "" })),
        ("after=", json!({ "after": null })),
        ("after=null&nick=null", json!({ "after": null, "nick": "null" })),
        ("deep=true", json!({ "deep": true })),
        ("level=2", json!({ "level": 2 })),
        ("search=a+b%2Bc%26%3D&any=1", json!({ "search": "a b+c&=", "any": "1" })),
        ("search", json!({ "search": "" })),
        ("search=a=b", json!({ "search": "a=b" })),
        ("%73earch=x", json!({ "search": "x" })),
        ("tags=a", json!({ "tags": ["a"] })),
        ("tags=", json!({ "tags": [] })),
        ("tags=a,b&tags=c", json!({ "tags": ["a", "b", "c"] })),
        ("tags=a%2Cb", json!({ "tags": ["a,b"] })),
        ("tags[]=a,b&tags[]=c", json!({ "tags": ["a,b", "c"] })),
        ("tags%5B%5D=a", json!({ "tags": ["a"] })),
        ("tags[0]=a&tags[1]=b", json!({ "tags": ["a", "b"] })),
        ("ids=1,2", json!({ "ids": [1, 2] })),
        ("filter.name=x&filter[age]=3", json!({ "filter": { "name": "x", "age": 3 } })),
        ("filter[and][and].ids=1,2", json!({ "filter": { "and": { "and": { "ids": [1, 2] } } } })),
        (
            "items[0].name=x&items[0].age=1&items[1][ids][]=4",
            json!({ "items": [{ "name": "x", "age": 1 }, { "ids": [4] }] }),
        ),
        ("labels.a=1&labels[b]=2", json!({ "labels": { "a": 1, "b": 2 } })),
        ("user.name=x", json!({ "user.name": "x" })),
    ] {
        assert_eq!(fields(query), (expected, vec![]), "{query}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    for (query, expected) in [
        ("page=x&price=y&deep=1&after=z&level=a", &["page", "price", "deep", "after", "level"][..]),
        ("page=1.0", &["page"]),
        ("page=1e3", &["page"]),
        ("page=%201", &["page"]),
        ("page=1%20", &["page"]),
        ("page=01", &["page"]),
        ("page=+1", &["page"]),
        ("page=", &["page"]),
        ("price=1e999", &["price"]),
        ("price=NaN", &["price"]),
        ("price=Infinity", &["price"]),
        ("pgae=1&ip=::1", &["pgae", "ip"]),
        ("page=1&page=2", &["page"]),
        ("page=1&page=1", &["page"]),
        ("page.x=1", &["page.x"]),
        ("search=%zz&nick=%f", &["search", "nick"]),
        ("search=%00", &["search"]),
        ("search=%ff", &["search"]),
        ("ids=1,x,3,y", &["ids[1]", "ids[3]"]),
        ("ids[1]=1", &["ids"]),
        ("ids[00]=1", &["ids"]),
        ("filter=x", &["filter"]),
        ("filter.nmae=x", &["filter.nmae"]),
        ("filter.age=x", &["filter.age"]),
        ("filter=x&filter.name=y", &["filter"]),
        ("items[].name=x", &["items"]),
        ("labels.a=x", &["labels.a"]),
        ("=x", &[""]),
        ("[a]=x", &["[a]"]),
        ("a]=x", &["a]"]),
        ("a[=x", &["a["]),
        ("a[b]c=x", &["a[b]c"]),
        ("a..b=x", &["a..b"]),
        ("%00=x", &["%00"]),
        ("%zz=x", &["%zz"]),
    ] {
        let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(fields(query).1, expected, "{query}");
    }
}

#[test]
fn there_are_limits() {
    let deep = "a[b]".to_owned() + &"[b]".repeat(MOST_NAMES) + "=1";
    assert_eq!(fields(&deep).1.len(), 1);
    let many = "search=x&".repeat(MOST_PARAMETERS + 1);
    assert_eq!(fields(&many).1, ["?", "search"]);
}
