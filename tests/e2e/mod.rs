//! Scenarios against a real engine: a command, then the state that everybody can observe.
//!
//! The full stack takes ten seconds on two cores, so a few tests share one of it between many checks; all others use
//! small projects of their own.

mod backup;
mod clients;
mod cluster;
mod guards;
mod identity;
mod images;
mod instances;
mod interop;
mod physical;
mod project;
mod registry;
mod remote;
mod reset;
mod restore;
mod scaffold;
mod seed;
mod setup;
mod stack;
mod terminal;
mod watching;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::support::{Run, Stage, free_port, run};

/// A small project: services that are ready at once, in a compose file of its own.
struct Small {
    stage: Stage,
    text: String,
    ports: BTreeMap<String, u16>,
}

impl Small {
    /// A project without services.
    fn new(name: &str) -> Self {
        let stage = Stage::new(name);
        let text = format!("name: {}\nservices:\n", stage.instance);
        Self { stage, text, ports: BTreeMap::new() }
    }

    /// A cache that is asked in its own protocol; `keys` are more lines of its service, each with its line end.
    fn cache(mut self, name: &str, keys: &str) -> Self {
        let port = free_port();
        self.ports.insert(name.to_owned(), port);
        write!(
            self.text,
            "  {name}:
    image: banyan-local/redis
    ports: [\"127.0.0.1:{port}:6379\"]
    x-banyan:
      recipe: redis
      ready: {{ protocol: redis, port: 6379 }}
      addresses: [{{ name: Redis, url: \"redis://localhost:6379\" }}]
"
        )
        .unwrap();
        keys.lines().for_each(|line| writeln!(self.text, "    {line}").unwrap());
        self
    }

    /// A service of the same image that runs something else.
    fn service(mut self, name: &str, keys: &str) -> Self {
        write!(self.text, "  {name}:\n    image: banyan-local/redis\n    x-banyan: {{ recipe: redis }}\n").unwrap();
        keys.lines().for_each(|line| writeln!(self.text, "    {line}").unwrap());
        self
    }

    /// Lines of the top level; writes the file.
    fn rest(self, text: &str) -> Self {
        let whole = format!("{}{text}", self.text);
        self.stage.write("compose.yaml", &whole);
        self
    }

    /// Runs `banyan --file compose.yaml ARGS`.
    fn banyan(&self, args: &[&str]) -> Run {
        run(self.stage.bare(&[&["--file", "compose.yaml"], args].concat()))
    }

    /// The same, which must end with 0.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> Run {
        self.ends(args, 0)
    }

    /// The same, which must end with `code`.
    #[track_caller]
    fn ends(&self, args: &[&str], code: i32) -> Run {
        let run = self.banyan(args);
        assert_eq!(run.code, code, "banyan {args:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    fn project(&self) -> &str {
        &self.stage.instance
    }

    /// Name of a service's container.
    fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project())
    }

    /// Identity and start of every container, by service.
    fn containers(&self) -> BTreeMap<String, String> {
        containers(&self.stage, self.project())
    }

    /// Asks a cache for something, with the client in its container.
    #[track_caller]
    fn redis(&self, service: &str, line: &str) -> String {
        let words = ["exec", &self.container(service), "redis-cli"];
        self.stage.docker(&words.into_iter().chain(line.split(' ')).collect::<Vec<_>>())
    }

    /// A value of a container, in the engine's own words.
    #[track_caller]
    fn inspect(&self, service: &str, format: &str) -> String {
        self.stage.docker(&["inspect", "--format", format, &self.container(service)])
    }

    fn leftovers(&self) -> Vec<String> {
        self.stage.leftovers(self.project())
    }
}

/// Identity and start of every container of a project, by service.
fn containers(stage: &Stage, project: &str) -> BTreeMap<String, String> {
    let filter = format!("label=com.docker.compose.project={project}");
    let ids = stage.docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]);
    if ids.is_empty() {
        return BTreeMap::new();
    }
    let format = "{{index .Config.Labels \"com.docker.compose.service\"}}={{.Id}} since {{.State.StartedAt}}";
    let mut args = vec!["inspect", "--format", format];
    args.extend(ids.lines());
    let lines = stage.docker(&args);
    lines.lines().map(|l| l.split_once('=').unwrap()).map(|(s, c)| (s.to_owned(), c.to_owned())).collect()
}

/// Services whose container differs between two looks.
fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|n| before.get(*n) != after.get(*n)).cloned().collect()
}
