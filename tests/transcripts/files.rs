//! Mistakes in compose files: place, line, what is meant; nothing goes to the engine.

use super::{stage, transcript};

/// What `up` says to a compose file.
fn up(name: &str, text: &str) -> String {
    let stage = stage(name);
    stage.write("compose.yaml", text);
    transcript(&stage, &["--file", "compose.yaml", "up"])
}

#[test]
fn not_yaml() {
    insta::assert_snapshot!(up("yaml", "services:\n  web:\n    image: [nginx\n    ports: {}\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:10: not valid YAML: illegal placement of ':' indicator
         |
       4 |     ports: {}
         |          ^
    ");
}

#[test]
fn a_tab() {
    insta::assert_snapshot!(up("tab", "services:\n\tweb:\n\t\timage: nginx\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:2:1: a tab cannot indent YAML
         |
       2 | web:
         | ^
        hint: indent with spaces
    ");
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(up("key", "services:\n  web:\n    image: nginx\n    enviroment: { A: b }\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:5: unknown key `enviroment` in a service
         |
       4 |     enviroment: { A: b }
         |     ^
        hint: did you mean `environment`?
    ");
}

#[test]
fn a_key_that_stands_twice() {
    insta::assert_snapshot!(up("twice", "services:\n  web:\n    image: nginx\n    image: apache\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:5: key `image` is set twice
         |
       4 |     image: apache
         |     ^
        hint: it is already set in line 3
    ");
}

#[test]
fn a_variable_that_must_be_set() {
    insta::assert_snapshot!(up("variable", "services:\n  web:\n    image: ${IMAGE:?name one, such as nginx}\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:3:12: required variable `IMAGE` is missing a value: name one, such as nginx
         |
       3 |     image: ${IMAGE:?name one, such as nginx}
         |            ^
    ");
}

#[test]
fn a_broken_variable() {
    insta::assert_snapshot!(up("broken", "services:\n  web:\n    image: nginx:${TAG\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:3:18: invalid template `${TAG`
         |
       3 |     image: nginx:${TAG
         |                  ^
    ");
}

#[test]
fn a_circle() {
    let text = "services:
  a: { image: i, depends_on: [b] }
  b: { image: i, depends_on: [c] }
  c: { image: i, depends_on: [a] }
";
    insta::assert_snapshot!(up("circle", text), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:31: services depend on each other: a → b → c → a
         |
       4 |   c: { image: i, depends_on: [a] }
         |                               ^
    ");
}

#[test]
fn a_port_that_cannot_be() {
    insta::assert_snapshot!(up("port", "services:\n  web:\n    image: nginx\n    ports: [\"70000:80\"]\n"), @r#"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:13: port `70000:80`: host port 70000 is out of range
         |
       4 |     ports: ["70000:80"]
         |             ^
        hint: ports go from 1 to 65535
    "#);
}

#[test]
fn an_environment_file_that_is_not_there() {
    insta::assert_snapshot!(up("envfile", "services:\n  web:\n    image: nginx\n    env_file: secrets.env\n"), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:4:15: env file [folder]/secrets.env does not exist
         |
       4 |     env_file: secrets.env
         |               ^
    ");
    let stage = stage("envfile-option");
    insta::assert_snapshot!(transcript(&stage, &["--env-file", "absent.env", "up"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/absent.env: env file does not exist
    ");
}

#[test]
fn a_compose_file_that_is_not_there() {
    insta::assert_snapshot!(transcript(&stage("absent"), &["--file", "absent.yaml", "up"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/absent.yaml: compose file does not exist
    ");
}

#[test]
fn networks_and_volumes_that_are_not_declared() {
    let text = "services:
  web:
    image: nginx
    networks: [front]
    volumes: [\"data:/data\"]
volumes:
  date: {}
";
    insta::assert_snapshot!(up("undeclared", text), @r#"
    exit code 3
    ── stderr
    error[E0301]: mistakes in the configuration; nothing was changed
      [folder]/compose.yaml:4:16: network `front` is not defined
         |
       4 |     networks: [front]
         |                ^
        hint: add `front:` under the top-level `networks:`
      [folder]/compose.yaml:5:15: volume `data` is not defined
         |
       5 |     volumes: ["data:/data"]
         |               ^
        hint: did you mean `date`?
    "#);
}

#[test]
fn a_dependency_that_is_not_there() {
    let text = "services:\n  web: { image: nginx, depends_on: [databse] }\n  database: { image: postgres }\n";
    insta::assert_snapshot!(up("dependency", text), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/compose.yaml:2:37: service `web` depends on `databse`, which is not defined
         |
       2 |   web: { image: nginx, depends_on: [databse] }
         |                                     ^
        hint: did you mean `database`?
    ");
}

#[test]
fn all_mistakes_at_once() {
    let text = "services:
  web:
    image: nginx
    ports: [\"99999:80\"]
    restrat: always
    depends_on: [bd]
  db:
    image: postgres
    mem_limit: lots
    stop_grace_period: later
";
    insta::assert_snapshot!(up("all", text), @r#"
    exit code 3
    ── stderr
    error[E0301]: mistakes in the configuration; nothing was changed
      [folder]/compose.yaml:4:13: port `99999:80`: host port 99999 is out of range
         |
       4 |     ports: ["99999:80"]
         |             ^
        hint: ports go from 1 to 65535
      [folder]/compose.yaml:5:5: unknown key `restrat` in a service
         |
       5 |     restrat: always
         |     ^
        hint: did you mean `restart`?
      [folder]/compose.yaml:6:18: service `web` depends on `bd`, which is not defined
         |
       6 |     depends_on: [bd]
         |                  ^
        hint: did you mean `db`?
      [folder]/compose.yaml:9:16: `mem_limit`: `lots` is not a size
         |
       9 |     mem_limit: lots
         |                ^
        hint: write it like `64k`, `512m` or `1g`
      [folder]/compose.yaml:10:24: `stop_grace_period`: `later` is not a duration
          |
       10 |     stop_grace_period: later
          |                        ^
        hint: write it like `500ms`, `30s` or `1m30s`
    "#);
}

#[test]
fn the_report_as_json() {
    let stage = stage("files-json");
    stage.write("compose.yaml", "services:\n  web:\n    image: nginx\n    prots: []\n");
    let run = crate::support::run(stage.bare(&["--file", "compose.yaml", "--output", "json", "up"]));
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    let value: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["error"]["code"], "E0301");
    assert_eq!(value["error"]["exit_code"], 3);
    let details = value["error"]["details"].to_string();
    assert!(details.contains("compose.yaml:4:5: ") && details.contains("`ports`"), "{details}");
}
