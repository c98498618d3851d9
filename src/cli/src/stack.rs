//! The files inside the executable: the platform's compose file and the recipes of its images.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use engine::recipe::Recipe;

/// Name of the built-in project.
pub const PROJECT: &str = "flow-platform";
/// Name of the compose file, here and in the user's folder.
pub const FILE: &str = "docker-compose.yml";
const COMPOSE: &str = include_str!("../../../compose/docker-compose.yml");
const README: &str = include_str!("../../../compose/README.md");

/// A recipe's files, by their path in `compose/images/<recipe>`.
macro_rules! recipe {
    ($name:literal for $image:literal: $($path:literal),+ $(,)?) => {
        Recipe::embedded($name, $image, &[$(($path, include_bytes!(concat!("../../../compose/images/", $name, "/", $path)))),+])
    };
}

/// Every recipe; a test compares the list with the folder.
pub fn recipes() -> Vec<Recipe> {
    vec![
        recipe!("devbox" for "": "Dockerfile", "requirements.txt"),
        recipe!("postgres" for "postgres:16": "Dockerfile", "docker-entrypoint.sh", "requirements.txt"),
        recipe!("rabbitmq" for "rabbitmq:3": "Dockerfile", "conf.d/10-defaults.conf", "docker-entrypoint.sh", "enabled_plugins"),
        recipe!("redis" for "redis:7": "Dockerfile", "docker-entrypoint.sh"),
    ]
}

/// The built-in stack with other default images: `${NAME:-image}` by the image's default name.
///
/// A stand-in is written into the file itself, so that Compose, run on that file, sees the same images as we do.
pub fn render(stand_ins: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Written by banyan {}: edits here are lost. `banyan init` writes a copy that is yours.\n#\n{COMPOSE}",
        env!("CARGO_PKG_VERSION")
    );
    for (default, stand_in) in stand_ins {
        text = text.replace(&format!(":-{default}}}"), &format!(":-{stand_in}}}"));
    }
    text
}

/// What `banyan init` writes: path, content, and whether a file of that name may stay as it is.
pub fn init_files() -> Vec<(&'static str, String, bool)> {
    vec![
        ("banyan.yaml", MANIFEST.to_owned(), false),
        (FILE, COMPOSE.to_owned(), false),
        ("README.md", README.to_owned(), true),
        (".env", env_template(), true),
    ]
}

const MANIFEST: &str = "# The project that `banyan` takes in this folder and in every folder below it.
compose:
  - docker-compose.yml
# Services of your own: name and folder. Each folder's compose.yaml is laid over the files above.
services: {}
";

/// Every variable of the stack with its default, commented out.
fn env_template() -> String {
    let mut text = String::from(
        "# Variables of docker-compose.yml with their defaults; README.md says what each one changes.\n# Take the # away to change one. The shell's environment is stronger than this file.\n\n",
    );
    let mut seen = Vec::new();
    for part in COMPOSE.lines().filter(|l| !l.trim_start().starts_with('#')).flat_map(|l| l.split("${").skip(1)) {
        let Some((expression, _)) = part.split_once('}') else { continue };
        let Some((name, default)) = expression.split_once(":-") else { continue };
        if !seen.contains(&name) {
            seen.push(name);
            text.push_str(&format!("#{name}={default}\n"));
        }
    }
    text
}

/// Writes a file whole or not at all, and only when its content differs.
pub fn write(path: &Path, content: &str) -> io::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = std::fs::write(&new, content).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// Where banyan keeps its files: `BANYAN_DATA_DIR`, or the platform's folder for a user's data.
pub fn data_folder(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let set = |name: &str| env.get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("BANYAN_DATA_DIR")
        .or_else(|| set("XDG_DATA_HOME").map(|d| d.join("banyan")))
        .or_else(|| set("LOCALAPPDATA").map(|d| d.join("banyan")))
        .or_else(|| set("HOME").map(|d| d.join(".local/share/banyan")))
}

#[cfg(test)]
mod tests {
    use compose::Sources;
    use compose::project::{MountSource, Project};

    use super::*;

    fn stack(variables: &[(&str, &str)]) -> Project {
        let sources = Sources {
            files: vec!["/stack/docker-compose.yml".into()],
            working_dir: "/stack".into(),
            profiles: ["*".to_owned()].into(),
            process_env: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Sources::default()
        };
        let text = render(&BTreeMap::new());
        let read = |path: &Path| match path.ends_with(FILE) {
            true => Ok(text.clone()),
            false => Err(io::ErrorKind::NotFound.into()),
        };
        compose::load(&sources, &read).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    #[test]
    fn the_stack_is_what_it_promises() {
        let stack = stack(&[]);
        assert_eq!((stack.name.as_str(), stack.services.len()), (PROJECT, 10));
        for service in stack.services.values() {
            let name = &service.name;
            assert_eq!(service.container_name, format!("flow-platform-{name}"));
            assert!(service.ports.iter().all(|p| p.host.is_none() || p.is_loopback()), "{name}");
            assert!(service.ports.iter().all(|p| p.host.is_none() || p.variable.is_some()), "{name}: no variable");
            let bind = service.mounts.iter().find(|m| matches!(m.source, MountSource::Bind(_)));
            assert_eq!(bind, None, "{name}: a remote engine has no such folder");
            let is_asked = service.healthcheck.is_some() && service.extension.ready.is_some();
            assert!(is_asked || name == "devbox", "{name}: nobody knows whether it works");
        }
        let volumes =
            ["postgres", "rabbitmq", "redis", "elasticsearch", "jaeger", "grafana"].map(|s| format!("{s}-data"));
        assert_eq!(stack.volumes.keys().collect::<Vec<_>>(), volumes.iter().collect::<Vec<_>>());
        assert!(stack.volumes.iter().all(|(key, v)| v.name == format!("flow-platform-{key}")));
        let networks: Vec<_> = stack.networks.values().map(|n| n.name.as_str()).collect();
        assert_eq!(networks, ["flow-platform-network"]);
        let hosts = |name: &str| stack.services[name].ports.iter().filter_map(|p| p.host).collect::<Vec<_>>();
        for (service, ports) in [
            ("postgres", &[55432][..]),
            ("rabbitmq", &[55671, 55672]),
            ("redis", &[56379]),
            ("elasticsearch", &[9200]),
            ("jaeger", &[16686, 4318]),
            ("grafana", &[5005]),
            ("auth-service", &[3001]),
            ("service-discovery", &[3002]),
            ("api-gateway", &[3003]),
            ("devbox", &[]),
        ] {
            assert_eq!(hosts(service), ports, "{service}");
        }
    }

    #[test]
    fn the_optional_tier_is_observability_and_nothing_else() {
        let stack = stack(&[]);
        let optional: Vec<_> = stack.services.values().filter(|s| !s.is_required()).map(|s| s.name.as_str()).collect();
        assert_eq!(optional, ["elasticsearch", "jaeger", "grafana"]);
    }

    #[test]
    fn another_name_is_another_platform() {
        let stack = stack(&[("COMPOSE_PROJECT_NAME", "second")]);
        assert!(stack.services.values().all(|s| s.container_name.starts_with("second-")));
        assert!(stack.volumes.values().all(|v| v.name.starts_with("second-")));
        assert!(stack.networks.values().all(|n| n.name.starts_with("second-")));
    }
}
