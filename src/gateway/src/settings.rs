//! What the environment tells the gateway.

use std::time::Duration;

use banyan_sdk::{
    Error,
    config::{self, Config, Endpoint, Environment, Need, Reader},
    tokens::{Keys, Verifier},
};

use crate::{addresses::Addresses, caller::Who};

pub(crate) const PORT: u16 = 3003;
const SERVICE: &str = "api-gateway";
const DISCOVERY: &str = "http://service-discovery:3002";
const AUTH: &str = "http://auth-service:3001";
const FORGET_AFTER: Duration = Duration::from_secs(60);
const MILLISECONDS: &str = "a number of milliseconds, at most a day";
pub(crate) const SWITCH: &str = "true or false";

/// What the environment tells the gateway.
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) discovery: Endpoint,
    pub(crate) auth: Endpoint,
    pub(crate) addresses: Addresses,
    pub(crate) who: Who,
    pub(crate) forget_after: Duration,
    pub(crate) access_log: bool,
}

impl Settings {
    /// Reads the settings through `env`.
    ///
    /// # Errors
    /// Every mistake, in one error.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut reader = Reader::new(env);
        let config = Config::read(&mut reader, SERVICE, PORT);
        // read again where they are used; here for their mistakes
        let bus = config::message_bus(&mut reader, Need::Required);
        let _ = config::cache(&mut reader, Need::Optional);
        let discovery = service(&mut reader, "SERVICE_DISCOVERY_URL", DISCOVERY);
        let auth = service(&mut reader, "AUTH_SERVICE_URL", AUTH);
        let addresses = reader.parsed_or(
            "PUBLIC_ADDRESSES",
            "pairs such as grafana=http://127.0.0.1:5005, separated by spaces",
            Addresses::parse,
            Addresses::default(),
        );
        let forget_after = reader.parsed_or("SERVICE_FORGET_AFTER_MS", MILLISECONDS, milliseconds, FORGET_AFTER);
        let access_log = reader.parsed_or("ACCESS_LOG", SWITCH, switch, true);
        let development = config.as_ref().is_some_and(is_development);
        let wanted = reader.parsed_or("DEVELOPMENT_AUTH_ENABLED", SWITCH, switch, false);
        if wanted == Some(true) && !development {
            reader.report("DEVELOPMENT_AUTH_ENABLED", "is true, but NODE_ENV is production or staging");
        }
        let keys = config.as_ref().and_then(|config| Keys::read(&mut reader, config, false));
        let complete = || {
            bus?;
            Some(Self {
                config: config?,
                discovery: discovery?,
                auth: auth?,
                addresses: addresses?,
                who: Who::new(Verifier::new(keys?), wanted?),
                forget_after: forget_after?,
                access_log: access_log?,
            })
        };
        reader.finish(complete())
    }
}

/// Whether comfort goes before caution: on a developer's machine and in tests.
pub(crate) fn is_development(config: &Config) -> bool {
    matches!(config.environment, Environment::Development | Environment::Test)
}

fn service(reader: &mut Reader<'_>, name: &str, default: &str) -> Option<Endpoint> {
    match reader.value(name) {
        None => config::http_endpoint(default),
        Some(_) => reader.parsed(name, "an http:// address", config::http_endpoint),
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|it| *it <= 86_400_000).map(Duration::from_millis)
}

/// Reads `true` or `false`.
pub(crate) fn switch(text: &str) -> Option<bool> {
    text.parse().ok()
}
