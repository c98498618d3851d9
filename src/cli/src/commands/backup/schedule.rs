//! `banyan backup schedule`: what backs the platform up every day.

use std::num::NonZeroUsize;

use super::PASSPHRASE;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::setup::shell::quote;

/// What a timer runs, and when.
struct Job {
    /// The program and its arguments, whole paths all of them.
    words: Vec<String>,
    /// Variables that it needs.
    variables: Vec<(&'static str, String)>,
    /// The folder in which it runs.
    folder: String,
    hour: u8,
    minute: u8,
}

pub(super) fn run(context: &Context, at: &str, keep: NonZeroUsize, cron: bool) -> Result<u8, Failure> {
    let (hour, minute) = at
        .split_once(':')
        .and_then(|(h, m)| Some((h.parse::<u8>().ok()?, m.parse::<u8>().ok()?)))
        .filter(|(h, m)| *h < 24 && *m < 60)
        .ok_or_else(|| Failure::new(Exit::Usage, 54, format!("`{at}` is no time of day")).hint("write 02:00"))?;
    let keep = keep.to_string();
    let given = context.words(&["backup", "--quiet", "--keep-last", &keep]);
    let words = std::iter::once(context.executable.display().to_string()).chain(given).collect();
    // a timer has an environment of its own; a passphrase belongs into a file that only its owner reads
    let named =
        ["BANYAN_DATA_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"];
    let mut variables: Vec<(&str, String)> =
        named.iter().filter_map(|name| Some((*name, context.env.get(*name)?.clone()))).collect();
    if let Some(folder) = variables.iter_mut().find(|(name, _)| *name == "BANYAN_DATA_DIR") {
        folder.1 = context.folder().join(&folder.1).display().to_string();
    }
    let job = Job { words, variables, folder: context.folder().display().to_string(), hour, minute };
    let sealed = context.env.get(PASSPHRASE).is_some_and(|p| !p.is_empty());
    let home = context.env.get("HOME").cloned().unwrap_or_default();
    let secret = sealed.then(|| format!("{home}/.config/banyan/backup.env"));
    context.print(&if cron { job.crontab(secret.as_deref()) } else { job.units(secret.as_deref()) });
    if let Some(file) = &secret {
        context.note(&format!(
            "the passphrase is read from {file}; write it there: (umask 077; mkdir -p {folder} && printf '{PASSPHRASE}=%s\\n' \"${PASSPHRASE}\" > {file})",
            file = quote(file),
            folder = quote(&format!("{home}/.config/banyan")),
        ));
    }
    Ok(0)
}

impl Job {
    /// Units of systemd.
    fn units(&self, secret: Option<&str>) -> String {
        // `%` begins a specifier everywhere, `$` a variable in a command alone
        let value = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
        let word = |text: &String| format!("\"{}\"", value(text).replace('$', "$$"));
        let mut environment: String =
            self.variables.iter().map(|(name, text)| format!("Environment=\"{name}={}\"\n", value(text))).collect();
        if let Some(file) = secret {
            environment.push_str(&format!("EnvironmentFile={}\n", file.replace('%', "%%")));
        }
        // the program's own path knows no variables
        let program = self.words.first().map(|w| format!("\"{}\"", value(w))).unwrap_or_default();
        let command = std::iter::once(program).chain(self.words[1..].iter().map(word)).collect::<Vec<_>>().join(" ");
        format!(
            "# ~/.config/systemd/user/banyan-backup.service\n[Unit]\nDescription=Back up the platform\n\n[Service]\nType=oneshot\n\
             WorkingDirectory={}\n{environment}ExecStart={command}\n\n\
             # ~/.config/systemd/user/banyan-backup.timer\n[Unit]\nDescription=Back up the platform every day\n\n[Timer]\n\
             OnCalendar=*-*-* {:02}:{:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n\n\
             # systemctl --user daemon-reload && systemctl --user enable --now banyan-backup.timer\n\
             # loginctl enable-linger    (so that it runs while nobody is logged in)\n",
            self.folder.replace('%', "%%"),
            self.hour,
            self.minute
        )
    }

    /// A line of a crontab.
    fn crontab(&self, secret: Option<&str>) -> String {
        let mut line = format!("cd {} && ", quote(&self.folder));
        if let Some(file) = secret {
            line.push_str(&format!("set -a && . {} && ", quote(file)));
        }
        for (name, text) in &self.variables {
            line.push_str(&format!("{name}={} ", quote(text)));
        }
        line.push_str(&self.words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" "));
        // cron reads the rest of the line from the first `%` on as input
        format!("{} {} * * * {}\n", self.minute, self.hour, line.replace('%', "\\%"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let words = ["/opt/my tools/banyan", "--file", "/srv/50%/$HOME \"x\".yaml", "backup"];
        Job {
            words: words.map(str::to_owned).to_vec(),
            variables: vec![("BANYAN_DATA_DIR", "/srv/it's 100%".to_owned())],
            folder: "/srv/a b".to_owned(),
            hour: 2,
            minute: 5,
        }
    }

    #[test]
    fn cron_runs_what_is_meant() {
        let line = job().crontab(Some("/home/x/backup.env"));
        let command = line.strip_prefix("5 2 * * * ").unwrap();
        assert!(!command.replace("\\%", "").contains('%'), "{command}");
        // as cron hands it to the shell
        let command = command.trim_end().replace("\\%", "%");
        let expected = r#"cd '/srv/a b' && set -a && . /home/x/backup.env && BANYAN_DATA_DIR='/srv/it'\''s 100%' '/opt/my tools/banyan' --file '/srv/50%/$HOME "x".yaml' backup"#;
        assert_eq!(command, expected);
    }

    #[test]
    fn a_timer_runs_what_is_meant() {
        let units = job().units(Some("/home/x/backup.env"));
        let line = |start: &str| units.lines().find(|l| l.starts_with(start)).unwrap().to_owned();
        assert_eq!(
            line("ExecStart="),
            r#"ExecStart="/opt/my tools/banyan" "--file" "/srv/50%%/$$HOME \"x\".yaml" "backup""#
        );
        assert_eq!(line("Environment="), r#"Environment="BANYAN_DATA_DIR=/srv/it's 100%%""#);
        assert_eq!(line("EnvironmentFile="), "EnvironmentFile=/home/x/backup.env");
        assert_eq!(line("OnCalendar="), "OnCalendar=*-*-* 02:05:00");
    }
}
