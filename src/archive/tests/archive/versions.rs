//! Archives of other versions.

use archive::{Consistency, Error, Kind, Method, Unsealing};
use serde_json::json;

use crate::forge::{self, honest};
use crate::support::{open, read_all, verify};

/// Made by version 1.0 and never again: it must be readable for ever. Its members: `postgres/a` with `one`, and
/// `redis/b` with 3,000 zeros.
const FIRST: &[u8] = include_bytes!("v1.0.banyan");

#[test]
fn the_first_format_is_still_read() {
    let archive = verify(FIRST, &Unsealing::none()).unwrap();
    let manifest = archive.manifest();
    assert_eq!(manifest.schema_version.to_string(), "1.0");
    assert_eq!((manifest.instance.as_str(), manifest.project.as_str()), ("default", "flow-platform"));
    assert_eq!(manifest.created.to_string(), "2030-01-02T03:04:05.678Z");
    assert_eq!(manifest.consistency, Consistency::Paused);
    let store = manifest.store("postgres").unwrap();
    assert_eq!((store.kind, store.method, store.size), (Kind::Postgres, Method::Logical, 3_003));
    assert_eq!((store.counts["events"], store.digests["events"].as_str()), (3, "ab"));
    assert_eq!(store.image.digest.as_deref(), Some("sha256:00"));
    let content = read_all(&archive);
    assert_eq!(content, [("postgres/a".to_owned(), b"one".to_vec()), ("redis/b".to_owned(), vec![0; 3_000])]);
}

#[test]
fn what_is_optional_may_be_missing() {
    let bytes = forge::assemble(&[honest("a", b"x")], |it| {
        it.as_object_mut().unwrap().remove("skipped");
        it["stores"] = json!([{
            "name": "data", "kind": "volume", "method": "cold-copy", "image": { "reference": "x" },
            "members": ["a"], "size": 1,
        }]);
    });
    let archive = verify(&bytes, &Unsealing::none()).unwrap();
    assert_eq!(archive.manifest().skipped, []);
    assert_eq!(archive.manifest().stores[0].image.digest, None);
}

#[test]
fn a_newer_minor_version_is_read_as_far_as_it_is_known() {
    let bytes = forge::assemble(&[honest("a", b"x")], |it| {
        it["schema_version"] = json!("1.7");
        it["weather"] = json!({ "sun": true });
        it["consistency"] = json!("per-tenant");
        it["tool"]["mood"] = json!("good");
        it["members"][0]["colour"] = json!("green");
        it["stores"][0]["kind"] = json!("cassandra");
        it["stores"][0]["method"] = json!("magic");
    });
    let archive = verify(&bytes, &Unsealing::none()).unwrap();
    let manifest = archive.manifest();
    assert_eq!((manifest.schema_version.major, manifest.schema_version.minor), (1, 7));
    assert_eq!(manifest.consistency, Consistency::Unknown);
    assert_eq!((manifest.stores[0].kind, manifest.stores[0].method), (Kind::Unknown, Method::Unknown));
    assert_eq!(read_all(&archive)[0].1, b"x");
}

#[test]
fn a_newer_major_version_is_refused() {
    let bytes = forge::assemble(&[honest("a", b"x")], |it| {
        *it = json!({ "schema_version": "2.1", "everything": "different" });
    });
    let error = open(&bytes, &Unsealing::none()).unwrap_err();
    assert_eq!(error.to_string(), "`-` was made by a newer banyan: its format is 2.1, this one reads up to 1.0");
}

#[test]
fn a_newer_layout_is_refused() {
    let mut bytes = forge::assemble(&[honest("a", b"x")], |_| {});
    let end = bytes.len() - 1;
    (bytes[15], bytes[end]) = (2, 2);
    for length in [bytes.len(), bytes.len() - 10] {
        let error = open(&bytes[..length], &Unsealing::none()).unwrap_err();
        assert!(matches!(error, Error::Newer { found, .. } if found.major == 2), "{error}");
    }
}

#[test]
fn versions_that_are_none() {
    for version in ["", "1", "1.0.0", "01.0", "1.x", "-1.0", "99999999999.0"] {
        let bytes = forge::assemble(&[], |it| it["schema_version"] = json!(version));
        let error = open(&bytes, &Unsealing::none()).unwrap_err();
        assert!(matches!(error, Error::Manifest { .. }), "{version}: {error}");
    }
}
