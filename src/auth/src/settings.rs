//! What the environment tells auth.

use std::time::Duration;

use banyan_sdk::{
    Error,
    config::{Config, Environment, Reader, Secret, Stores},
    tokens::{Keys, Signer},
};
use serde_json::Value;

use crate::{passwords, state};

/// What the service is called.
pub const SERVICE: &str = "auth-service";
/// The port that it serves HTTP on.
pub const PORT: u16 = 3001;

/// The password that samples use; everybody knows it.
const SAMPLE_PASSWORD: &str = "AdminPassword123!";

const DEFAULT_SESSION: Duration = Duration::from_secs(604_800);
const LONGEST_SESSION: u32 = 366 * 86_400;

/// What the environment tells auth.
pub struct Settings {
    /// Makes access tokens.
    pub signer: Signer,
    /// The public keys, for everybody.
    pub published: Value,
    /// How long a session lasts without being refreshed (`REFRESH_TOKEN_EXPIRATION`, seconds).
    pub session: Duration,
    /// Whether developers may get tokens of others: in development and in tests.
    pub development: bool,
    /// Who is there from the beginning (`ADMIN_EMAIL`, `ADMIN_PASSWORD`).
    pub admin: Option<Admin>,
}

/// The user who is there from the beginning.
#[derive(Clone)]
pub struct Admin {
    /// The address.
    pub email: String,
    /// The password, until it is hashed.
    pub password: Secret,
}

impl Settings {
    /// Reads the settings through `env`, those that every service has included.
    ///
    /// # Errors
    /// Every mistake in them, in one error.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut reader = Reader::new(env);
        let config = Config::read(&mut reader, SERVICE, PORT);
        let stores = Stores::read(&mut reader);
        let keys = config.as_ref().and_then(|config| Keys::read(&mut reader, config, true));
        let session = reader.parsed_or(
            "REFRESH_TOKEN_EXPIRATION",
            "a number of seconds above zero, at most a year",
            |text| {
                let seconds: u32 = text.parse().ok().filter(|seconds| (1..=LONGEST_SESSION).contains(seconds))?;
                Some(Duration::from_secs(seconds.into()))
            },
            DEFAULT_SESSION,
        );
        let environment = config.as_ref().map(|config| config.environment);
        let admin = admin(&mut reader, environment);
        let settings = || {
            let (mut keys, _, environment) = (keys?, stores?, environment?);
            Some(Self {
                published: keys.published(),
                signer: keys.signer()?,
                session: session?,
                development: matches!(environment, Environment::Development | Environment::Test),
                admin: admin?,
            })
        };
        let settings = settings();
        reader.finish(settings)
    }
}

fn admin(reader: &mut Reader<'_>, environment: Option<Environment>) -> Option<Option<Admin>> {
    let (email, password) = match (reader.value("ADMIN_EMAIL"), reader.value("ADMIN_PASSWORD")) {
        (None, None) => return Some(None),
        (Some(email), Some(password)) => (email, password),
        (Some(_), None) => {
            reader.report("ADMIN_PASSWORD", "is not set, and ADMIN_EMAIL is");
            return None;
        }
        (None, Some(_)) => {
            reader.report("ADMIN_EMAIL", "is not set, and ADMIN_PASSWORD is");
            return None;
        }
    };
    let read = reader.parsed("ADMIN_EMAIL", "an e-mail address", |text| state::address(text).ok());
    let mut good = true;
    if let Err(weakness) = passwords::check(&password, &[&email]) {
        reader.report("ADMIN_PASSWORD", &format!("is refused: {weakness}"));
        good = false;
    } else if environment == Some(Environment::Production) && password == SAMPLE_PASSWORD {
        reader.report("ADMIN_PASSWORD", "is the sample password, which must not be used in production");
        good = false;
    }
    let email = read?;
    good.then(|| Some(Admin { email, password: Secret::new(password) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let stores = [
            ("DATABASE_URL", "postgresql://banyan:hunter2@db/eventstore"),
            ("RABBITMQ_URL", "amqp://banyan:hunter2@mq"),
            ("REDIS_URL", "redis://:hunter2@redis"),
        ];
        let env = |name: &str| {
            let mut all = pairs.iter().chain(&stores);
            all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&env)
            .map_err(|error| error.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect())
    }

    #[test]
    fn a_developer_need_not_say_anything() {
        let settings = read(&[]).ok().unwrap();
        assert!(settings.development && settings.admin.is_none());
        assert_eq!(settings.session, Duration::from_secs(7 * 24 * 3600));
        assert_eq!(settings.signer.lifetime(), Duration::from_secs(300));
        assert_eq!(settings.published, serde_json::json!({ "keys": [] }));
    }

    #[test]
    fn production_is_told_of_every_mistake_at_once_and_of_no_secret() {
        let problems = read(&[
            ("NODE_ENV", "production"),
            ("JWT_SECRET", "hunter2"),
            ("DEVELOPMENT_AUTH_ENABLED", "true"),
            ("REFRESH_TOKEN_EXPIRATION", "never"),
            ("ADMIN_EMAIL", "admin"),
            ("ADMIN_PASSWORD", "hunter2"),
            ("RABBITMQ_URL", "mq:hunter2"),
        ])
        .err()
        .unwrap();
        let names: Vec<_> = problems.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let all = ["JWT_SECRET", "DEVELOPMENT_AUTH_ENABLED", "RABBITMQ_URL", "REFRESH_TOKEN_EXPIRATION"];
        assert_eq!(names, [&all[..], &["ADMIN_EMAIL", "ADMIN_PASSWORD"]].concat(), "{problems:?}");
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        for (setting, reason) in [
            (&[("NODE_ENV", "production")][..], "JWT_SECRET (or JWT_PRIVATE_KEY) is not set"),
            (&[("ADMIN_EMAIL", "admin@example.com")], "ADMIN_PASSWORD is not set"),
            (&[("ADMIN_PASSWORD", SAMPLE_PASSWORD)], "ADMIN_EMAIL is not set"),
        ] {
            let problems = read(setting).err().unwrap();
            assert!(problems.len() == 1 && problems[0].starts_with(reason), "{problems:?}");
        }
        let sample = [("ADMIN_EMAIL", "admin@example.com"), ("ADMIN_PASSWORD", SAMPLE_PASSWORD)];
        assert_eq!(read(&sample).ok().unwrap().admin.unwrap().email, "admin@example.com");
        let secret = [("NODE_ENV", "production"), ("JWT_SECRET", "0123456789abcdef0123456789abcdef")];
        let problems = read(&[&sample[..], &secret].concat()).err().unwrap();
        assert!(problems.concat().starts_with("ADMIN_PASSWORD is the sample password"), "{problems:?}");
        assert!(!read(&secret).ok().unwrap().development);
    }
}
