//! `banyan reset` of single services, and what comes up again after it.

use super::{Small, changed, clients};
use crate::support::{free_port, run};

/// A cache with data, and another one with data that depends on it.
fn two(name: &str) -> Small {
    Small::new(name)
        .cache("first", "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"data:/data\"]\n")
        .cache(
            "second",
            "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"more:/data\"]\ndepends_on: [first]\n",
        )
        .rest("volumes: { data: {}, more: {} }\n")
}

#[test]
fn the_data_of_one_service_goes_and_that_of_its_dependents_stays() {
    let small = two("one");
    small.ok(&["up"]);
    small.redis("first", "set kept yes");
    small.redis("second", "set kept yes");
    let run = small.ok(&["reset", "first", "--yes"]);
    assert!(run.stderr.contains("_data") && !run.stderr.contains("_more"), "{}", run.stderr);
    assert_eq!(
        (small.redis("first", "get kept"), small.redis("second", "get kept")),
        (String::new(), "yes".to_owned())
    );
}

#[test]
fn data_goes_also_when_its_service_has_no_container() {
    let small = two("after-down");
    small.ok(&["up"]);
    small.redis("first", "set kept yes");
    small.ok(&["down"]);
    let refused = small.ends(&["reset", "first"], 2);
    assert!(refused.stderr.contains("_data") && !refused.stderr.contains("_more"), "{}", refused.stderr);
    small.ok(&["reset", "first", "--yes"]);
    assert_eq!(small.redis("first", "get kept"), "");
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["first"], "no more than what was asked for");

    small.ok(&["down"]);
    small.ok(&["down", "-v", "second"]);
    assert_eq!(small.leftovers(), [format!("{}_data", small.project())]);
}

#[test]
fn what_ran_comes_back_and_what_the_files_no_longer_name_does_not() {
    let small = Small::new("back").cache("main", "").cache("tool", "profiles: [tools]\n").cache("old", "").rest("");
    small.ok(&["up", "--profile", "tools"]);
    let before = small.containers();
    assert_eq!(before.len(), 3);
    let path = small.stage.folder().join("compose.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.find("  old:").unwrap()]).unwrap();
    small.ok(&["reset", "main", "--yes"]);
    assert_eq!(changed(&before, &small.containers()), ["main"], "the others have nothing to do with it");
    small.ok(&["reset", "--yes"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["main", "tool"]);
}

/// A volume of another server is refused, and the commands of the hint take its data over.
#[test]
fn the_hint_about_data_of_another_server_works_as_pasted() {
    let _one = crate::support::heavy();
    let small = Small::new("convert");
    let (port, name) = (free_port(), small.project().to_owned());
    let made_by = super::images::recipe(&small.stage, "postgres");
    // the same server under another source, as a published image would be
    let other = format!("banyan-test/{name}:1");
    let draft = format!("{name}-draft");
    small.stage.docker(&["create", "--name", &draft, &made_by]);
    small.stage.docker(&["commit", "--change", "LABEL dev.banyan.source=elsewhere", &draft, &other]);
    small.stage.docker(&["rm", &draft]);
    let text = format!(
        "name: {name}
services:
  postgres:
    image: ${{DB_IMAGE:-banyan-local/postgres}}
    environment: {{ POSTGRES_USER: me, POSTGRES_PASSWORD: secret }}
    ports: [\"127.0.0.1:{port}:5432\"]
    volumes: [\"data:/var/lib/postgresql/data\"]
    stop_signal: SIGINT
    x-banyan: {{ recipe: postgres, ready: {{ protocol: sql, port: 5432, user: me, password: secret, database: me }} }}
volumes: {{ data: {{}} }}
"
    );
    small.stage.write("compose.yaml", &text);
    small.ok(&["up"]);
    let sql = |query: &'static str| clients::sql(&format!("postgresql://me:secret@127.0.0.1:{port}/me"), query);
    let psql = |line: &str| {
        small.stage.docker(&["exec", &small.container("postgres"), "psql", "-U", "me", "-qAtc", line]);
    };
    psql("CREATE TABLE kept (word text)");
    psql("INSERT INTO kept VALUES ('here')");

    let mut small = small;
    small.stage.set("DB_IMAGE", &other);
    let refused = small.ends(&["up"], 12);
    let (_, hint) = refused.stderr.split_once("hint: ").unwrap();
    let commands: Vec<&str> = hint.lines().filter_map(|l| l.split_once(": ")).map(|(_, command)| command).collect();
    assert_eq!(commands.len(), 5, "{hint}");
    for command in &commands[..4] {
        let run = small.stage.sh(command);
        assert_eq!(run.code, 0, "{command}\n{}{}", run.stdout, run.stderr);
    }
    let image = small.inspect("postgres", "{{.Config.Image}}");
    assert_eq!(image, other, "it is the new server");
    assert_eq!(sql("SELECT word FROM kept").unwrap(), "here");
    run(small.stage.bare(&["--file", "compose.yaml", "down", "-v"]));
    small.stage.docker(&["rmi", &other]);
}
