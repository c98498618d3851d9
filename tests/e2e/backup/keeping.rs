//! Which backups are kept, under which names, and who keeps them.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::Small;
use super::text;
use crate::support::{Stage, eventually, run};

/// A cache with data.
fn cache(name: &str) -> Small {
    let small = Small::new(name).cache("cache", "volumes: [\"data:/data\"]\n").rest("volumes: { data: {} }\n");
    small.ok(&["up"]);
    small
}

/// Names in the folder of backups, without their times.
fn kept(small: &Small) -> Vec<String> {
    let folder = PathBuf::from(&small.stage.env()["BANYAN_DATA_DIR"]).join("backups");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn named_ones_stay_and_the_others_go_by_age() {
    let small = cache("kept");
    small.redis("cache", "set state seed");
    let seed = small.ok(&["backup", "--name", "seed"]);
    assert!(seed.stdout.contains("seed.banyan"), "{}", seed.stdout);
    assert_eq!(small.banyan(&["backup", "--name", "seed"]).code, 11, "never over another one");
    for name in ["latest", "../x", ".x", "a/b"] {
        assert_eq!(small.banyan(&["backup", "--name", name]).code, 2, "{name}");
    }
    small.redis("cache", "set state later");
    let first = small.ok(&["backup", "--output", "json"]).json();
    let mut sealed = small.stage.bare(&["--file", "compose.yaml", "backup", "--output", "json"]);
    let second = run({
        sealed.env("BANYAN_BACKUP_PASSPHRASE", "x");
        sealed
    });
    let second = second.json();

    // what undoes something counts by itself, and is nothing that `latest` means
    let reset = small.ok(&["reset", "--to", "seed", "--yes"]);
    assert_eq!(small.redis("cache", "get state"), "seed");
    let undo = super::undo_of(&reset.stderr);
    assert!(undo.contains(".undo.banyan"), "{undo}");
    let listed = small.ok(&["backup", "list", "--output", "json"]).json();
    let undos = listed["items"].as_array().unwrap().iter().filter(|i| i["undo"] == true).count();
    assert_eq!((listed["items"].as_array().unwrap().len(), undos), (4, 1), "{listed}");
    let latest = run({
        let mut command = small.stage.bare(&["--file", "compose.yaml", "backup", "show", "latest", "--output", "json"]);
        command.env("BANYAN_BACKUP_PASSPHRASE", "x");
        command
    });
    assert_eq!(text(&latest.json(), "file"), text(&second, "file"));

    // without the passphrase, too
    let third = small.ok(&["backup", "--keep-last", "2", "--output", "json"]).json();
    assert_eq!(third["deleted"], serde_json::json!([first["file"]]));
    let asked = small.ends(&["backup", "prune", "--keep-last", "1"], 2);
    assert!(asked.stderr.contains(text(&second, "file")), "{}", asked.stderr);
    let pruned = small.ok(&["backup", "prune", "--keep-last", "1", "--yes", "--output", "json"]).json();
    assert_eq!(pruned["deleted"], serde_json::json!([second["file"]]));
    let left = kept(&small);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.contains(&"seed.banyan".to_owned()), "{left:?}");
    small.ends(&["backup", "--keep-last", "1", "--to", "x.banyan"], 2);

    let undone = small.stage.sh(undo);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(small.redis("cache", "get state"), "later");
}

#[test]
fn two_at_once_are_one_too_many() {
    let small = cache("atonce");
    // more than a pipe holds, and nothing that can be made smaller
    let noise = "for n = 1, 6000 do redis.call('set', n, redis.sha1hex(n) .. redis.sha1hex(-n)) end";
    small.stage.docker(&["exec", &small.container("cache"), "redis-cli", "eval", noise, "0"]);
    let mut first = small.stage.bare(&["--file", "compose.yaml", "backup", "--to", "-"]);
    let mut first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // nobody reads what it writes, so it stays
    let lock = PathBuf::from(&small.stage.env()["BANYAN_DATA_DIR"]).join("locks").join(small.project());
    let pid = format!("pid {}", first.id());
    let holds = || std::fs::read_to_string(&lock).is_ok_and(|owner| owner.contains(&pid));
    eventually(Duration::from_secs(20), "the first one is at work", holds);
    let second = small.ends(&["backup"], 10);
    assert!(second.stderr.contains(&pid), "{}", second.stderr);
    let mut bytes = Vec::new();
    first.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(first.wait().unwrap().success());
    std::fs::write(small.stage.folder().join("piped.banyan"), bytes).unwrap();
    small.ok(&["backup", "verify", "piped.banyan"]);
}

/// What is printed can be run by those who are to run it.
#[test]
fn a_schedule_runs_as_printed() {
    let mut stage = Stage::plain("schedule");
    stage.set("DOCKER_HOST", "unix:///it's 100%.sock");
    let line = stage.ok(&["backup", "schedule", "--cron", "--at", "03:07", "--keep-last", "3"]).stdout;
    let command = line.trim_end().strip_prefix("7 3 * * * ").unwrap_or_else(|| panic!("{line}"));
    let shell = |args: &[&str], text: &str| {
        let mut command = Command::new("sh");
        command.args(args).arg(text).env_clear().env("PATH", "/usr/bin:/bin");
        run(command)
    };
    // as cron gives it to the shell; the program is called by its whole path
    let command = command.replace("\\%", "%");
    assert_eq!(shell(&["-n", "-c"], &command).code, 0, "{command}");
    let version = command.replace(" --instance ", " --version --instance ");
    let ran = shell(&["-c"], &version);
    assert!(ran.code == 0 && ran.stdout.contains("banyan"), "{version}\n{}", ran.stderr);

    let text = stage.ok(&["backup", "schedule"]).stdout;
    let (service, timer) = text.split_once("# ~/.config/systemd/user/banyan-backup.timer").unwrap();
    stage.write("banyan-backup.service", service);
    stage.write("banyan-backup.timer", timer);
    assert!(service.contains(&format!("ExecStart=\"{}\"", crate::support::BANYAN)), "{service}");
    // where there is systemd, it says whether it understands them
    if stage.sh("command -v systemd-analyze").code == 0 {
        let verified = stage.sh("systemd-analyze verify --man=no ./banyan-backup.service ./banyan-backup.timer");
        assert_eq!((verified.code, verified.stderr.as_str()), (0, ""), "{text}");
    }
}
