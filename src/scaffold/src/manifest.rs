//! A service's line in `banyan.yaml`: put in and taken out without a change to anything else, comments included.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file cannot be edited; the line has to be written by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`services` is written in a way that cannot be edited safely")]
pub struct Unclear;

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(default)]
    services: Option<BTreeMap<String, String>>,
}

/// The services of a manifest: name and folder.
///
/// # Errors
/// [`Unclear`] when it is no manifest.
pub fn services(text: &str) -> Result<BTreeMap<String, String>, Unclear> {
    let manifest: Option<Manifest> = serde_yaml::from_str(text).map_err(|_| Unclear)?;
    Ok(manifest.and_then(|m| m.services).unwrap_or_default())
}

/// The text with one service more.
///
/// # Errors
/// [`Unclear`] when the result would not be that and nothing else.
pub fn with(text: &str, name: &str, folder: &str) -> Result<String, Unclear> {
    let mut wanted = services(text)?;
    wanted.insert(name.to_owned(), folder.to_owned());
    let entry = format!("{name}: {}", quoted(folder));
    checked(added(text, &entry).ok_or(Unclear)?, &wanted)
}

/// The text with one service less.
///
/// # Errors
/// [`Unclear`] when the result would not be that and nothing else.
pub fn without(text: &str, name: &str) -> Result<String, Unclear> {
    let mut wanted = services(text)?;
    wanted.remove(name).ok_or(Unclear)?;
    checked(removed(text, name).ok_or(Unclear)?, &wanted)
}

fn checked(text: String, wanted: &BTreeMap<String, String>) -> Result<String, Unclear> {
    if services(&text)? == *wanted { Ok(text) } else { Err(Unclear) }
}

/// A path as a YAML scalar.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let begins = path.starts_with(|c: char| c.is_ascii_lowercase() || c == '.');
    if begins && path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "''")) }
}

/// The line of the key `services` and those below that belong to it, blank lines and comments at their end left out.
fn block<'a>(lines: &[&'a str]) -> Option<(usize, &'a str, std::ops::Range<usize>)> {
    let at = lines.iter().position(|line| line.starts_with("services:"))?;
    let below = lines[at + 1..].iter().take_while(|l| l.starts_with(' ') || is_nothing(l)).count();
    let used = lines[at + 1..at + 1 + below].iter().rposition(|l| !is_nothing(l)).map_or(0, |last| last + 1);
    Some((at, lines[at]["services:".len()..].trim_end(), at + 1..at + 1 + used))
}

fn is_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn added(text: &str, entry: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some((at, value, block)) = block(&lines) else {
        lines.push("services:");
        let entry = format!("  {entry}");
        lines.push(&entry);
        return Some(joined(&lines));
    };
    let (value, comment) = value.find(" #").map_or((value, ""), |at| value.split_at(at));
    let (head, entry) = match value.trim() {
        "" | "{}" | "null" | "~" => {
            let first = lines[block.clone()].iter().find(|l| !is_nothing(l));
            let indent = first.map_or("  ", |l| &l[..l.len() - l.trim_start().len()]);
            (format!("services:{comment}"), Some(format!("{indent}{entry}")))
        }
        flow if flow.starts_with('{') && flow.ends_with('}') => {
            let inside = flow[1..flow.len() - 1].trim().trim_end_matches(',');
            (format!("services: {{ {inside}, {entry} }}{comment}"), None)
        }
        _ => return None,
    };
    lines[at] = &head;
    if let Some(entry) = &entry {
        lines.insert(block.end, entry);
    }
    Some(joined(&lines))
}

fn removed(text: &str, name: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let (at, value, block) = block(&lines)?;
    let (value, comment) = value.find(" #").map_or((value, ""), |at| value.split_at(at));
    let is_it = |entry: &str| entry.trim().split(':').next().map(|key| key.trim_matches(['"', '\''])) == Some(name);
    let flow = value.trim();
    let head = if flow.starts_with('{') && flow.ends_with('}') {
        let entries: Vec<&str> =
            flow[1..flow.len() - 1].split(',').filter(|entry| !is_it(entry)).map(str::trim).collect();
        if entries.is_empty() {
            format!("services: {{}}{comment}")
        } else {
            format!("services: {{ {} }}{comment}", entries.join(", "))
        }
    } else {
        let line = block.clone().find(|n| is_it(lines[*n]))?;
        lines.remove(line);
        let left = lines[block.start..block.end - 1].iter().any(|l| !is_nothing(l));
        if left { lines[at].to_owned() } else { format!("services: {{}}{comment}") }
    };
    lines[at] = &head;
    Some(joined(&lines))
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a service in, and takes it out again.
    #[track_caller]
    fn round(before: &str, after: &str) {
        let text = with(before, "order-service", "order-service").unwrap();
        assert_eq!(text, after);
        let again = without(&text, "order-service").unwrap();
        assert_eq!(services(&again), services(before));
        assert_eq!(with(&again, "order-service", "order-service").unwrap(), after);
    }

    #[test]
    fn the_file_that_init_writes() {
        let before = "# mine\ncompose:\n  - docker-compose.yml\n# services\nservices: {}\n";
        round(before, &before.replace(" {}\n", "\n  order-service: order-service\n"));
        let after = with(before, "order-service", "order-service").unwrap();
        assert_eq!(without(&after, "order-service").unwrap(), before);
    }

    #[test]
    fn after_the_others_and_before_what_comes_next() {
        round(
            "services: # ours\n    # the first\n    a: x/a # why\n\n# next\ncompose: [c.yml]\n",
            "services: # ours\n    # the first\n    a: x/a # why\n    order-service: order-service\n\n# next\ncompose: [c.yml]\n",
        );
    }

    #[test]
    fn other_forms() {
        round("compose: [c.yml]", "compose: [c.yml]\nservices:\n  order-service: order-service\n");
        round("", "services:\n  order-service: order-service\n");
        round("services:\ncompose: []\n", "services:\n  order-service: order-service\ncompose: []\n");
        round("services: {a: x, b: y} # c\n", "services: { a: x, b: y, order-service: order-service } # c\n");
    }

    #[test]
    fn a_folder_that_needs_quotes() {
        let text = with("", "a", "my folder/it's: #1").unwrap();
        assert_eq!(text, "services:\n  a: 'my folder/it''s: #1'\n");
        assert_eq!(services(&text).unwrap()["a"], "my folder/it's: #1");
    }

    #[test]
    fn what_cannot_be_edited_is_left_alone() {
        for text in [
            "services: {a: x,\n  b: y}\n",
            "services: &all\n  a: x\n",
            "{services: {a: x}}\n",
            "\"services\": {a: x}\n",
            "services: [a]\n",
            ": [",
        ] {
            assert_eq!(with(text, "order-service", "o"), Err(Unclear), "{text}");
        }
        assert_eq!(without("services: {}\n", "a"), Err(Unclear));
    }

    #[test]
    fn only_the_service_of_exactly_this_name_is_taken_out() {
        let text = "services:\n  order: a\n  order-service: b\n  'quoted': c\n";
        assert_eq!(without(text, "order").unwrap(), "services:\n  order-service: b\n  'quoted': c\n");
        assert_eq!(without(text, "quoted").unwrap(), "services:\n  order: a\n  order-service: b\n");
    }
}
