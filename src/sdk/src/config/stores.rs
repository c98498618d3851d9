//! Where the backing stores are: PostgreSQL, RabbitMQ, Redis.

use super::{Endpoint, Reader, SWITCH, Secret, port_number, switch};

/// The backing stores that a platform service works on.
pub struct Stores {
    /// PostgreSQL (`DATABASE_URL`, or `DATABASE_HOST` and its companions).
    pub database: Endpoint,
    /// RabbitMQ (`RABBITMQ_URL` or `MESSAGE_BUS_URL`).
    pub message_bus: Endpoint,
    /// Redis (`REDIS_URL`).
    pub cache: Endpoint,
}

impl Stores {
    /// Reads where the stores are; all three must be named.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let database = database(reader, Need::Required);
        let message_bus = message_bus(reader, Need::Required);
        let cache = cache(reader, Need::Required);
        Some(Self { database: database?, message_bus: message_bus?, cache: cache? })
    }
}

/// Whether a service can do without a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot: an address that is missing is a mistake.
    Required,
    /// It can: an address that is missing is none, one that is wrong is a mistake all the same.
    Optional,
}

/// Connections to PostgreSQL at most, unless told otherwise.
const CONNECTIONS: u32 = 10;

/// Reads how many connections to PostgreSQL there may be.
pub(super) fn connections(reader: &mut Reader<'_>) -> Option<u32> {
    let names = ["DATABASE_POOL_MAX", "DATABASE_MAX_CONNECTIONS"];
    let name = names.into_iter().find(|name| reader.value(name).is_some()).unwrap_or(names[0]);
    reader.parsed_or(name, "a number from 1 to 1000", count, CONNECTIONS)
}

/// Reads where PostgreSQL is: `DATABASE_URL`, or `DATABASE_HOST`, `_PORT`, `_NAME`, `_USER` and `_PASSWORD`.
pub fn database(reader: &mut Reader<'_>, need: Need) -> Option<Endpoint> {
    let encrypted = reader.parsed_or("DATABASE_SSL", SWITCH, switch, false);
    if encrypted == Some(true) {
        reader.report("DATABASE_SSL", "is true, but connections are not encrypted: put a proxy in between");
    }
    if reader.value("DATABASE_URL").is_some() {
        return reader.required(
            &["DATABASE_URL"],
            "an address such as postgresql://user:password@host:5432/database, with no parameter but sslmode=disable",
            |text| {
                Endpoint::parse(text, &["postgresql", "postgres"], 5432)
                    .filter(|it| matches!(it.query(), "" | "sslmode=disable" | "sslmode=prefer" | "sslmode=allow"))
            },
        );
    }
    let host = reader.value("DATABASE_HOST");
    let password = reader.value("DATABASE_PASSWORD");
    if host.is_none() && password.is_none() {
        if need == Need::Required {
            reader.report("DATABASE_URL", "is not set (and neither are DATABASE_HOST and DATABASE_PASSWORD)");
        }
        return None;
    }
    let port = reader.parsed_or("DATABASE_PORT", "a port from 1 to 65535", port_number, 5432);
    Some(Endpoint {
        host: host.unwrap_or_else(|| "postgres".to_owned()),
        port: port?,
        user: Some(reader.value("DATABASE_USER").unwrap_or_else(|| "actor_user".to_owned())),
        password: password.map(Secret::new),
        path: reader.value("DATABASE_NAME").unwrap_or_else(|| "eventstore".to_owned()),
        query: String::new(),
    })
}

/// Reads where RabbitMQ is: `RABBITMQ_URL` or `MESSAGE_BUS_URL`. What the address leaves out of the login is taken from
/// `RABBITMQ_USER` and `RABBITMQ_PASSWORD`.
pub fn message_bus(reader: &mut Reader<'_>, need: Need) -> Option<Endpoint> {
    let found = named(
        reader,
        need,
        &["RABBITMQ_URL", "MESSAGE_BUS_URL"],
        "an address such as amqp://user:password@host:5672, without parameters",
        |text| Endpoint::parse(text, &["amqp"], 5672).filter(|it| it.query().is_empty()),
    )?;
    let user = found.user.or_else(|| reader.value("RABBITMQ_USER"));
    let password = found.password.or_else(|| reader.value("RABBITMQ_PASSWORD").map(Secret::new));
    Some(Endpoint { user, password, ..found })
}

/// Reads where Redis is: `REDIS_URL`. A password that the address leaves out is taken from `REDIS_PASSWORD`.
pub fn cache(reader: &mut Reader<'_>, need: Need) -> Option<Endpoint> {
    let found = named(
        reader,
        need,
        &["REDIS_URL"],
        "an address such as redis://:password@host:6379/0, without parameters",
        |text| {
            Endpoint::parse(text, &["redis"], 6379).filter(|it| it.query().is_empty() && redis_database(it).is_some())
        },
    )?;
    let password = found.password.or_else(|| reader.value("REDIS_PASSWORD").map(Secret::new));
    Some(Endpoint { password, ..found })
}

fn named<T>(
    reader: &mut Reader<'_>,
    need: Need,
    names: &[&str],
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let missing = names.iter().all(|name| reader.value(name).is_none());
    if missing && need == Need::Optional { None } else { reader.required(names, expected, parse) }
}

/// The number of the Redis database that an address names; none when it is no number.
pub(crate) fn redis_database(endpoint: &Endpoint) -> Option<i64> {
    match endpoint.path.as_str() {
        "" => Some(0),
        number => number.parse::<u16>().ok().map(i64::from),
    }
}

fn count(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| (1..=1_000).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = (Option<Endpoint>, Option<Endpoint>, Option<Endpoint>);

    fn found(pairs: &'static [(&'static str, &'static str)], need: Need) -> (Found, Vec<String>) {
        let env = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&env);
        let found = (database(&mut reader, need), message_bus(&mut reader, need), cache(&mut reader, need));
        let problems = match reader.finish(Some(())) {
            Ok(()) => Vec::new(),
            Err(error) => error.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect(),
        };
        (found, problems)
    }

    #[test]
    fn a_store_that_is_not_needed_may_be_left_out_but_not_be_wrong() {
        let ((database, bus, cache), problems) = found(&[], Need::Optional);
        assert!(database.is_none() && bus.is_none() && cache.is_none());
        assert_eq!(problems, [""; 0]);
        let (_, problems) = found(&[], Need::Required);
        assert_eq!(problems.len(), 3, "{problems:?}");

        let wrong =
            &[("DATABASE_URL", "db"), ("MESSAGE_BUS_URL", "mq"), ("REDIS_URL", "redis"), ("DATABASE_SSL", "true")];
        let ((database, bus, cache), problems) = found(wrong, Need::Optional);
        assert!(database.is_none() && bus.is_none() && cache.is_none());
        let names: Vec<_> = problems.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(names, ["DATABASE_SSL", "DATABASE_URL", "MESSAGE_BUS_URL", "REDIS_URL"]);
    }

    #[test]
    fn a_login_may_stand_beside_the_address() {
        let pairs = &[
            ("RABBITMQ_URL", "amqp://mq"),
            ("RABBITMQ_USER", "banyan"),
            ("RABBITMQ_PASSWORD", "one"),
            ("REDIS_URL", "redis://redis"),
            ("REDIS_PASSWORD", "two"),
        ];
        let ((_, bus, cache), problems) = found(pairs, Need::Optional);
        let (bus, cache) = (bus.unwrap(), cache.unwrap());
        assert_eq!(bus.user.as_deref(), Some("banyan"));
        assert_eq!(bus.password.as_ref().map(Secret::expose), Some("one"));
        assert_eq!(cache.password.as_ref().map(Secret::expose), Some("two"));
        assert_eq!(problems, [""; 0]);

        let ((_, bus, _), _) =
            found(&[("RABBITMQ_URL", "amqp://a:b@mq"), ("RABBITMQ_PASSWORD", "one")], Need::Optional);
        assert_eq!(bus.unwrap().password.as_ref().map(Secret::expose), Some("b"));
    }
}
