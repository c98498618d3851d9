//! How fast an archive is written and read: beside `tar | zstd -1 -T2` and `zstd -d | tar x` with the same files.
//!
//! ```text
//! cargo bench -p archive --bench archive -- [--rounds N] [--mebibytes N] [--json FILE]
//! ```
//!
//! The files are half noise and half JSON, in turns of 8 MiB. Both sides read the same files, which are in memory by then,
//! and write to the same disk; banyan hashes besides, and waits for the disk.
//!
//! A missed level is printed and fails nothing.

#[path = "../start.rs"]
mod start;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use archive::{Archive, Consistency, Manifest, Sealing, Tool, Unsealing, Writer};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What was asked for.
struct Options {
    rounds: usize,
    mebibytes: usize,
    json: Option<PathBuf>,
}

impl Options {
    fn read(args: &[String]) -> Result<Self> {
        let mut options = Self { rounds: 5, mebibytes: 1_024, json: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => {}
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--mebibytes" => options.mebibytes = value()?.parse::<usize>()?.max(16),
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    start::start("archive", |args| Options::read(args).and_then(|options| bench(&options)).map(|()| true))
}

/// What one side of a comparison took, in seconds, by round.
struct Line {
    what: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    /// The most that ours may take, as a multiple of theirs: to pass, and the goal.
    level: Option<(f64, f64)>,
}

fn bench(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir_in(std::env::var_os("CARGO_TARGET_TMPDIR").unwrap_or_else(|| "/var/tmp".into()))?;
    let source = folder.path().join("source");
    fill(&source, options.mebibytes)?;
    let key = age::x25519::Identity::generate();
    let sealing = Sealing::recipients([key.to_public().to_string()])?;
    let unsealing = Unsealing::identities(age::secrecy::ExposeSecret::expose_secret(&key.to_string()))?;
    let path = |name: &str| folder.path().join(name);
    let (plain, sealed, theirs) = (path("plain.banyan"), path("sealed.banyan"), path("theirs.tar.zst"));
    let line = |what, level| Line { what, ours: Vec::new(), theirs: Vec::new(), level };
    let (mut write, mut write_sealed) = (line("write", Some((1.5, 1.1))), line("write, encrypted", None));
    let (mut read, mut verify) = (line("unpack", Some((1.5, 1.1))), line("verify, against `zstd -t`", None));
    for _ in 0..options.rounds {
        for file in [&plain, &sealed, &theirs] {
            _ = std::fs::remove_file(file);
        }
        let tar = shell("tar -C \"$0\" -c . | zstd -q -1 -T2 -o \"$1\"", &source, &theirs)?;
        write.theirs.push(tar);
        write.ours.push(timed(|| pack(&source, &plain, &Sealing::none()))?);
        write_sealed.theirs.push(tar);
        write_sealed.ours.push(timed(|| pack(&source, &sealed, &sealing))?);
        for into in ["ours", "theirs"] {
            _ = std::fs::remove_dir_all(path(into));
            std::fs::create_dir(path(into))?;
        }
        read.theirs.push(shell("zstd -dcq \"$0\" | tar -xC \"$1\"", &theirs, &path("theirs"))?);
        read.ours.push(timed(|| unpack(&Archive::open(&plain, &Unsealing::none())?, &path("ours")))?);
        verify.theirs.push(shell("zstd -tq \"$0\"", &theirs, &theirs)?);
        verify.ours.push(timed(|| {
            let archive = Archive::open(&plain, &Unsealing::none())?;
            archive.verify(&mut |_| {}).map_err(|mut why| why.remove(0).into())
        })?);
    }
    Archive::open(&sealed, &unsealing)?.verify(&mut |_| {}).map_err(|mut why| why.remove(0))?;
    let lines = [write, write_sealed, read, verify];
    let sizes = (plain.metadata()?.len(), theirs.metadata()?.len());
    print(options, &lines, sizes);
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", as_json(options, &lines, sizes)))?;
    }
    Ok(())
}

/// Files of 32 MiB.
fn fill(source: &Path, mebibytes: usize) -> Result<()> {
    std::fs::create_dir(source)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for file in 0..mebibytes.div_ceil(32) {
        let mut out = File::create(source.join(format!("{file:04}")))?;
        let mut id = file as u64 * 1_000_000;
        for turn in 0..4 {
            let mut bytes = Vec::with_capacity(8 << 20);
            while bytes.len() < 8 << 20 {
                if turn % 2 == 0 {
                    bytes.extend_from_slice(&noise().to_le_bytes());
                } else {
                    id += 1;
                    let (customer, amount) = (noise() % 100_000, noise() % 10_000);
                    writeln!(
                        bytes,
                        r#"{{"id":{id},"type":"order-placed","customer":"c-{customer}","amount":{amount}}}"#
                    )?;
                }
            }
            out.write_all(&bytes[..8 << 20])?;
        }
    }
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs a pipeline in which every command must succeed.
fn shell(script: &str, first: &Path, second: &Path) -> Result<f64> {
    timed(|| {
        let status = Command::new("bash").args(["-o", "pipefail", "-c", script]).arg(first).arg(second).status()?;
        if status.success() { Ok(()) } else { Err(format!("{script}: {status}").into()) }
    })
}

fn pack(source: &Path, target: &Path, sealing: &Sealing) -> Result<()> {
    let mut writer = Writer::create(target, sealing)?;
    let mut files: Vec<_> = std::fs::read_dir(source)?.collect::<io::Result<_>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut buffer = vec![0; 64 << 10];
    for entry in files {
        let mut file = File::open(entry.path())?;
        let mut member = writer.member(&entry.file_name().to_string_lossy())?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => member.write_all(&buffer[..n])?,
            }
        }
        member.finish()?;
    }
    let tool = Tool { name: "bench".into(), version: "0".into() };
    let created = archive::Timestamp::from_millis(0);
    writer.finish(Manifest::new(tool, created, "bench", "bench", "", Consistency::PerStore))?;
    Ok(())
}

fn unpack(archive: &Archive, into: &Path) -> Result<()> {
    let mut buffer = vec![0; 256 << 10];
    for member in &archive.manifest().members {
        let (mut reader, mut file) = (archive.member(&member.name)?, File::create(into.join(&member.name))?);
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                n => file.write_all(&buffer[..n])?,
            }
        }
    }
    Ok(())
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Line {
    fn ratio(&self) -> f64 {
        median(self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs))
    }

    fn verdict(&self) -> &'static str {
        match self.level {
            None => "",
            Some((_, goal)) if self.ratio() <= goal => "goal met",
            Some((pass, _)) if self.ratio() <= pass => "passed",
            Some(_) => "missed",
        }
    }
}

fn print(options: &Options, lines: &[Line], (ours, theirs): (u64, u64)) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{} MiB, half noise, half JSON; {} rounds in turns; {cores} cores; medians\n",
        options.mebibytes, options.rounds
    );
    println!("{:28}{:>10}{:>10}{:>8}  pass (goal)", "", "banyan", "against", "ratio");
    for line in lines {
        let (ours, theirs) = (median(line.ours.clone()), median(line.theirs.clone()));
        let level = line.level.map_or(String::new(), |(pass, goal)| format!("<= {pass} ({goal})"));
        println!("{:28}{ours:>8.2} s{theirs:>8.2} s{:>8.2}  {level:14}  {}", line.what, line.ratio(), line.verdict());
    }
    println!("\nlength: {} MiB against {} MiB", ours >> 20, theirs >> 20);
}

fn as_json(options: &Options, lines: &[Line], (ours, theirs): (u64, u64)) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|it| json!({ "what": it.what, "banyan": it.ours, "against": it.theirs, "value": it.ratio(), "verdict": it.verdict() }))
        .collect();
    json!({
        "schema_version": 1, "benchmark": "archive", "mebibytes": options.mebibytes, "rounds": options.rounds,
        "lines": lines, "bytes": { "banyan": ours, "against": theirs },
    })
}
