//! Completion scripts. The files in `completions/` are what `banyan completions SHELL` prints.

use std::path::Path;

use super::stage;

/// Shell and file, as the shells want them named.
const FILES: [(&str, &str); 3] = [("bash", "banyan.bash"), ("zsh", "_banyan"), ("fish", "banyan.fish")];

#[test]
fn the_files_are_up_to_date() {
    let stage = stage("completions");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../completions");
    for (shell, file) in FILES {
        let run = crate::support::run(stage.bare(&["completions", shell]));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        let there = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            there == run.stdout,
            "completions/{file} is not what banyan prints; write it anew: cargo run -- completions {shell} > completions/{file}"
        );
    }
}

#[test]
fn a_shell_that_is_not_known() {
    let text = super::transcript(&stage("shell"), &["completions", "tcsh"]);
    insta::assert_snapshot!(text, @"
    exit code 2
    ── stderr
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    ");
}

#[test]
fn bash_completes_commands_and_options() {
    let stage = stage("bash");
    let script = crate::support::run(stage.bare(&["completions", "bash"])).stdout;
    stage.write("banyan.bash", &script);
    let complete = |words: &str, count: usize| {
        let line = format!(
            "source ./banyan.bash; COMP_WORDS=({words}); COMP_CWORD={count}; _banyan banyan \"${{COMP_WORDS[{count}]}}\" x; echo \"${{COMPREPLY[@]}}\""
        );
        let run = stage.sh(&format!("bash -c '{line}'"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    assert_eq!(complete("banyan st", 1).trim(), "status");
    assert!(complete("banyan up --wait-t", 2).contains("--wait-timeout"));
}
