//! The yardstick: single-row inserts, each its own commit, by pgbench, whose callers do nothing else.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Result, database::Database, report::percentile};

/// What every event says.
pub const DATA: &str = r#"{"orderId":"3f1c9a52-6d1b-4d2f-9b7e-0c8d6a1f2b3c","customer":"c-1029","amount":129.90,"currency":"EUR","lines":[{"sku":"A1","qty":2},{"sku":"B7","qty":1}],"note":"leave at door please"}"#;

/// How many clients it gets to be at its best.
const CLIENTS: [usize; 2] = [32, 64];

/// A table like that of an event store, without what orders it.
const TABLE: &str = "create table singles (
    pos bigint generated always as identity primary key, stream uuid not null, ver bigint not null, type text not null,
    data jsonb not null, meta jsonb not null default '{}', at timestamptz not null default now(), unique (stream, ver))";

/// pgbench with its script and the table that it writes to.
pub struct Pgbench {
    program: PathBuf,
    url: String,
    folder: tempfile::TempDir,
}

/// What a run of pgbench came to.
pub struct Run {
    /// Transactions per second.
    pub rate: f64,
    /// Microseconds.
    pub p50: f64,
}

impl Pgbench {
    pub async fn new(database: &Database) -> Result<Self> {
        let folder = std::env::var_os("BANYAN_TEST_POSTGRES_BIN").ok_or("BANYAN_TEST_POSTGRES_BIN names no folder")?;
        let program = Path::new(&folder).join("pgbench");
        database.run(TABLE).await?;
        let folder = tempfile::tempdir()?;
        let mut script = std::fs::File::create(folder.path().join("insert.sql"))?;
        writeln!(
            script,
            "insert into singles (stream, ver, type, data) values (gen_random_uuid(), 1, 'OrderPlaced', '{}');",
            DATA
        )?;
        Ok(Self { program, url: database.url.clone(), folder })
    }

    /// Transactions per second with as many clients as it takes to be fastest.
    pub fn best(&self, time: Duration) -> Result<f64> {
        let rates = CLIENTS.iter().map(|&clients| Ok(self.run(clients, time)?.rate));
        Ok(rates.collect::<Result<Vec<f64>>>()?.into_iter().fold(0.0, f64::max))
    }

    /// So many clients for a while, in whole seconds. None of them may fail.
    pub fn run(&self, clients: usize, time: Duration) -> Result<Run> {
        let log = self.folder.path().join(format!("log{clients}"));
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg(format!("--log-prefix={}", log.display()))
            .arg(format!("--file={}", self.folder.path().join("insert.sql").display()))
            .arg(&self.url)
            .output()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        Ok(Run { rate: rate.ok_or("pgbench does not say how fast it was")?, p50: self.median()? })
    }

    /// Of the transactions in the logs, which are removed.
    fn median(&self) -> Result<f64> {
        let mut times = Vec::new();
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log")) {
                let text = std::fs::read_to_string(&path)?;
                times.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
                std::fs::remove_file(path)?;
            }
        }
        times.sort_by(f64::total_cmp);
        Ok(percentile(&times, 0.5))
    }
}
