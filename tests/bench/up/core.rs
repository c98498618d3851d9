//! The core stack: from nothing to ready, unchanged, questions, down; and the same for each container by itself.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::clients::{Clients, Protocol, Target};
use crate::report::{Report, Series};
use crate::stage::{Run, Stage, run, run_with_memory, text};
use crate::{Options, machine};

/// The services, what others need first.
const CORE: [&str; 6] = ["redis", "postgres", "rabbitmq", "auth-service", "service-discovery", "api-gateway"];
/// The longest wait for one first answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// So many short runs in all.
const QUICK: usize = 21;

/// One container of the stack, so that it can be run by itself.
struct Member {
    service: String,
    needs: Vec<String>,
    /// Arguments of `docker run` but the name, the network and the volumes.
    options: Vec<String>,
    image: String,
    command: Vec<String>,
    /// Paths of named volumes.
    data: Vec<String>,
    target: Target,
}

#[derive(Default)]
struct Times {
    up: Series,
    up_cpu: Series,
    up_memory: Series,
    noop: Series,
    health: Series,
    health_memory: Series,
    version: Series,
    down: Series,
    compose_up: Series,
    compose_noop: Series,
    compose_down: Series,
    /// By service: from `docker run` to the first answer.
    answered: BTreeMap<String, Series>,
    /// By service: from the start of its process to the first answer.
    booted: BTreeMap<String, Series>,
    /// By service: `docker stop`.
    stopped: BTreeMap<String, Series>,
    /// By service: from the start of `banyan up` to the start of its process.
    began: BTreeMap<String, Series>,
    busy: Vec<(String, f64)>,
}

/// What a round consists of.
#[derive(Clone, Copy)]
enum Phase {
    Alone,
    Banyan,
    Compose,
}

/// Everything that a round needs.
struct Rounds<'a> {
    stage: &'a Stage,
    options: &'a Options,
    clients: Clients,
    members: Vec<Member>,
    targets: Vec<Target>,
    over: String,
    times: Times,
}

/// Measures.
pub fn measure(stage: &Stage, options: &Options, has_compose: bool, report: &mut Report) -> Result<(), String> {
    eprintln!("core: preparing (images are built now if they are not there)");
    run(stage.instanced(&up()))?.ok("banyan up")?;
    let members = members(&stage.inspect(&stage.project(""))?)?;
    let images: Vec<String> = members.iter().map(|m| format!("{} {}", m.service, m.image)).collect();
    report.condition("images", images.join(", "));
    hold(stage, &members)?;
    let over = stage.write("interval.yml", &override_file(&members))?.display().to_string();
    stage.remove(&stage.project(""))?;

    let targets = members.iter().map(|m| m.target.clone()).collect();
    let clients = Clients::new()?;
    let mut rounds = Rounds { stage, options, clients, members, targets, over, times: Times::default() };
    for round in 1..=options.rounds {
        eprintln!("core: round {round} of {}", options.rounds);
        // whoever comes first finds a warmer machine: take turns
        let mut phases = [Phase::Alone, Phase::Banyan, Phase::Compose];
        if round % 2 == 0 {
            phases.reverse();
        }
        for phase in phases {
            match phase {
                Phase::Alone => rounds.alone(report)?,
                Phase::Banyan => rounds.banyan(report)?,
                Phase::Compose if has_compose => rounds.compose(report)?,
                Phase::Compose => {}
            }
        }
    }
    if has_compose {
        if options.long {
            rounds.documented(report)?;
        }
        rounds.floor(report)?;
    }
    rounds.summary(report);
    Ok(())
}

fn up() -> Vec<&'static str> {
    ["--progress", "quiet", "up", "--no-deps"].into_iter().chain(CORE).collect()
}

impl Rounds<'_> {
    /// Waits for an idle machine, and notes how idle it is.
    fn settle(&mut self, what: &str) {
        let busy = machine::settle(self.options.idle_wait);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("?").to_owned();
        self.times.busy.push((format!("{what} {:.0} % (load {load})", busy * 100.0), busy));
    }

    /// Each container by itself.
    fn alone(&mut self, report: &mut Report) -> Result<(), String> {
        let project = self.stage.project("bare");
        let label = Stage::label(&project);
        let network = format!("{project}-network");
        self.stage.ask(&["network", "create", "--label", &label, &network])?;
        for member in &self.members {
            for (i, _) in member.data.iter().enumerate() {
                let volume = format!("{project}-{}-{i}", member.service);
                self.stage.ask(&["volume", "create", "--label", &label, &volume])?;
            }
        }
        for i in 0..self.members.len() {
            if self.members[i].service == "rabbitmq" || i == 0 {
                self.settle(&format!("{} alone", self.members[i].service));
            }
            let member = &self.members[i];
            let args = member.run(&project, &network, &label);
            let began = Instant::now();
            let mut child = spawn(self.stage, &args)?;
            if i == 0 {
                // on a network without any container, a question asked too early is put off for a whole second
                child.wait().map_err(text)?;
            }
            let answered = self.clients.first_answer(&member.target, began, PATIENCE)?;
            let ended = child.wait().map_err(text)?;
            if !ended.success() {
                return Err(format!("docker run of {} failed", member.service));
            }
            // what it does after its first answer must not be paid by the next one
            std::thread::sleep(Duration::from_secs(1));
            machine::settle(self.options.idle_wait);
            let started = started_after(self.stage, &format!("{project}-{}", member.service), began)?;
            let service = member.service.clone();
            self.times.booted.entry(service.clone()).or_default().push(answered.as_secs_f64() - started);
            self.times.answered.entry(service).or_default().push(answered.as_secs_f64());
        }
        for i in (0..self.members.len()).rev() {
            let service = self.members[i].service.clone();
            let name = format!("{project}-{service}");
            let stopped = run(self.stage.docker(&["stop", &name]))?.ok("docker stop")?;
            let code = self.stage.ask(&["inspect", "--format", "{{.State.ExitCode}}", &name])?;
            if code == "137" {
                report.invalid(format!("`docker stop` killed {service}: no clean stop to compare with"));
            }
            self.times.stopped.entry(service).or_default().push(stopped.took.as_secs_f64());
        }
        self.stage.remove(&project)
    }

    fn banyan(&mut self, report: &mut Report) -> Result<(), String> {
        let project = self.stage.project("");
        self.settle("banyan up");
        let wall = std::time::SystemTime::now();
        let (up, memory) = run_with_memory(self.stage.instanced(&up()), Duration::from_millis(20))?;
        let ready = self.clients.all_at_once(&self.targets);
        let up = up.ok("banyan up")?;
        if let Err(why) = ready {
            report.invalid(format!("banyan up returned, and not everything was ready: {why}"));
        }
        self.times.up.push(up.took.as_secs_f64());
        self.times.up_cpu.push(up.cpu);
        self.times.up_memory.push(memory as f64);
        for member in &self.members {
            let name = format!("{project}-{}", member.service);
            let started = self.stage.ask(&["inspect", "--format", "{{.State.StartedAt}}", &name])?;
            let began = seconds_since(wall, &started).unwrap_or(f64::NAN);
            self.times.began.entry(member.service.clone()).or_default().push(began);
        }

        std::thread::sleep(Duration::from_secs(2));
        self.settle("unchanged up");
        let before = self.identities(&project)?;
        let times = QUICK.div_ceil(self.options.rounds);
        for _ in 0..times {
            self.times.noop.push(run(self.stage.instanced(&crate::core::up()))?.ok("banyan up")?.took.as_secs_f64());
            let health = run(self.stage.instanced(&["health"]))?.ok("banyan health")?;
            self.times.health.push(health.took.as_secs_f64());
            let version = run(self.stage.banyan(&["--version"]))?.ok("banyan --version")?;
            self.times.version.push(version.took.as_secs_f64());
        }
        let (_, memory) = run_with_memory(self.stage.instanced(&["health"]), Duration::from_millis(1))?;
        self.times.health_memory.push(memory as f64);
        if self.identities(&project)? != before {
            report.invalid("an unchanged banyan up changed containers");
        }

        self.settle("banyan down");
        let (down, killed) = self.down(&project, self.stage.instanced(&["--progress", "quiet", "down"]))?;
        down.ok("banyan down").map(|down| self.times.down.push(down.took.as_secs_f64()))?;
        if !killed.is_empty() {
            report.invalid(format!("banyan down had to kill {}", killed.join(", ")));
        }
        self.stage.remove(&project)
    }

    fn compose(&mut self, report: &mut Report) -> Result<(), String> {
        let project = self.stage.project("compose");
        self.settle("compose up");
        let up = run(self.compose_with(&[self.over.as_str()], &["up", "-d", "--wait", "--no-deps"], &CORE))?;
        let ready = self.clients.all_at_once(&self.targets);
        let up = up.ok("compose up")?;
        if let Err(why) = ready {
            report.invalid(format!("compose up returned, and not everything was ready: {why}"));
        }
        self.times.compose_up.push(up.took.as_secs_f64());

        std::thread::sleep(Duration::from_secs(2));
        let before = self.identities(&project)?;
        let times = QUICK.div_ceil(self.options.rounds).min(7);
        for _ in 0..times {
            let noop = run(self.compose_with(&[self.over.as_str()], &["up", "-d", "--wait", "--no-deps"], &CORE))?;
            self.times.compose_noop.push(noop.ok("compose up")?.took.as_secs_f64());
        }
        if self.identities(&project)? != before {
            report.invalid("an unchanged compose up changed containers");
        }
        let (down, _) = self.down(&project, self.compose_with(&[self.over.as_str()], &["down"], &[]))?;
        self.times.compose_down.push(down.ok("compose down")?.took.as_secs_f64());
        self.stage.remove(&project)
    }

    /// Once, as documented: the intervals that are in the file, and those that people usually write.
    fn documented(&mut self, report: &mut Report) -> Result<(), String> {
        let project = self.stage.project("compose");
        let slow = self.stage.write("documented.yml", &intervals(&self.members, "30s"))?.display().to_string();
        for (what, over) in [("the file's own intervals", None), ("30 s intervals", Some(slow.as_str()))] {
            eprintln!("core: compose with {what}");
            let over: Vec<&str> = over.into_iter().collect();
            let up = run(self.compose_with(&over, &["up", "-d", "--wait", "--no-deps"], &CORE))?;
            let took = up.ok("compose up")?.took;
            report.note(format!("compose with {what} (once, not scored): up {:.2} s", took.as_secs_f64()));
            self.stage.remove(&project)?;
        }
        Ok(())
    }

    /// Once, without any check: what Compose needs when it waits for nothing.
    fn floor(&mut self, report: &mut Report) -> Result<(), String> {
        let project = self.stage.project("compose");
        let lines: Vec<String> =
            self.members.iter().map(|m| format!("  {}: {{ healthcheck: !reset null }}\n", m.service)).collect();
        let none = self.stage.write("unchecked.yml", &format!("services:\n{}", lines.concat()))?.display().to_string();
        let up = run(self.compose_with(&[&none], &["up", "-d", "--wait", "--no-deps"], &CORE))?.ok("compose up")?;
        report.note(format!(
            "compose with the checks taken out (once, not scored; it waits for no answer): up {:.2} s",
            up.took.as_secs_f64()
        ));
        self.stage.remove(&project)
    }

    fn compose_with(&self, over: &[&str], args: &[&str], services: &[&str]) -> std::process::Command {
        let stack = self.stage.stack();
        let file = stack.join("docker-compose.yml").display().to_string();
        let env = stack.join(".env").display().to_string();
        let project = self.stage.project("compose");
        let mut all = vec!["-p", &*project, "--env-file", &*env, "-f", &*file];
        for over in over {
            all.extend(["-f", over]);
        }
        all.extend(args);
        all.extend(services);
        self.stage.compose(&all)
    }

    /// Ids and start times of a project's containers.
    fn identities(&self, project: &str) -> Result<Vec<String>, String> {
        let containers = self.stage.inspect(project)?;
        let mut found: Vec<String> =
            containers.iter().map(|c| format!("{} {}", c["Id"], c["State"]["StartedAt"])).collect();
        found.sort();
        Ok(found)
    }

    /// Runs a `down`; also the containers that were killed, as the engine's events tell.
    fn down(&self, project: &str, command: std::process::Command) -> Result<(Run, Vec<String>), String> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(text)?.as_secs();
        let down = run(command)?;
        let until = since + down.took.as_secs() + 2;
        std::thread::sleep(Duration::from_millis(2_100));
        let (since, until, label) = (since.to_string(), until.to_string(), format!("label={}", Stage::label(project)));
        let format = "{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.name}}";
        let events = self.stage.ask(&[
            "events",
            "--since",
            &since,
            "--until",
            &until,
            "--filter",
            &label,
            "--filter",
            "event=die",
            "--format",
            format,
        ])?;
        let ends: Vec<(&str, &str)> = events.lines().filter_map(|l| l.split_once(' ')).collect();
        if ends.len() != self.members.len() {
            return Err(format!("{} containers ended, and not {}: {events}", ends.len(), self.members.len()));
        }
        let killed = ends.into_iter().filter(|(code, _)| *code == "137").map(|(_, name)| name.to_owned()).collect();
        Ok((down, killed))
    }

    /// The longest chain of first answers up to a service.
    fn chain(&self, service: &str) -> (f64, Vec<String>) {
        let own = self.times.answered.get(service).map_or(0.0, Series::median);
        let needs = self.members.iter().find(|m| m.service == service).map(|m| m.needs.as_slice()).unwrap_or_default();
        let before = needs.iter().map(|n| self.chain(n)).max_by(|a, b| a.0.total_cmp(&b.0));
        let (time, mut path) = before.unwrap_or_default();
        path.push(format!("{service} {own:.2}"));
        (time + own, path)
    }

    fn summary(&self, report: &mut Report) {
        let t = &self.times;
        let chains = self.members.iter().map(|m| self.chain(&m.service));
        let (critical, path) = chains.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
        let slowest = |of: &BTreeMap<String, Series>| {
            let found = of.iter().max_by(|a, b| a.1.median().total_cmp(&b.1.median()));
            found.map(|(name, series)| (name.clone(), series.median())).unwrap_or_default()
        };
        let (slow, alone) = slowest(&t.answered);
        let (stopper, stop) = slowest(&t.stopped);
        let against = |name: &str, seconds: f64| (format!("{name} {seconds:.2} s"), seconds);
        let compose = |s: &Series| (format!("compose {}", s.seconds()), s.median());

        report.ratio(
            "up / critical path",
            &t.up,
            (format!("{} = {critical:.2} s", path.join(" + ")), critical),
            Some(1.15),
        );
        report.ratio("up / slowest alone", &t.up, against(&slow, alone), None);
        report.ratio("up / compose, 1 s checks", &t.up, compose(&t.compose_up), Some(0.85));
        report.ratio("unchanged up / compose", &t.noop, compose(&t.compose_noop), Some(0.1));
        report.number("unchanged up", t.noop.seconds(), t.noop.median(), (0.1, "100 ms"));
        let limit = stop + 0.5;
        report.ratio(
            "down / slowest stop + 0.5 s",
            &t.down,
            (format!("{stopper} {stop:.2} + 0.50 s"), limit),
            Some(1.0),
        );
        report.ratio("down / compose", &t.down, compose(&t.compose_down), None);
        report.number("--version", t.version.seconds(), t.version.median(), (0.010, "10 ms"));
        report.number("health", t.health.seconds(), t.health.median(), (0.150, "150 ms"));
        let mib = |s: &Series| (format!("{:.1} MB (most of {})", s.most() / 1e6, s.0.len()), s.most() / 1e6);
        let (text, value) = mib(&t.up_memory);
        report.number("peak memory of up", text, value, (40.0, "40 MB"));
        let (text, value) = mib(&t.health_memory);
        report.number("peak memory of health", text, value, (40.0, "40 MB"));

        report.note("By service (medians): docker run to first answer; of that, process start to first answer; docker stop; process start after the start of `banyan up`");
        for member in &self.members {
            let of = |map: &BTreeMap<String, Series>| map.get(&member.service).map_or(f64::NAN, Series::median);
            report.note(format!(
                "  {:<18} {:6.2} s  {:6.2} s  {:6.2} s  {:6.2} s",
                member.service,
                of(&t.answered),
                of(&t.booted),
                of(&t.stopped),
                of(&t.began)
            ));
        }
        report.note(format!("`banyan up` itself used {} of processor time", t.up_cpu.seconds()));
        let disturbed = t.busy.iter().filter(|(_, busy)| *busy > machine::IDLE).count();
        if disturbed > 0 {
            report.note(format!(
                "CAUTION: other work kept the machine busy before {disturbed} of {} measurements; measure again when it is idle",
                t.busy.len()
            ));
        }
        let busy: Vec<&str> = t.busy.iter().map(|(text, _)| text.as_str()).collect();
        report.note(format!("busy before: {}", busy.join(", ")));
        for (name, series) in [
            ("up", &t.up),
            ("up_cpu", &t.up_cpu),
            ("unchanged_up", &t.noop),
            ("health", &t.health),
            ("version", &t.version),
            ("down", &t.down),
            ("compose_up", &t.compose_up),
            ("compose_unchanged_up", &t.compose_noop),
            ("compose_down", &t.compose_down),
        ] {
            report.keep(name, series);
        }
        for (what, map) in
            [("answered", &t.answered), ("booted", &t.booted), ("stopped", &t.stopped), ("began", &t.began)]
        {
            for (service, series) in map {
                report.keep(format!("{what}.{service}"), series);
            }
        }
    }
}

impl Member {
    fn run(&self, project: &str, network: &str, label: &str) -> Vec<String> {
        let name = format!("{project}-{}", self.service);
        let mut args: Vec<String> =
            ["run", "-d", "--name", &name, "--network", network, "--network-alias", &self.service, "--label", label]
                .map(str::to_owned)
                .into();
        for (i, path) in self.data.iter().enumerate() {
            args.extend(["-v".to_owned(), format!("{project}-{}-{i}:{path}", self.service)]);
        }
        args.extend(self.options.iter().cloned());
        args.push(self.image.clone());
        args.extend(self.command.iter().cloned());
        args
    }
}

fn spawn(stage: &Stage, args: &[String]) -> Result<Child, String> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = stage.docker(&args);
    command.stdout(Stdio::null()).spawn().map_err(text)
}

/// Seconds from `began` to the start of a container's process.
fn started_after(stage: &Stage, name: &str, began: Instant) -> Result<f64, String> {
    let wall = std::time::SystemTime::now() - began.elapsed();
    let started = stage.ask(&["inspect", "--format", "{{.State.StartedAt}}", name])?;
    seconds_since(wall, &started).ok_or_else(|| format!("{name}: started at `{started}`"))
}

/// Seconds from a moment to the engine's `2026-01-31T08:00:00.123456789Z`; the two are less than a day apart.
fn seconds_since(wall: std::time::SystemTime, stamp: &str) -> Option<f64> {
    let clock = stamp.split_once('T')?.1.strip_suffix('Z')?;
    let mut parts = clock.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    let then = next()? * 3600.0 + next()? * 60.0 + next()?;
    let now = wall.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64() % 86_400.0;
    Some((then - now).rem_euclid(86_400.0))
}

/// What runs, as arguments of `docker run`.
fn members(containers: &[Value]) -> Result<Vec<Member>, String> {
    CORE.iter()
        .map(|service| {
            let label = |c: &Value, name: &str| c["Config"]["Labels"][name].as_str().unwrap_or_default().to_owned();
            let found = containers.iter().find(|c| label(c, "com.docker.compose.service") == *service);
            let c = found.ok_or_else(|| format!("{service} does not run"))?;
            let needs = label(c, "com.docker.compose.depends_on");
            let needs = needs.split(',').filter_map(|n| n.split(':').next()).filter(|n| CORE.contains(n));
            Ok(Member {
                service: (*service).to_owned(),
                needs: needs.map(str::to_owned).collect(),
                options: run_options(c),
                image: c["Config"]["Image"].as_str().unwrap_or_default().to_owned(),
                command: strings(&c["Config"]["Cmd"]),
                data: list(&c["Mounts"])
                    .filter(|m| m["Type"] == "volume")
                    .filter_map(|m| Some(m["Destination"].as_str()?.to_owned()))
                    .collect(),
                target: target(service, c)?,
            })
        })
        .collect()
}

/// Environment, host name, limits, ports; no health check, since nobody waits for the engine here.
fn run_options(c: &Value) -> Vec<String> {
    let (config, host) = (&c["Config"], &c["HostConfig"]);
    let mut options = vec!["--no-healthcheck".to_owned()];
    let mut add = |name: &str, value: String| options.extend([name.to_owned(), value]);
    for variable in strings(&config["Env"]) {
        add("-e", variable);
    }
    let name = config["Hostname"].as_str().unwrap_or_default();
    if !c["Id"].as_str().unwrap_or_default().starts_with(name) {
        add("--hostname", name.to_owned());
    }
    for limit in list(&host["Ulimits"]) {
        add("--ulimit", format!("{}={}:{}", limit["Name"].as_str().unwrap_or_default(), limit["Soft"], limit["Hard"]));
    }
    for (option, key) in [("--memory", "Memory"), ("--memory-reservation", "MemoryReservation")] {
        if let Some(bytes) = host[key].as_u64().filter(|b| *b > 0) {
            add(option, bytes.to_string());
        }
    }
    if let Some(signal) = config["StopSignal"].as_str().filter(|s| !s.is_empty()) {
        add("--stop-signal", signal.to_owned());
    }
    if let Some(seconds) = config["StopTimeout"].as_u64() {
        add("--stop-timeout", seconds.to_string());
    }
    for (port, bindings) in host["PortBindings"].as_object().into_iter().flatten() {
        for binding in list(bindings) {
            let (ip, host) = (&binding["HostIp"], &binding["HostPort"]);
            add("-p", format!("{}:{}:{port}", ip.as_str().unwrap_or_default(), host.as_str().unwrap_or_default()));
        }
    }
    options
}

/// How to log in, from the container's own environment.
fn target(service: &str, c: &Value) -> Result<Target, String> {
    let env = strings(&c["Config"]["Env"]);
    let value = |name: &str| {
        let found = env.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned).ok_or_else(|| format!("{service} has no {name}"))
    };
    let (port, protocol) = match service {
        "postgres" => {
            let (user, password) = (value("POSTGRES_USER")?, value("POSTGRES_PASSWORD")?);
            (5432, Protocol::Sql { user, password, database: value("POSTGRES_DB")? })
        }
        "rabbitmq" => {
            (5672, Protocol::Amqp { user: value("RABBITMQ_DEFAULT_USER")?, password: value("RABBITMQ_DEFAULT_PASS")? })
        }
        "redis" => (6379, Protocol::Redis { password: Some(value("REDISCLI_AUTH")?) }),
        _ => (value("PORT")?.parse().map_err(text)?, Protocol::Http { path: "/health".to_owned() }),
    };
    let binding = &c["HostConfig"]["PortBindings"][format!("{port}/tcp")][0];
    let published = binding["HostPort"].as_str().and_then(|p| p.parse().ok());
    Ok(Target {
        service: service.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: published.ok_or_else(|| format!("port {port} of {service} is not published"))?,
        protocol,
    })
}

/// A container that is never started keeps its image from being cleaned away between two rounds.
fn hold(stage: &Stage, members: &[Member]) -> Result<(), String> {
    let project = stage.project("hold");
    let mut images: Vec<&str> = members.iter().map(|m| m.image.as_str()).collect();
    images.sort_unstable();
    images.dedup();
    for image in images {
        stage.ask(&["create", "--label", &Stage::label(&project), image])?;
    }
    Ok(())
}

/// The same truthful checks every second; early ones that fail do no harm.
fn override_file(members: &[Member]) -> String {
    intervals(members, "1s")
}

fn intervals(members: &[Member], interval: &str) -> String {
    let mut text = "services:\n".to_owned();
    for member in members {
        text.push_str(&format!(
            "  {}: {{ healthcheck: {{ interval: {interval}, start_period: 300s, retries: 100 }} }}\n",
            member.service
        ));
    }
    text
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<String> {
    list(value).filter_map(|v| Some(v.as_str()?.to_owned())).collect()
}
