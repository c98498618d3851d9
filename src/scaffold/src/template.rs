//! The files of a service, made from `templates/`.

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::name::Name;
use crate::{Files, sdk};

/// The templates of a language, by their path in `templates/<language>`.
macro_rules! templates {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../templates/", $folder, "/", $path)))),+]
    };
}

/// A service in Rust; a test compares the list with the folder. `NAME` in a path becomes the service's own.
const RUST: &[(&str, &str)] = templates!("rust":
    "Cargo.toml",
    "README.md",
    "cargo-config.toml",
    "compose.yaml",
    "gitignore",
    "rustfmt.toml",
    "src/aggregates.rs",
    "src/aggregates/NAME_state.rs",
    "src/commands.rs",
    "src/commands/create_NAME.rs",
    "src/events.rs",
    "src/events/NAME_confirmed.rs",
    "src/events/NAME_created.rs",
    "src/main.rs",
    "src/queries.rs",
    "src/queries/get_NAME.rs",
    "src/read_models.rs",
    "src/read_models/NAME_view.rs",
    "src/subscriptions.rs",
    "src/subscriptions/on_NAME_created.rs",
    "src/tests.rs",
);

/// What a service is made from.
#[derive(Debug, Clone, Serialize)]
pub struct Answers {
    /// What it is called.
    #[serde(flatten)]
    pub name: Name,
    /// From its folder to the project's, with a slash at the end: `../`.
    pub up: String,
    /// The port of this machine on which it can be reached.
    pub port: u16,
    /// Services of the project that it connects to.
    pub needs: Vec<String>,
}

impl Answers {
    /// Those that the compose file of a service was made from, as far as it still tells.
    #[must_use]
    pub fn of(name: Name, up: &str, compose: &str) -> Option<Self> {
        let port = compose.split(&format!("{}_PORT:-", name.screaming)).nth(1)?.split('}').next()?.parse().ok()?;
        let needs = compose.lines().filter_map(|line| line.trim().strip_suffix(": { condition: service_started }"));
        Some(Self { up: up.to_owned(), port, needs: needs.map(str::to_owned).collect(), name })
    }
}

#[derive(Serialize)]
struct Values<'a> {
    #[serde(flatten)]
    answers: &'a Answers,
    version: &'static str,
}

/// The files of a service in Rust.
///
/// # Errors
/// Never, unless a template is wrong, which the tests would tell.
pub fn rust(answers: &Answers) -> Result<Files, minijinja::Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    let values = Values { answers, version: sdk::VERSION };
    let file = |(path, text): &(&str, &str)| {
        let place = match *path {
            "gitignore" => ".gitignore".to_owned(),
            "cargo-config.toml" => ".cargo/config.toml".to_owned(),
            path => path.replace("NAME", &answers.name.snake),
        };
        Ok((place, environment.render_str(text, &values)?))
    };
    RUST.iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str) -> Files {
        let needs = vec!["postgres".to_owned(), "redis".to_owned()];
        rust(&Answers { name: Name::new(name).unwrap(), up: "../".to_owned(), port: 3010, needs }).unwrap()
    }

    #[test]
    fn names_are_put_where_they_belong() {
        let files = files("order-item-service");
        assert!(files["src/commands/create_order_item.rs"].contains("\npub struct CreateOrderItem {\n"));
        assert!(files["src/commands/create_order_item.rs"].contains("permissions = [\"order-item:create\"]"));
        assert!(files["src/main.rs"].contains("Service::new(\"order-item-service\", ())"));
        assert!(files["Cargo.toml"].contains("banyan-sdk = { path = \"../.banyan/sdk/src/sdk\" }"));
        assert!(files[".cargo/config.toml"].contains("target-dir = \"../.banyan/target\""));
        assert!(files.contains_key(".gitignore"));
        for (path, text) in &files {
            assert!(!text.contains("{{") && !text.contains("}}\n") && !path.contains("NAME"), "{path}:\n{text}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        }
    }

    #[test]
    fn the_compose_file_is_one() {
        let text = &files("order-service")["compose.yaml"];
        let read: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let service = &read["services"]["order-service"];
        assert_eq!(service["image"], "${ORDER_SERVICE_IMAGE:-banyan-local/order-service}");
        assert_eq!(service["ports"][0], "${BIND_ADDRESS:-127.0.0.1}:${ORDER_SERVICE_PORT:-3010}:3000");
        assert_eq!(service["depends_on"]["redis"]["condition"], "service_started");
        let name = Name::new("a").unwrap();
        let alone = rust(&Answers { name, up: "../".to_owned(), port: 1, needs: vec![] }).unwrap();
        assert!(!alone["compose.yaml"].contains("depends_on"));
    }

    #[test]
    fn a_service_tells_what_it_was_made_from() {
        let made = files("order-service");
        let answers = Answers::of(Name::new("order-service").unwrap(), "../", &made["compose.yaml"]).unwrap();
        assert_eq!(rust(&answers).unwrap(), made);
        assert!(Answers::of(Name::new("other").unwrap(), "../", &made["compose.yaml"]).is_none());
    }

    #[test]
    fn no_line_is_so_long_that_a_formatter_would_change_it() {
        for (path, text) in files(&"a".repeat(crate::name::LONGEST)) {
            let long = text.lines().find(|line| path.ends_with(".rs") && line.chars().count() > 120);
            assert_eq!(long, None, "{path}");
        }
    }
}
