//! Who is at work: a label on everything that is made for a while.
//!
//! The lock of a project is a file of one user on one machine. Another user, or another machine with the same engine,
//! holds another one; so whoever finds unfinished work looks whether somebody is still at it before ending it.

use std::fs;

/// Label: host, boot, process and its start.
pub const LABEL_OWNER: &str = "dev.banyan.work.owner";

/// This process.
pub fn own() -> String {
    let pid = std::process::id();
    format!("{} {} {pid} {}", host(), boot(), started(pid).unwrap_or_default())
}

/// Whether the process that wrote such a label is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It is not.
    Ended,
    /// It is, here.
    Here(String),
    /// It is, or was, on another machine.
    Elsewhere(String),
}

/// Looks.
pub fn life(label: &str) -> Life {
    let mut words = label.split(' ');
    let (Some(on), Some(since), Some(pid), Some(start)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Life::Ended;
    };
    if on != host() {
        return Life::Elsewhere(format!("process {pid} on {on}"));
    }
    let Ok(pid) = pid.parse() else { return Life::Ended };
    // a process of an earlier boot, or another one that was given the number
    let lives = since == boot() && pid != std::process::id() && started(pid).is_some_and(|is| is == start);
    if lives { Life::Here(format!("process {pid}")) } else { Life::Ended }
}

fn host() -> String {
    word(&fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default(), "unnamed")
}

fn boot() -> String {
    word(&fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default(), "unknown")
}

fn word(text: &str, otherwise: &str) -> String {
    text.split_whitespace().next().unwrap_or(otherwise).to_owned()
}

/// When a process began, in ticks since the boot; `None` when there is none.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name stands in parentheses and may hold anything
    let rest = stat.rsplit_once(')')?.1;
    let (state, start) = (rest.split_whitespace().next()?, rest.split_whitespace().nth(19)?);
    (state != "Z").then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_is_told_from_who_is_at_work() {
        assert_eq!(life(&own()), Life::Ended, "the own work is nobody else's");
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id();
        let label = format!("{} {} {pid} {}", host(), boot(), started(pid).unwrap());
        assert_eq!(life(&label), Life::Here(format!("process {pid}")));
        assert_eq!(life(&label.replace(&boot(), "earlier")), Life::Ended);
        assert_eq!(life(&format!("{label}0")), Life::Ended, "the number was given to another one");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(life(&label), Life::Ended);
        assert_eq!(life("elsewhere b 1 2"), Life::Elsewhere("process 1 on elsewhere".to_owned()));
        assert_eq!(life(""), Life::Ended);
    }
}
