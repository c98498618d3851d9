//! What a dump of one database does not hold: how the database was made, and the settings of the server's own files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Server;
use crate::error::{Error, Result};

/// The member that holds it, as JSON.
pub const DEFINITION: &str = "server.json";
/// A longer one is none.
pub const LIMIT: u64 = 4 << 20;

/// Everything around the databases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Definition {
    /// The databases.
    pub databases: Vec<Database>,
    /// What the server's files set, by name.
    pub settings: BTreeMap<String, String>,
    /// Who may log in from where: `pg_hba.conf`, if it lies with the data.
    pub access: Option<String>,
    /// Places for tables beside the usual one.
    pub tablespaces: Vec<String>,
}

/// How a database was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// `UTF8`
    pub encoding: String,
    /// How the system's library sorts …
    pub collate: String,
    /// … and classifies.
    pub ctype: String,
    /// Who sorts: `c` for the system's library, `i` for ICU, `b` for the server itself.
    pub provider: String,
    /// The locale of the latter two.
    pub locale: Option<String>,
    /// Rules on top of ICU's.
    pub rules: Option<String>,
}

/// Columns come and go with the versions, so rows are read as JSON.
const QUESTION: &str = r"
SELECT json_build_object(
    'databases', (SELECT json_agg(json_build_object(
        'name', datname, 'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype,
        'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
        'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
        'rules', to_jsonb(d) ->> 'daticurules') ORDER BY datname)
        FROM pg_database d WHERE datallowconn AND NOT datistemplate),
    'settings', (SELECT coalesce(json_object_agg(name, setting), '{}') FROM (
        SELECT DISTINCT ON (name) name, setting FROM pg_file_settings
        WHERE error IS NULL AND setting IS NOT NULL ORDER BY name, seqno DESC) s),
    'access', CASE WHEN starts_with(current_setting('hba_file'), current_setting('data_directory'))
        THEN pg_read_file(current_setting('hba_file')) END,
    'tablespaces', (SELECT coalesce(json_agg(spcname ORDER BY spcname), '[]') FROM pg_tablespace
        WHERE spcname NOT IN ('pg_default', 'pg_global')));
";

impl Server<'_> {
    /// All of it.
    pub async fn definition(&self) -> Result<Definition> {
        let answer = self.sql("postgres", QUESTION).await?.join("\n");
        serde_json::from_str(&answer).map_err(|_| {
            let doing = format!("read the settings of {}", self.service);
            Error::Answer { doing, answer: answer.chars().take(300).collect() }
        })
    }
}

impl Database {
    /// The statement that makes it as it was …
    pub fn create(&self) -> String {
        let provider = match (self.provider.as_str(), &self.locale) {
            ("i", Some(locale)) => {
                let rules = self.rules.as_ref().map(|rules| format!(" ICU_RULES {}", literal(rules)));
                format!(" LOCALE_PROVIDER icu ICU_LOCALE {}{}", literal(locale), rules.unwrap_or_default())
            }
            ("b", Some(locale)) => format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale)),
            _ => String::new(),
        };
        self.statement(&format!("LC_COLLATE {} LC_CTYPE {}{provider}", literal(&self.collate), literal(&self.ctype)))
    }

    /// … and the one for a server that does not know how to sort like that.
    pub fn create_plain(&self) -> String {
        self.statement("LC_COLLATE 'C' LC_CTYPE 'C'")
    }

    fn statement(&self, locale: &str) -> String {
        let encoding = literal(&self.encoding);
        format!("CREATE DATABASE {} TEMPLATE template0 ENCODING {encoding} {locale};", identifier(&self.name))
    }
}

/// Settings that are the machine's, the image's or the moment's; and those that run programs, which a file from
/// elsewhere must not bring along.
const LEFT: [&str; 19] = [
    "archive_command",
    "config_file",
    "data_directory",
    "dynamic_shared_memory_type",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "listen_addresses",
    "log_timezone",
    "port",
    "primary_conninfo",
    "shared_memory_type",
    "ssl_passphrase_command",
    "timezone",
    "unix_socket_directories",
];

/// Settings whose value is a list of names.
const LISTS: [&str; 5] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
];

/// The statements that bring these settings to a server that has those.
pub fn alterations(wanted: &BTreeMap<String, String>, present: &BTreeMap<String, String>) -> Vec<String> {
    let is_left = |name: &str| {
        let name = name.to_ascii_lowercase();
        LEFT.contains(&name.as_str()) || name.ends_with("_command") || name.starts_with("recovery_target")
    };
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    let differ = wanted.iter().filter(|(name, value)| present.get(*name) != Some(value));
    differ
        .filter(|(name, _)| is_name(name) && !is_left(name))
        .map(|(name, value)| {
            let parts: Vec<&str> = value.split(',').map(|part| part.trim().trim_matches('"')).collect();
            let is_list = LISTS.contains(&name.to_ascii_lowercase().as_str());
            let value = if is_list && parts.len() > 1 {
                parts.into_iter().map(literal).collect::<Vec<_>>().join(", ")
            } else {
                literal(value)
            };
            format!("ALTER SYSTEM SET {name} = {value};")
        })
        .collect()
}

/// A name in double quotes.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, whatever the server takes a backslash for.
pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_made_as_they_were() {
        let database = |provider: &str, locale: Option<&str>| Database {
            name: "a \"b\"".to_owned(),
            encoding: "UTF8".to_owned(),
            collate: "de_DE.utf8".to_owned(),
            ctype: "C".to_owned(),
            provider: provider.to_owned(),
            locale: locale.map(str::to_owned),
            rules: None,
        };
        let begin =
            "CREATE DATABASE \"a \"\"b\"\"\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'de_DE.utf8' LC_CTYPE 'C'";
        assert_eq!(database("c", None).create(), format!("{begin};"));
        assert_eq!(database("i", Some("de")).create(), format!("{begin} LOCALE_PROVIDER icu ICU_LOCALE 'de';"));
        let builtin = database("b", Some("C.UTF-8")).create();
        assert_eq!(builtin, format!("{begin} LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';"));
    }

    #[test]
    fn settings_that_differ_are_set() {
        let settings = |all: &[(&str, &str)]| all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let wanted = settings(&[
            ("work_mem", "8MB"),
            ("max_connections", "100"),
            ("shared_preload_libraries", "one, \"two\""),
            ("app.note", "it's a \\"),
            ("archive_command", "rm -rf /"),
            ("restore_command", "rm -rf /"),
            ("timezone", "Etc/UTC"),
            ("a; DROP", "x"),
        ]);
        assert_eq!(
            alterations(&wanted, &settings(&[("max_connections", "100"), ("work_mem", "4MB")])),
            [
                r"ALTER SYSTEM SET app.note = E'it''s a \\';",
                "ALTER SYSTEM SET shared_preload_libraries = 'one', 'two';",
                "ALTER SYSTEM SET work_mem = '8MB';",
            ]
        );
    }
}
