//! Packs the SDK, as it is in this source tree, for the executable: a JSON object of paths and texts, compressed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};

/// The crates that a service is built with.
const CRATES: [&str; 3] = ["macros", "protocol", "sdk"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let mut files = BTreeMap::new();
    let mut needed = BTreeSet::new();
    for name in CRATES {
        let folder = PathBuf::from("src").join(name);
        let manifest = without_tests(&read(&root, &folder.join("Cargo.toml"))?);
        needed.extend(dependencies(&manifest));
        files.insert(folder.join("Cargo.toml"), manifest);
        for path in below(&root, &folder.join("src"))? {
            let text = read(&root, &path)?;
            files.insert(path, text);
        }
    }
    files.insert("Cargo.toml".into(), workspace(&read(&root, Path::new("Cargo.toml"))?, &needed));
    for name in ["Cargo.lock", "rustfmt.toml"] {
        files.insert(name.into(), read(&root, Path::new(name))?);
    }
    let packed = PathBuf::from(std::env::var("OUT_DIR")?).join("sdk.json.gz");
    let mut out = flate2::write::GzEncoder::new(std::fs::File::create(packed)?, flate2::Compression::best());
    serde_json::to_writer(&mut out, &files)?;
    out.finish()?;
    Ok(())
}

fn read(root: &Path, path: &Path) -> Result<String, Box<dyn Error>> {
    let path = root.join(path);
    println!("cargo::rerun-if-changed={}", path.display());
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()).into())
}

/// Every file below a folder, by its path from the root.
fn below(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", root.join(folder).display());
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&next))? {
            let entry = entry?;
            let path = next.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// The sections of a manifest: the header line of each, and its lines with it.
fn sections(manifest: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections = vec![("", Vec::new())];
    for line in manifest.lines() {
        if line.starts_with('[') {
            sections.push((line, vec![line]));
        } else if let Some((_, lines)) = sections.last_mut() {
            lines.push(line);
        }
    }
    sections
}

/// The manifest of a crate without what only its tests and benchmarks need, which stay here.
fn without_tests(manifest: &str) -> String {
    let stays = ["[dev-dependencies]", "[[test]]", "[[bench]]"];
    let kept = sections(manifest).into_iter().filter(|(header, _)| !stays.contains(header));
    kept.flat_map(|(_, lines)| lines).map(|line| format!("{line}\n")).collect()
}

/// The names of the dependencies that a crate takes from the workspace.
fn dependencies(manifest: &str) -> Vec<String> {
    let lines = sections(manifest).into_iter().filter(|(header, _)| *header == "[dependencies]").flat_map(|(_, l)| l);
    lines.filter(|line| line.contains("workspace")).filter_map(key).map(str::to_owned).collect()
}

/// `serde` of `serde.workspace = true` and of `serde = { … }`.
fn key(line: &str) -> Option<&str> {
    let name = line.split(['.', ' ', '=']).next()?;
    (!name.is_empty() && !name.starts_with(['#', '['])).then_some(name)
}

/// The manifest of the workspace: these crates, what they have in common, and the dependencies that they need.
fn workspace(manifest: &str, needed: &BTreeSet<String>) -> String {
    let members: Vec<String> = CRATES.iter().map(|name| format!("\"src/{name}\"")).collect();
    let mut text = format!("[workspace]\nmembers = [{}]\nresolver = \"3\"\n\n", members.join(", "));
    for (header, lines) in sections(manifest) {
        match header {
            "[workspace.package]" => lines.iter().for_each(|line| text.push_str(&format!("{line}\n"))),
            "[workspace.dependencies]" => {
                text.push_str(&format!("{header}\n"));
                let kept = lines.iter().filter(|line| key(line).is_some_and(|name| needed.contains(name)));
                kept.for_each(|line| text.push_str(&format!("{line}\n")));
            }
            _ => {}
        }
    }
    text + "\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"
}
