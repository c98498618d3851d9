//! How fast backups and restores are: against PostgreSQL's own tools and against `tar | gzip` on the same data, side by
//! side in one run.
//!
//! ```text
//! cargo bench --bench backup -- [--events N] [--messages N] [--rounds N]
//! ```
//!
//! It needs an engine with the images of the core stack. Half of the data is random, so that it compresses as real data
//! does. A missed level is printed and fails nothing; a run that does not end well does.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const BANYAN: &str = env!("CARGO_BIN_EXE_banyan");
const INSTANCE: &str = "benchbackup";

/// What to measure.
struct Options {
    events: usize,
    messages: usize,
    rounds: usize,
}

/// A stack of its own, removed at the end.
struct Stack {
    folder: PathBuf,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|a| a == "--bench") {
        println!("nothing is measured without `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, default: usize| {
        args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(default)
    };
    let options = Options {
        events: number("--events", 300_000),
        messages: number("--messages", 1000),
        rounds: number("--rounds", 3),
    };
    match bench(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench backup: {why}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("banyan-bench-backup-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let stack = Stack { folder };
    stack.banyan(&["up", "--quiet"])?;
    stack.fill(options)?;
    let (mut ours, mut dump, mut back, mut pg_back, mut gzip, mut windows) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for round in 0..options.rounds {
        let file = stack.folder.join(format!("{round}.banyan"));
        let file = file.to_string_lossy().into_owned();
        let (time, json) = stack.timed(&["backup", "--to", &file, "--output", "json"])?;
        ours.push(time);
        let json: serde_json::Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
        windows.push(json["window_ms"].as_f64().unwrap_or(f64::NAN) / 1e3);
        let name = stack.container("postgres");
        dump.push(stack.shell(&format!("docker exec {name} pg_dump -Fc -U actor_user eventstore > {round}.dump"))?);
        gzip.push(stack.shell(&format!(
            "docker exec {name} sh -c 'tar -C /var/lib/postgresql/data -cf - . 2>/dev/null | gzip -c' > /dev/null"
        ))?);
        let (time, _) = stack.timed(&["restore", &file, "--only", "postgres", "--yes", "--no-snapshot"])?;
        back.push(time);
        stack.shell(&format!(
            "docker cp {round}.dump {name}:/tmp/x.dump && docker exec {name} createdb -U actor_user other"
        ))?;
        pg_back.push(stack.shell(&format!("docker exec {name} pg_restore -j2 -U actor_user -d other /tmp/x.dump"))?);
        stack.shell(&format!("docker exec {name} dropdb -U actor_user other"))?;
        std::fs::remove_file(&file).map_err(|e| e.to_string())?;
    }
    let size = stack.answer("SELECT pg_size_pretty(pg_database_size(current_database()))")?;
    println!("{} events in {size}, {} messages, {} rounds, medians", options.events, options.messages, options.rounds);
    for (what, values) in [
        ("banyan backup, all stores", &ours),
        ("pg_dump -Fc, PostgreSQL alone", &dump),
        ("tar | gzip of its volume", &gzip),
        ("banyan restore --only postgres, proved and swapped", &back),
        ("pg_restore -j2", &pg_back),
        ("nothing ran for", &windows),
    ] {
        println!("  {what:52} {:8.3} s", median(values));
    }
    for (what, ratio, level) in [
        ("backup / pg_dump -Fc", median(&ours) / median(&dump), 0.8),
        ("backup / tar | gzip", median(&ours) / median(&gzip), 0.35),
        ("restore / pg_restore -j2", median(&back) / median(&pg_back), 1.0),
        ("window / 1 s", median(&windows), 1.0),
    ] {
        println!("  {what:52} {ratio:8.2}   level {level} {}", if ratio <= level { "met" } else { "missed" });
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Stack {
    fn container(&self, service: &str) -> String {
        format!("flow-platform-{INSTANCE}-{service}")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BANYAN);
        command.args(["--instance", INSTANCE]).args(args).current_dir(&self.folder).stdin(Stdio::null());
        command.env("BANYAN_DATA_DIR", self.folder.join("data"));
        for name in ["ELASTICSEARCH", "JAEGER", "GRAFANA"] {
            command.env(format!("{name}_IMAGE"), format!("127.0.0.1:1/nobody/{}:1", name.to_lowercase()));
        }
        command
    }

    fn banyan(&self, args: &[&str]) -> Result<String, String> {
        let output = self.command(args).output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("banyan {args:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn timed(&self, args: &[&str]) -> Result<(f64, String), String> {
        let began = Instant::now();
        let text = self.banyan(args)?;
        Ok((began.elapsed().as_secs_f64(), text))
    }

    fn shell(&self, line: &str) -> Result<f64, String> {
        let began = Instant::now();
        let output =
            Command::new("sh").args(["-c", line]).current_dir(&self.folder).output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(began.elapsed().as_secs_f64());
        }
        Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn answer(&self, query: &str) -> Result<String, String> {
        let name = self.container("postgres");
        let output = Command::new("docker")
            .args([
                "exec",
                &name,
                "psql",
                "-U",
                "actor_user",
                "eventstore",
                "-qAtX",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                query,
            ])
            .output()
            .map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(format!("{query}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Events of which half is noise, and messages through the management interface of the broker.
    fn fill(&self, options: &Options) -> Result<(), String> {
        self.answer(&format!(
            "INSERT INTO events SELECT n, gen_random_uuid(), 'bench', 'Order', (n / 10)::text, n % 10 + 1, 'OrderPlaced', 1, \
             jsonb_build_object('customer', 'customer-' || n % 1000, 'status', 'placed', 'items', n % 7, 'noise', \
             encode(decode(md5(random()::text) || md5(random()::text) || md5(random()::text), 'hex'), 'base64')), '{{}}', now(), NULL, NULL \
             FROM generate_series(1, {}) n",
            options.events
        ))?;
        let code = format!(
            "rabbit_amqqueue:declare({{resource, <<\"/\">>, queue, <<\"bench\">>}}, true, false, [], none, <<\"bench\">>), \
             {{ok, X}} = rabbit_exchange:lookup({{resource, <<\"/\">>, exchange, <<>>}}), \
             [rabbit_basic:publish(X, <<\"bench\">>, rabbit_basic:properties([{{delivery_mode, 2}}]), crypto:strong_rand_bytes(1024)) \
             || _ <- lists:seq(1, {})], ok.",
            options.messages
        );
        let name = self.container("rabbitmq");
        let output = Command::new("docker")
            .args(["exec", &name, "rabbitmqctl", "-q", "eval", &code])
            .output()
            .map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("fill the broker: {}", String::from_utf8_lossy(&output.stderr)));
        }
        // the engine's own checks settle
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.banyan(&["down", "-v", "--no-snapshot"]);
        let _ = std::fs::remove_dir_all(Path::new(&self.folder));
    }
}
