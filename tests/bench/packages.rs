//! Programs of others' making, in a folder with the packages that they need.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Copies `files`, named from this folder, into a folder of that name, and has npm fetch what the `package.json` among
/// them asks for.
pub fn npm(folder: PathBuf, files: &[&str]) -> Result<PathBuf, String> {
    let wanted = copied(&folder, files, "package.json")?;
    // What npm fetched the last time, and for whom.
    let fetched = folder.join("node_modules/.fetched-for");
    if std::fs::read_to_string(&fetched).is_ok_and(|it| it == wanted) {
        return Ok(folder);
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args(["install", "--silent", "--no-audit", "--no-fund"]);
    run("npm install", npm)?;
    std::fs::write(&fetched, wanted).map_err(|e| format!("{}: {e}", fetched.display()))?;
    Ok(folder)
}

/// The same for Python, with pip and a `requirements.txt`; says which Python to use.
pub fn pip(folder: PathBuf, files: &[&str]) -> Result<PathBuf, String> {
    let wanted = copied(&folder, files, "requirements.txt")?;
    let python = folder.join("python/bin/python");
    let fetched = folder.join("python/.fetched-for");
    if std::fs::read_to_string(&fetched).is_ok_and(|it| it == wanted) {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    venv.current_dir(&folder).args(["-m", "venv", "--clear", "python"]);
    run("python3 -m venv", venv)?;
    let mut pip = Command::new(&python);
    pip.current_dir(&folder).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--requirement", "requirements.txt"]);
    run("pip install", pip)?;
    std::fs::write(&fetched, wanted).map_err(|e| format!("{}: {e}", fetched.display()))?;
    Ok(python)
}

/// Copies the files, and says what stands in the one that lists the packages.
fn copied(folder: &Path, files: &[&str], list: &str) -> Result<String, String> {
    let trouble = |e: std::io::Error| format!("{}: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(trouble)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench");
    for file in files {
        let name = Path::new(file).file_name().ok_or_else(|| format!("{file} is no file"))?;
        std::fs::copy(source.join(file), folder.join(name)).map_err(trouble)?;
    }
    std::fs::read_to_string(folder.join(list)).map_err(trouble)
}

fn run(what: &str, mut command: Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} ended with {status}")),
        Err(e) => Err(format!("{what}: {e}")),
    }
}
