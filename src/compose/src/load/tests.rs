//! Rules of the format, each as text in, text out.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::Duration;

use super::{Sources, load};
use crate::problem::Problem;
use crate::project::{Condition, MountSource, Project, Protocol, PullPolicy, Restart};

/// A folder `/p` that exists only in memory.
#[derive(Default)]
struct Folder {
    files: BTreeMap<&'static str, String>,
    sources: Sources,
}

fn folder(text: &str) -> Folder {
    let mut folder = Folder::default();
    folder.sources.working_dir = "/p".into();
    folder.file("compose.yaml", text).compose("compose.yaml")
}

impl Folder {
    fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.insert(name, text.to_owned());
        self
    }

    fn compose(mut self, name: &str) -> Self {
        self.sources.files.push(Path::new("/p").join(name));
        self
    }

    fn over(self, text: &str) -> Self {
        self.file("over.yaml", text).compose("over.yaml")
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.process_env.insert(name.into(), value.into());
        self
    }

    fn load(&self) -> Result<Project, Vec<Problem>> {
        let read = |path: &Path| {
            let name = path.strip_prefix("/p").ok().and_then(Path::to_str);
            let text = name.and_then(|name| self.files.get(name));
            text.cloned().ok_or_else(|| Error::from(ErrorKind::NotFound))
        };
        load(&self.sources, &read)
    }

    fn project(&self) -> Project {
        self.load().unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// `line:column message (hint)` of every problem.
    fn problems(&self) -> Vec<String> {
        self.load().expect_err("the load should fail").iter().map(line).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.project().warnings.iter().map(line).collect()
    }
}

fn line(problem: &Problem) -> String {
    let place = problem.place.as_ref().map(|p| format!("{}:{} ", p.line, p.column)).unwrap_or_default();
    let hint = problem.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    format!("{place}{}{hint}", problem.message)
}

/// The keys of service `a` under test, in flow or block form, after `image`.
fn service(keys: &str) -> Folder {
    folder(&format!("services:\n  a:\n    image: i\n    {keys}\n"))
}

/// Checks the problems of service `a` with these keys; line 4 is the first of them.
fn service_problem(keys: &str, expected: &str) {
    assert_eq!(service(keys).problems(), [expected], "{keys}");
}

#[test]
fn plain_service() {
    let project = folder("services: {a: {image: 'redis:7'}}").project();
    assert_eq!(project.name, "p");
    assert_eq!(project.services["a"].image, "redis:7");
    assert_eq!(project.services["a"].container_name, "p-a-1");
    assert!(!project.services["a"].named);
    assert_eq!(project.networks["default"].name, "p_default");
    assert_eq!(project.networks["default"].driver, "bridge");
    assert_eq!(project.warnings, []);
}

#[test]
fn project_names() {
    let text = "name: ${N:-From File!}\nservices: {a: {image: '${COMPOSE_PROJECT_NAME}'}}";
    assert_eq!(folder(text).project().name, "fromfile");
    assert_eq!(folder(text).env("N", "_x").project().services["a"].image, "x");
    assert_eq!(folder(text).env("COMPOSE_PROJECT_NAME", "env").project().name, "env");
    assert_eq!(folder(text).file(".env", "COMPOSE_PROJECT_NAME=dot").project().name, "dot");
    assert_eq!(folder(text).over("name: later").project().name, "later");
    let mut given = folder(text).env("COMPOSE_PROJECT_NAME", "env");
    given.sources.project_name = Some("given".into());
    assert_eq!(given.project().services["a"].image, "given");
    given.sources.project_name = Some("Not-normal".into());
    let hint = "use lower-case letters, digits, `-` and `_`, and begin with a letter or digit";
    assert_eq!(given.problems(), [format!("invalid project name `Not-normal` ({hint})")]);
}

#[test]
fn which_variable_wins() {
    let text = "services: {a: {image: $V}}";
    let image = |folder: &Folder| folder.project().services["a"].image.clone();
    let mut folder = folder(text).file(".env", "V=dot");
    assert_eq!(image(&folder), "dot");
    folder.sources.overlay.insert("V".into(), "overlay".into());
    assert_eq!(image(&folder), "overlay");
    folder = folder.file("one.env", "V=one").file("two.env", "V=two");
    folder.sources.env_files = vec!["/p/one.env".into(), "/p/two.env".into()];
    assert_eq!(image(&folder), "two");
    assert_eq!(image(&folder.env("V", "process")), "process");
}

#[test]
fn env_file_of_the_project_that_is_missing_or_broken() {
    let mut missing = folder("services: {a: {image: i}}");
    missing.sources.env_files = vec!["/p/no.env".into()];
    assert_eq!(missing.problems(), ["0:0 env file does not exist"]);
    let broken = folder("services: {a: {image: i}}").file(".env", "A=1\nB C=2");
    assert_eq!(broken.problems(), ["2:1 unexpected character ' ' in variable name `B C`"]);
    assert_eq!(broken.load().unwrap_err()[0].source_line.as_deref(), Some("B C=2"));
}

#[test]
fn unset_variables_warn_once_and_required_ones_are_problems() {
    let text = "services:\n  a:\n    image: i$X\n    user: \"${X}\"\n    hostname: h${Y:-$X}\n";
    assert_eq!(folder(text).warnings(), ["3:13 variable `X` is not set; it becomes empty text"]);
    let text = "services:\n  a:\n    image: i-${X:?set X}\n    command: [ok, \"${ a}\"]\n";
    let expected = ["3:14 required variable `X` is missing a value: set X", "4:20 invalid template `${ a}`"];
    assert_eq!(folder(text).problems(), expected);
}

#[test]
fn keys_are_not_interpolated() {
    let project = service("labels: {$X: '$$X'}").project();
    assert_eq!(project.services["a"].labels, BTreeMap::from([("$X".into(), "$X".into())]));
}

#[test]
fn yaml_that_is_wrong() {
    for (text, expected) in [
        ("services:\n  a:\n    image: i\n    image: j", "4:5 key `image` is set twice (it is already set in line 3)"),
        ("services:\n  a:\n    image: i\n  a:\n    image: j", "4:3 key `a` is set twice (it is already set in line 2)"),
        ("services:\n\ta:\n\t\timage: i", "2:1 a tab cannot indent YAML (indent with spaces)"),
        ("- a\n- b", "1:1 a compose file must be a mapping, not a list"),
        ("text", "1:1 a compose file must be a mapping, not a string"),
        ("", "the compose files are empty"),
        ("# nothing\n", "the compose files are empty"),
        ("services:", "the compose files define no service"),
        ("services: {a: {image: i, [b]: 1}}", "1:26 a key must be a string, not a list"),
        ("services: {a: {image: !weird i}}", "1:23 unknown tag `!weird`"),
        ("services: {a: {image: i, tty: !!int x}}", "1:31 `x` is not an integer"),
        ("services: {a: {<<: 1, image: i}}", "1:20 `<<` needs a mapping or a list of mappings, not a number"),
        ("services: []", "1:11 `services` must be a mapping, not a list"),
        ("services: {a: x}", "1:15 `a` must be a mapping, not a string"),
        ("services: {a b: {image: i}}", "1:12 `a b` is no name for a service: use letters, digits, `.`, `_` and `-`"),
    ] {
        assert_eq!(folder(text).problems(), [expected], "{text}");
    }
    for text in ["services: {", "services: 'x", "a: b: c", "services: *nowhere", "%YAML 9"] {
        let problems = folder(text).problems();
        assert!(problems[0].contains("not valid YAML"), "{problems:?}");
    }
}

#[test]
fn yaml_that_is_right() {
    let text = "\u{feff}x-base: &base {image: i, tty: true}\r\nservices:\r\n  a:\r\n    <<: [*base, {user: u, tty: false}]\r\n    hostname: h\r\n";
    let a = &folder(text).project().services["a"];
    assert_eq!((a.image.as_str(), a.tty, a.user.as_deref(), a.hostname.as_deref()), ("i", true, Some("u"), Some("h")));
    let anchors = "services: {a: {image: &i x}}\n---\nservices: {a: {user: *i}}";
    let ended = "3:22 an alias must come after the end of what it repeats, in the same document";
    assert_eq!(folder(anchors).problems(), [ended]);
    let keys = "services: {a: {image: i, labels: {1: x, true: y, null: z}}}";
    let labels = folder(keys).project().services["a"].labels.clone();
    assert_eq!(labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["1=x", "null=z", "true=y"]);
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused() {
    let bomb: String = (1..30).map(|i| format!("x-{i}: &b{i} [*b{0}, *b{0}]\n", i - 1)).collect();
    assert!(folder(&format!("x-0: &b0 x\n{bomb}")).problems()[0].contains("unfolds to more than"));
    let deep = format!("x-a: {}{}", "[".repeat(150), "]".repeat(150));
    assert!(folder(&deep).problems()[0].contains("nested more than"));
}

#[test]
fn every_key_is_read_or_named() {
    for (keys, expected) in [
        ("privileged: true", "4:5 `privileged` is not supported yet"),
        ("build: .", "4:5 `build` is not supported yet"),
        ("network_mode: host", "4:5 `network_mode` is not supported yet"),
        ("imagee: x", "4:5 unknown key `imagee` in a service (did you mean `image`?)"),
        ("deploy: {mode: global}", "4:14 `mode` is not supported yet"),
        ("deploy: {replicas: 2}", "4:24 `replicas: 2` is not supported yet: a service runs once"),
        ("scale: 0", "4:12 `scale: 0` is not supported yet: a service runs once"),
        ("healthcheck: {intervall: 1s}", "4:19 unknown key `intervall` in a health check (did you mean `interval`?)"),
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m}}]", "4:49 `size` is not supported yet"),
        ("volumes: ['/a:/b:z']", "4:15 volume option `z` is not supported yet"),
        ("tmpfs: '/run:size=1m'", "4:12 options of tmpfs `/run:size=1m` are not supported yet"),
        ("pull_policy: daily", "4:18 pull policy `daily` is not supported yet"),
        ("ports: ['80-81:80']", "4:13 port `80-81:80`: a range of host ports for one port is not supported yet"),
    ] {
        service_problem(keys, expected);
    }
    for (text, expected) in [
        ("include: [x]", "1:1 `include` is not supported yet"),
        ("secrets: {}", "1:1 `secrets` is not supported yet"),
        ("service: {}", "1:1 unknown key `service` in a compose file (did you mean `services`?)"),
        ("networks: {n: {ipam: {}}}", "1:16 `ipam` is not supported yet"),
        ("volumes: {v: {driver_opts: {}}}", "1:15 `driver_opts` is not supported yet"),
        (
            "configs: {c: {external: true}}",
            "1:15 an external config is not supported: there is nothing that could hold it",
        ),
    ] {
        let text = format!("{text}\nservices: {{a: {{image: i}}}}");
        assert_eq!(folder(&text).problems(), [expected], "{text}");
    }
    let extensions = "x-a: 1\nservices: {a: {image: i, x-b: [1], deploy: {x-c: 1}}}\nnetworks: {n: {x-d: 1}}";
    assert_eq!(folder(extensions).warnings(), Vec::<String>::new());
    assert_eq!(folder("version: '3'\nservices: {a: {image: i}}").warnings(), ["1:1 `version` is ignored"]);
}

#[test]
fn all_problems_come_together() {
    let text = "services:\n  a: {privileged: true, image: 5}\n  b: {image: x, depends_on: [c], init: maybe}\n";
    assert_eq!(
        folder(text).problems(),
        [
            "2:7 `privileged` is not supported yet",
            "2:32 `image` must be a string, not a number (put it in quotes)",
            "3:30 service `b` depends on `c`, which is not defined (did you mean `a`?)",
            "3:40 `init` must be true or false, not a string",
        ]
    );
}

#[test]
fn a_problem_shows_the_line() {
    let problems = service("hostnam: x").load().unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "/p/compose.yaml:4:5: unknown key `hostnam` in a service\n   |\n 4 |     hostnam: x\n   |     ^\n  hint: did you mean `hostname`?"
    );
}

#[test]
fn wrong_values() {
    for (keys, expected) in [
        ("container_name: 5", "4:21 `container_name` must be a string, not a number (put it in quotes)"),
        ("command: [a, 5]", "4:18 `command[]` must be a string, not a number (put it in quotes)"),
        ("command: \"a 'b\"", "4:14 `command` has a quote without an end"),
        ("tty: [1]", "4:10 `tty` must be true or false, not a list"),
        (
            "restart: sometimes",
            "4:14 unknown restart policy `sometimes` (use `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`)",
        ),
        (
            "stop_grace_period: 10",
            "4:24 `stop_grace_period` must be a duration, not a number (write it like `500ms`, `30s` or `1m30s`)",
        ),
        (
            "stop_grace_period: 10x",
            "4:24 `stop_grace_period`: `10x` is not a duration (write it like `500ms`, `30s` or `1m30s`)",
        ),
        ("mem_limit: big", "4:16 `mem_limit`: `big` is not a size (write it like `64k`, `512m` or `1g`)"),
        ("cpus: many", "4:11 `cpus` must be a number (write it like `\"0.5\"`)"),
        (
            "healthcheck: {test: [curl, x]}",
            "4:25 `test` must begin with `CMD`, `CMD-SHELL` or `NONE` (write `[\"CMD\", \"curl\", …]`)",
        ),
        ("healthcheck: {test: x, start_interval: 1s}", "4:28 `start_interval` needs `start_period`"),
        ("ports: [0]", "4:13 port `0`: container port 0 is out of range (ports go from 1 to 65535)"),
        ("ports: ['65536:1']", "4:13 port `65536:1`: host port 65536 is out of range (ports go from 1 to 65535)"),
        ("ports: ['a:1']", "4:13 port `a:1`: `a` is not a port number (write it like `8080:80`)"),
        ("ports: ['1:2/xtp']", "4:13 port `1:2/xtp`: unknown protocol `xtp` (use `tcp` or `udp`)"),
        (
            "ports: ['host:1:2']",
            "4:13 port `host:1:2`: `host` is not an IP address (write it like `127.0.0.1:8080:80`)",
        ),
        ("ports: ['1-2:1-3']", "4:13 port `1-2:1-3`: the ranges differ in length"),
        ("ports: ['2-1']", "4:13 port `2-1`: the container port range ends before it begins"),
        ("ports: [{published: 1}]", "4:13 a port has no `target`"),
        ("ports: [{target: 70000}]", "4:22 container port 70000 is out of range (ports go from 1 to 65535)"),
        ("expose: [x]", "4:14 `x` is not a port number (write it like `8080:80`)"),
        ("volumes: ['a::b']", "4:15 volume `a::b` has an empty part"),
        ("volumes: ['a:b:c:d']", "4:15 volume `a:b:c:d` has too many colons"),
        (
            "volumes: ['v:/x']",
            "4:15 volume `v:/x`: one letter reads as a Windows drive (use the long form with `source:` and `target:`)",
        ),
        ("volumes: [{target: /x}]", "4:15 a volume has no `type` (add `type: volume`, `type: bind` or `type: tmpfs`)"),
        ("volumes: [{type: bind, target: /x}]", "4:15 a bind mount has no `source`"),
        (
            "depends_on: {b: {}}",
            "4:18 dependency `b` has no `condition` (add `condition: service_healthy`, or use the short form)",
        ),
        ("ulimits: {nofile: {soft: 1}}", "4:15 ulimit `nofile` needs both `soft` and `hard`"),
        ("extra_hosts: [x]", "4:19 `x` is no extra host (write it like `name=10.0.0.1`)"),
        ("environment: ['A =1']", "4:5 variable name \"A \" is empty or ends in a space"),
        ("env_file: no.env", "4:15 env file /p/no.env does not exist"),
        (
            "mem_limit: 1g\n    deploy: {resources: {limits: {memory: 2g}}}",
            "5:43 `memory` differs from the same limit outside `deploy`",
        ),
        ("x-banyan: {ready: {protocol: sqll, port: 1}}", "4:34 unknown protocol `sqll` (did you mean `sql`?)"),
        ("x-banyan: {ready: {protocol: sql, port: 0}}", "4:45 port 0 is out of range (ports go from 1 to 65535)"),
        ("x-banyan: {teir: x}", "4:16 unknown key `teir` in `x-banyan` (did you mean `tier`?)"),
        ("x-banyan: {addresses: [{name: x}]}", "4:28 `url` is missing"),
    ] {
        let problems = service(keys).problems();
        assert_eq!(problems.first().map(String::as_str), Some(expected), "{keys}");
    }
}

#[test]
fn references_between_services() {
    for (text, expected) in [
        (
            "services: {a: {image: i, networks: [nett]}}\nnetworks: {net: }",
            "1:37 network `nett` is not defined (did you mean `net`?)",
        ),
        (
            "services: {a: {image: i, volumes: ['data:/d']}}",
            "1:36 volume `data` is not defined (add `data:` under the top-level `volumes:`)",
        ),
        ("services: {a: {image: i, configs: [x]}}", "1:36 config `x` is not defined"),
        (
            "services: {redis: {image: i}, b: {image: i, depends_on: [reddis]}}",
            "1:58 service `b` depends on `reddis`, which is not defined (did you mean `redis`?)",
        ),
        (
            "services: {a: {image: i, profiles: [x]}, b: {image: i, depends_on: [a]}}",
            "1:69 service `b` depends on `a`, whose profile is not active (activate its profile, or set `required: false`)",
        ),
        ("services: {a: {image: i, depends_on: [a]}}", "1:39 services depend on each other: a → a"),
        (
            "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [c]}, c: {image: i, depends_on: [b]}}",
            "1:103 services depend on each other: b → c → b",
        ),
        (
            "services: {a: {image: i, ports: ['80:1']}, b: {image: i, ports: ['127.0.0.1:80:2']}}",
            "1:66 port 80 is already published by service `a`",
        ),
        (
            "services: {a: {image: i, container_name: x}, b: {image: i, container_name: x}}",
            "1:76 container name `x` is also that of service `a`",
        ),
        (
            "services: {a: {image: i, healthcheck: {disable: true}}, b: {image: i, depends_on: {a: {condition: service_healthy}}}}",
            "1:84 `b` waits for `a` to be healthy, but its health check is disabled",
        ),
        ("services: {a: {user: u}}", "1:12 service `a` has no `image`"),
        ("services: {a: {image: ''}}", "1:23 `image` of service `a` is empty"),
    ] {
        assert_eq!(folder(text).problems(), [expected], "{text}");
    }
    let mut named = folder("services: {postgres: {image: i}}");
    named.sources.named = vec!["postgress".into()];
    assert_eq!(named.problems(), ["there is no service `postgress` (did you mean `postgres`?)"]);
}

#[test]
fn ports_that_do_not_clash() {
    folder("services: {a: {image: i, ports: ['127.0.0.1:80:1', '80:1/udp', '127.0.0.2:80:2', 1, 2]}}").project();
}

#[test]
fn profiles() {
    let text = "services: {a: {image: i}, b: {image: i, profiles: [x]}, c: {image: i, profiles: [y], depends_on: {b: {condition: service_started, required: false}}}}";
    let enabled = |folder: &Folder| folder.project().services.keys().cloned().collect::<Vec<_>>();
    let mut folder = folder(text);
    assert_eq!(enabled(&folder), ["a"]);
    assert_eq!(folder.project().disabled.into_iter().collect::<Vec<_>>(), ["b", "c"]);
    folder.sources.named = vec!["b".into()];
    assert_eq!(enabled(&folder), ["a", "b"]);
    folder.sources.named.clear();
    folder.sources.profiles = ["y".to_owned()].into();
    assert_eq!(enabled(&folder), ["a", "c"]);
    let dropped = "1:99 service `c` depends on `b`, whose profile is not active; the dependency is left out";
    assert_eq!(folder.warnings(), [dropped]);
    folder.sources.profiles = ["*".to_owned()].into();
    assert_eq!(enabled(&folder), ["a", "b", "c"]);
    folder.sources.profiles.clear();
    assert_eq!(enabled(&folder.env("COMPOSE_PROFILES", "x, y, another-project's")), ["a", "b", "c"]);
}

#[test]
fn a_profile_that_no_service_has() {
    let mut folder = folder("services: {a: {image: i}, b: {image: i, profiles: [devbox]}}");
    folder.sources.profiles = ["devbx".to_owned(), "x".to_owned()].into();
    let [meant, unknown] = &folder.problems()[..] else { panic!("{:?}", folder.problems()) };
    assert_eq!(meant, "no service has the profile `devbx` (did you mean `devbox`?)");
    assert_eq!(unknown, "no service has the profile `x`");
}

#[test]
fn short_ports() {
    for (text, expected) in [
        ("80", "[80<-0@/tcp"),
        ("8080:80", "[80<-8080@/tcp"),
        ("127.0.0.1:8080:80/udp", "[80<-8080@127.0.0.1/udp"),
        ("127.0.0.1::80", "[80<-0@127.0.0.1/tcp"),
        ("[::1]:1:2", "[2<-1@::1/tcp"),
        ("3-4:5-6", "[5<-3@/tcp [6<-4@/tcp"),
        ("9-10", "[10<-0@/tcp [9<-0@/tcp"),
    ] {
        let project = service(&format!("ports: ['{text}']")).project();
        let shown =
            |p: &crate::project::Port| format!("[{}<-{}@{}/{}", p.container, p.host.unwrap(), p.host_ip, p.protocol);
        let ports: Vec<_> = project.services["a"].ports.iter().map(shown).collect();
        assert_eq!(ports.join(" "), expected, "{text}");
    }
}

#[test]
fn the_variable_of_a_port() {
    for (port, variable) in [
        ("\"${BIND_ADDRESS:-127.0.0.1}:${POSTGRES_PORT:-55432}:5432\"", Some("POSTGRES_PORT")),
        ("\"${POSTGRES_PORT:-55432}:5432\"", Some("POSTGRES_PORT")),
        ("\"$POSTGRES_PORT:5432/tcp\"", Some("POSTGRES_PORT")),
        ("{target: 5432, published: \"${POSTGRES_PORT:-55432}\"}", Some("POSTGRES_PORT")),
        ("\"5${X:-5432}:5432\"", None),
        ("\"127.0.0.1:55432:5432\"", None),
        ("\"55432:5432\"", None),
    ] {
        let project = service(&format!("ports: [{port}]")).env("POSTGRES_PORT", "55432").project();
        assert_eq!(project.services["a"].ports[0].variable.as_deref(), variable, "{port}");
        assert_eq!(project.services["a"].ports[0].host, Some(55432));
    }
}

#[test]
fn exposed_ports_are_not_published() {
    let project = service("ports: ['1:80']\n    expose: [80, '81-82/udp']").project();
    let ports: Vec<_> = project.services["a"].ports.iter().map(|p| (p.container, p.host)).collect();
    assert_eq!(ports, [(80, Some(1)), (81, None), (82, None)]);
}

#[test]
fn mounts() {
    let keys = "volumes: ['data:/a/', './x:/b:ro', '../y:/c', '~/z:/d', /e, {type: bind, source: /q, target: /f}, {type: tmpfs, target: /g}]\n    tmpfs: [/h]\nvolumes: {data: }";
    let project = service(keys).env("HOME", "/home/u").project();
    let bind = |path: &str| MountSource::Bind(path.into());
    let expected = [
        (MountSource::Volume("data".into()), "/a", false),
        (bind("/p/x"), "/b", true),
        (bind("/y"), "/c", false),
        (bind("/home/u/z"), "/d", false),
        (MountSource::Anonymous, "/e", false),
        (bind("/q"), "/f", false),
        (MountSource::Tmpfs, "/g", false),
        (MountSource::Tmpfs, "/h", false),
    ];
    let mounts = project.services["a"].mounts.iter();
    assert_eq!(mounts.map(|m| (m.source.clone(), m.target.as_str(), m.read_only)).collect::<Vec<_>>(), expected);
    let warning = service("volumes: ['/a:/b:odd']").warnings();
    assert_eq!(warning, ["4:15 volume option `odd` is unknown and ignored"]);
}

#[test]
fn environment_of_a_service() {
    let keys = "env_file: [one.env, {path: two.env}, {path: no.env, required: false}]\n    environment: {OWN: 1.0, BOTH: own, OUTSIDE: , NOWHERE: , YES: true}";
    let project = service(keys)
        .file("one.env", "BOTH=file\nONE=1\nTWO=1")
        .file("two.env", "TWO=${ONE}2")
        .env("OUTSIDE", "out")
        .project();
    let environment = &project.services["a"].environment;
    let shown: Vec<_> = environment.iter().map(|(k, v)| format!("{k}={}", v.as_deref().unwrap_or("-"))).collect();
    assert_eq!(shown, ["BOTH=own", "NOWHERE=-", "ONE=1", "OUTSIDE=out", "OWN=1", "TWO=12", "YES=true"]);
    let list = service("environment: [A=1, B, 'C=', D=x=y]").project();
    let expected = [("A", Some("1")), ("B", None), ("C", Some("")), ("D", Some("x=y"))];
    let expected = expected.map(|(k, v)| (k.to_owned(), v.map(str::to_owned)));
    assert_eq!(list.services["a"].environment, BTreeMap::from(expected));
    let raw = service("env_file: {path: raw.env, format: raw}").file("raw.env", "A='$X' # y\n").project();
    assert_eq!(raw.services["a"].environment["A"].as_deref(), Some("'$X' # y"));
}

#[test]
fn configs() {
    let text = "services:\n  a:\n    image: i\n    configs: [inline, {source: file, target: /f, mode: 0440, uid: '5'}, {source: env, mode: '0400'}]\nconfigs:\n  inline: {content: \"a=${A:-1} $$B\"}\n  file: {file: ./f.conf}\n  env: {environment: E}\n";
    let project = folder(text).file("f.conf", "from $FILE").env("E", "from env").project();
    let shown: Vec<_> = project.services["a"]
        .configs
        .iter()
        .map(|c| format!("{} {} {:o} {}: {}", c.source, c.target, c.mode, c.uid, c.content))
        .collect();
    let expected = ["inline /inline 444 0: a=1 $B", "file /f 440 5: from $FILE", "env /env 400 0: from env"];
    assert_eq!(shown, expected);
    assert_eq!(folder(text).problems(), ["7:16 config file /p/f.conf does not exist", "8:22 variable `E` is not set"]);
    let two = "services: {a: {image: i}}\nconfigs: {c: {content: x, file: y}, d: }";
    assert_eq!(
        folder(two).problems(),
        [
            "2:11 config `c` needs exactly one of `content`, `file` and `environment`",
            "2:37 config `d` needs exactly one of `content`, `file` and `environment`",
        ]
    );
}

#[test]
fn everything_else_of_a_service() {
    let keys = "container_name: c
    command: redis-server --save ''
    entrypoint: []
    restart: on-failure:3
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    pull_policy: if_not_present
    init: yes
    ulimits: {nofile: 5, core: {soft: 1, hard: 2}}
    deploy: {resources: {limits: {cpus: '0.5', memory: 1g, pids: 9}, reservations: {memory: 512m}}}
    shm_size: 64m
    extra_hosts: ['h=[::1]', 'g:1.2.3.4']
    healthcheck: {test: check, interval: 5s, retries: 3}
    depends_on: {b: {condition: service_healthy, restart: true}}
    networks: {z: {priority: 1}, y: , x: {aliases: [n]}}
  b: {image: i}
networks: {x: , y: {name: yy, internal: true}, z: {external: true}}";
    let project = service(keys).project();
    let a = &project.services["a"];
    assert_eq!((a.container_name.as_str(), a.named), ("c", true));
    assert_eq!(a.command.as_deref().unwrap(), ["redis-server", "--save", ""]);
    assert_eq!(a.entrypoint, Some(vec![]));
    assert_eq!((a.restart, a.pull_policy, a.init), (Restart::OnFailure(3), PullPolicy::Missing, Some(true)));
    assert_eq!(a.stop_grace_period, Some(Duration::from_secs(90)));
    assert_eq!((a.ulimits["nofile"].hard, a.ulimits["core"].soft), (5, 1));
    let r = &a.resources;
    assert_eq!((r.memory, r.memory_reservation, r.nano_cpus), (Some(1 << 30), Some(1 << 29), Some(500_000_000)));
    assert_eq!((r.pids, r.shm_size), (Some(9), Some(64 << 20)));
    assert_eq!(a.extra_hosts, ["h:::1", "g:1.2.3.4"]);
    assert_eq!(a.healthcheck.as_ref().unwrap().test, ["CMD-SHELL", "check"]);
    assert_eq!(a.depends_on["b"].condition, Condition::Healthy);
    assert!(a.depends_on["b"].restart && a.depends_on["b"].required);
    assert_eq!(a.networks.keys().collect::<Vec<_>>(), ["z", "x", "y"]);
    assert_eq!(project.networks["y"].name, "yy");
    assert_eq!((project.networks["z"].name.as_str(), project.networks["z"].external), ("z", true));
    let warning = "11:11 `init`: write `true`, the only form that YAML 1.2 knows";
    assert_eq!(service(keys).warnings(), [warning]);
}

#[test]
fn networks_and_volumes_that_nobody_uses() {
    let text =
        "services: {a: {image: i}}\nnetworks: {unused: }\nvolumes: {kept: {name: '${COMPOSE_PROJECT_NAME}-kept'}}";
    let project = folder(text).project();
    assert_eq!(project.networks.keys().collect::<Vec<_>>(), ["default"]);
    assert_eq!(project.volumes["kept"].name, "p-kept");
    assert_eq!(project.volumes["kept"].driver, "local");
}

#[test]
fn extension() {
    let keys = "x-banyan:
      tier: observability
      recipe: redis
      boot: 7s
      ready: {protocol: redis, port: 6379, password: '${P:-secret}'}
      addresses: [{name: redis, url: 'redis://127.0.0.1:6379', login: '- / secret'}]
x-banyan: {secrets: [{variable: P, default: secret}, {variable: Q, default: q}]}";
    let project = service(keys).env("Q", "other").env("NODE_ENV", "production").project();
    let extension = &project.services["a"].extension;
    assert_eq!((extension.tier.as_deref(), extension.boot), (Some("observability"), Duration::from_secs(7)));
    let ready = extension.ready.as_ref().unwrap();
    assert_eq!((ready.protocol, ready.port, ready.path.as_str()), (Protocol::Redis, 6379, "/"));
    assert_eq!(ready.password.as_deref(), Some("secret"));
    assert_eq!(extension.addresses[0].login.as_deref(), Some("- / secret"));
    let secrets: Vec<_> = project.secrets.iter().map(|s| (s.variable.as_str(), s.is_default)).collect();
    assert_eq!(secrets, [("P", true), ("Q", false)]);
    assert!(project.production);
}

#[test]
fn one_file_over_another() {
    for (base, over, path, expected) in [
        ("user: a", "user: b", "user", "b"),
        ("user: a", "hostname: b", "user", "a"),
        ("user: a", "user:", "user", "a"),
        ("user: a", "user: !reset null", "user", "-"),
        ("command: [a, b]", "command: [c]", "command", "c"),
        ("healthcheck: {test: [CMD, a], retries: 2}", "healthcheck: {test: b}", "test", "CMD-SHELL b 2"),
        ("environment: {A: 1, B: 1}", "environment: [B=2, C=2]", "environment", "A=1 B=2 C=2"),
        ("environment: [A=1]", "environment: {A: 2}", "environment", "A=2"),
        ("environment: {A: 1}", "environment: !override {B: 2}", "environment", "B=2"),
        ("environment: {A: 1, B: 1}", "environment: !reset {}", "environment", ""),
        ("labels: [a=1]", "labels: {a: 2, b: 2}", "labels", "a=2 b=2"),
        ("ports: ['1:1', '2:2']", "ports: ['3:3', {target: 1, published: 1}]", "ports", "1:1 2:2 3:3"),
        ("ports: ['1:1', '2:2']", "ports: !override ['3:3']", "ports", "3:3"),
        ("ports: ['1:1']", "ports: !reset []", "ports", ""),
        ("volumes: ['/a:/x', '/b:/y']", "volumes: ['/c:/x']", "mounts", "/c:/x /b:/y"),
        ("configs: [c]", "configs: [{source: d, target: /c}]", "configs", "d:/c"),
        ("cap_add: [A]", "cap_add: [B, A]", "cap_add", "A B"),
        ("tmpfs: /a", "tmpfs: [/b]", "mounts", "tmpfs:/a tmpfs:/b"),
        ("depends_on: [b]", "depends_on: [c]", "depends_on", "b:service_started c:service_started"),
        ("depends_on: [b]", "depends_on: {b: {condition: service_healthy}}", "depends_on", "b:service_healthy"),
        ("depends_on: {b: {condition: service_healthy}}", "depends_on: [b]", "depends_on", "b:service_started"),
        ("networks: [n]", "networks: {m: {aliases: [x]}}", "networks", "m n"),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 3}", "ulimits", "3:3"),
        ("extra_hosts: ['a:1']", "extra_hosts: ['a:1', 'a:2']", "extra_hosts", "a:1 a:2"),
        ("env_file: one.env", "env_file: [two.env]", "environment", "ONE=2 TWO=2"),
        (
            "deploy: {resources: {limits: {memory: 1g}}}",
            "deploy: {resources: {limits: {pids: 2}}}",
            "limits",
            "1073741824 2",
        ),
        ("stop_grace_period: 1s", "stop_grace_period: 2s", "grace", "2s"),
    ] {
        let rest =
            "  b: {image: i}\n  c: {image: i}\nnetworks: {n: , m: }\nconfigs: {c: {content: c}, d: {content: d}}\n";
        let base_text = format!("services:\n  a:\n    image: i\n    {base}\n{rest}");
        let over_text = format!("services:\n  a:\n    {over}\n");
        let both = [folder(&base_text).over(&over_text), folder(&format!("{base_text}---\n{over_text}"))];
        for folder in both {
            let folder = folder.file("one.env", "ONE=1").file("two.env", "ONE=2\nTWO=2");
            assert_eq!(shown(&folder.project(), path), expected, "{base} + {over}");
        }
    }
}

/// One aspect of service `a` as text.
fn shown(project: &Project, aspect: &str) -> String {
    let a = &project.services["a"];
    let words: Vec<String> = match aspect {
        "user" => vec![a.user.clone().unwrap_or("-".into())],
        "command" => a.command.clone().unwrap_or_default(),
        "test" => {
            let check = a.healthcheck.as_ref().unwrap();
            vec![check.test.join(" "), check.retries.unwrap().to_string()]
        }
        "environment" => a.environment.iter().map(|(k, v)| format!("{k}={}", v.as_deref().unwrap_or("-"))).collect(),
        "labels" => a.labels.iter().map(|(k, v)| format!("{k}={v}")).collect(),
        "ports" => a.ports.iter().map(|p| format!("{}:{}", p.host.unwrap(), p.container)).collect(),
        "mounts" => a
            .mounts
            .iter()
            .map(|m| match &m.source {
                MountSource::Bind(path) => format!("{path}:{}", m.target),
                _ => format!("tmpfs:{}", m.target),
            })
            .collect(),
        "configs" => a.configs.iter().map(|c| format!("{}:{}", c.source, c.target)).collect(),
        "cap_add" => a.cap_add.clone(),
        "depends_on" => a.depends_on.iter().map(|(k, d)| format!("{k}:{}", d.condition.as_str())).collect(),
        "networks" => a.networks.keys().cloned().collect(),
        "ulimits" => a.ulimits.values().map(|u| format!("{}:{}", u.soft, u.hard)).collect(),
        "extra_hosts" => a.extra_hosts.clone(),
        "limits" => vec![a.resources.memory.unwrap().to_string(), a.resources.pids.unwrap().to_string()],
        "grace" => vec![format!("{:?}", a.stop_grace_period.unwrap())],
        other => panic!("no aspect {other}"),
    };
    words.join(" ")
}

#[test]
fn what_cannot_be_laid_over() {
    let folder = folder("services: {a: {image: i, ports: ['1:1']}}").over("services: {a: {ports: {x: 1}}}");
    let hint = "mark it with `!override` to replace what was there";
    assert_eq!(folder.problems(), [format!("1:23 a mapping cannot be laid over a list of an earlier file ({hint})")]);
    let problems = folder.load().unwrap_err();
    assert_eq!(problems[0].place.as_ref().unwrap().file, Path::new("/p/over.yaml"));
}

#[test]
fn whole_services_come_and_go() {
    let folder = folder("services: {a: {image: i}, b: {image: i}}").over("services: {a: !reset null, c: {image: j}}");
    assert_eq!(folder.project().services.keys().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn files_that_cannot_be_read() {
    let missing = folder("services: {a: {image: i}}").compose("gone.yaml");
    let problems = missing.load().unwrap_err();
    assert_eq!(problems[0].to_string(), "/p/gone.yaml: compose file does not exist");
    assert_eq!(Folder::default().problems().first().map(String::as_str), Some("no compose file is given"));
}
