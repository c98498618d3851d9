//! The SDK inside this executable: its sources, which a service is built with where no registry has them.

use crate::Files;

/// The version, which is that of the executable.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Made by `build.rs` from the source tree.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sdk.json.gz"));

const README: &str = "# The SDK of this project's services

Written by `banyan new-service`: edits here are lost when another version of banyan takes its place. Commit the folder, so
that the services can be built wherever the project is checked out.
";

/// The SDK as it is written into a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdk {
    /// Its sources: a cargo workspace.
    pub files: Files,
    /// The versions of all libraries that it was tested with: what the `Cargo.lock` of a new service begins with.
    pub lock: String,
}

/// Unpacks it.
///
/// # Errors
/// Never, unless the executable is damaged.
pub fn unpack() -> std::io::Result<Sdk> {
    let unpacked = flate2::read::GzDecoder::new(PACKED);
    let mut files: Files = serde_json::from_reader(std::io::BufReader::new(unpacked))?;
    let lock = files.remove("Cargo.lock").unwrap_or_default();
    files.insert("README.md".to_owned(), README.to_owned());
    Ok(Sdk { files, lock })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_crate_and_nothing_of_their_tests() {
        let sdk = unpack().unwrap();
        for name in ["macros", "protocol", "sdk"] {
            let manifest = &sdk.files[&format!("src/{name}/Cargo.toml")];
            assert!(manifest.contains("[dependencies]") && !manifest.contains("[dev-dependencies]"), "{manifest}");
            assert!(!manifest.contains("[[test]]") && !manifest.contains("[[bench]]"), "{manifest}");
            assert!(sdk.files.contains_key(&format!("src/{name}/src/lib.rs")));
        }
        assert!(
            sdk.files["src/sdk/src/store/postgres/migrations/1_events.sql"].contains("events"),
            "read at compile time"
        );
        assert!(sdk.lock.contains("name = \"tokio\""));
    }

    #[test]
    fn names_every_library_that_its_crates_take_and_no_other() {
        let workspace = &unpack().unwrap().files["Cargo.toml"];
        let dependencies = workspace.split("[workspace.dependencies]\n").nth(1).unwrap();
        assert!(dependencies.contains("\nlapin = ") && dependencies.contains("\nsyn = "), "{workspace}");
        assert!(!dependencies.contains("clap") && !dependencies.contains("bollard"), "{workspace}");
        assert!(workspace.contains("members = [\"src/macros\", \"src/protocol\", \"src/sdk\"]"), "{workspace}");
    }
}
