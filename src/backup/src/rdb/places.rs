//! Where a server keeps its files, and what it says of them.

use super::{SAVE_LIMIT, Server};
use crate::error::{Error, Result};
use crate::store::Store;

/// Where a server looks for its data when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The folder.
    pub folder: String,
    /// The name of the dump in it.
    pub file: String,
    /// What lies there when the append-only form is on: the file of older servers, the folder of newer ones.
    pub append_files: Vec<String>,
}

impl Places {
    /// The folder, as seen from the top of the store's volume: empty, or beginning with a slash.
    pub fn within(&self, store: &Store) -> Result<&str> {
        let rest = self.folder.trim_end_matches('/').strip_prefix(&store.path);
        rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).ok_or_else(|| {
            Error::Refused(vec![format!("the data of {} is not in its volume, but in {}", store.name, self.folder)])
        })
    }
}

/// The name of a file as a backup has it; it goes into a command line.
pub fn checked_name(name: &str) -> std::result::Result<&str, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if fits && name.len() <= 200 && name.chars().all(plain) {
        return Ok(name);
    }
    Err(format!("no dump is called {:?}", name.chars().take(100).collect::<String>()))
}

impl Server<'_> {
    /// Where it keeps its files.
    pub async fn places(&self) -> Result<Places> {
        let names = ["dir", "dbfilename", "appendfilename", "appenddirname"];
        let question: String = names.iter().map(|name| format!("CONFIG GET {name}\n")).collect();
        let answer = self.ask(&question).await?;
        let lines: Vec<&str> = answer.lines().map(str::trim).collect();
        let value = |name: &str| {
            let at = lines.iter().position(|line| *line == name)?;
            lines.get(at + 1).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
        };
        let (Some(folder), Some(file)) = (value("dir"), value("dbfilename")) else {
            return Err(self.unexpected("read the settings", &answer));
        };
        // servers before 7 know no folder
        let append_files = [value("appenddirname"), value("appendfilename")].into_iter().flatten().collect();
        Ok(Places { folder, file, append_files })
    }

    /// Keys of all databases, and how many of them will expire.
    pub async fn keys(&self) -> Result<(u64, u64)> {
        let answer = self.ask("INFO keyspace\n").await?;
        Ok((super::keys(&answer), expiring(&answer)))
    }

    /// Writes the dump, and waits for it.
    pub async fn save(&self) -> Result<()> {
        let saved = tokio::time::timeout(SAVE_LIMIT, self.ask("SAVE\n")).await;
        let answer = saved.unwrap_or_else(|_| Err(self.late("save", SAVE_LIMIT)))?;
        if answer.trim() == "OK" { Ok(()) } else { Err(self.unexpected("save", &answer)) }
    }
}

/// Of `db0:keys=3,expires=1,avg_ttl=0`.
fn expiring(info: &str) -> u64 {
    let counts = info.lines().filter_map(|l| l.trim().strip_prefix("db")?.split_once(",expires=")?.1.split(',').next());
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_expire_are_counted() {
        assert_eq!(expiring("# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb9:keys=4,expires=2,avg_ttl=0\r\n"), 3);
    }

    #[test]
    fn no_name_is_an_option_or_leads_elsewhere() {
        for name in ["dump.rdb", "my-dump_2.rdb"] {
            assert_eq!(checked_name(name), Ok(name));
        }
        for name in ["", "--loadmodule", ".hidden", "../dump.rdb", "a/b", "a b", "a\nb"] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }
}
