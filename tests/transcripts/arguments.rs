//! Options and arguments.

use super::{stage, transcript};

#[test]
fn version() {
    let stage = stage("version");
    insta::assert_snapshot!(transcript(&stage, &["--version"]), @"
    exit code 0
    ── stdout
    banyan [version]
    ");
    assert_eq!(transcript(&stage, &["-V"]), transcript(&stage, &["--version"]));
}

#[test]
fn the_summary_lists_the_commands() {
    insta::assert_snapshot!(transcript(&stage("help"), &["-h"]), @"
    exit code 0
    ── stdout
    Brings the Banyan platform up on Docker, and tells the truth about it

    Usage: banyan [OPTIONS] <COMMAND>

    Commands:
      up           Bring the platform up, and wait until every service answers
      down         Stop and remove the containers and the network; data stays unless -v
      reset        Delete the data and bring the platform up anew
      backup       Write the data of the platform into one file, and look after such files
      restore      Bring the data of a backup back
      status       Show the services and what runs of them
      health       Ask every service in its own protocol
      logs         Show what the services write
      images       Get, build, save and load images
      dlq          Look after messages that services gave up (dead letters)
      users        Look after the users of the running platform, for development
      services     Show the services that registered with service discovery, and how they are
      contracts    Show what services offer, what changed, and who needs whom
      init         Write the stack's files into this folder, to edit them
      completions  Print the completion script of a shell
      serve        Run a service of the platform (what its containers do)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
          --file <FILE>      Compose file; again for an override file [default: COMPOSE_FILE, the
                             nearest banyan.yaml, the built-in stack]
          --env-file <FILE>  File with variables, instead of `.env`; again for more, the last one wins
          --instance <NAME>  An isolated second copy: own names, volumes, network and ports [env:
                             BANYAN_INSTANCE=]
          --output <FORMAT>  Format of the data on standard output [default: text] [possible values:
                             text, json]
          --progress <MODE>  How progress is shown on standard error [default: auto] [possible values:
                             auto, tty, plain, json, quiet]
          --color <WHEN>     When to use colours [default: auto] [possible values: auto, always, never]
      -H, --host <ENDPOINT>  Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the
                             current context, the known sockets]
          --verbose          Say more: which engine, and why each step is taken
      -q, --quiet            Show only errors
      -v                     Like --verbose (before the command: after `down`, -v is --volumes)
      -f <FILE>              Like --file (before the command: after `logs`, -f is --follow)
    ");
}

#[test]
fn every_command_has_a_help_page() {
    let stage = stage("pages");
    for command in [
        "up",
        "down",
        "reset",
        "backup",
        "restore",
        "status",
        "health",
        "logs",
        "images",
        "dlq",
        "users",
        "init",
        "new-service",
        "remove-service",
        "completions",
        "serve",
    ] {
        let run = crate::support::run(stage.bare(&[command, "--help"]));
        assert_eq!(run.code, 0, "{command}");
        assert!(run.stdout.contains(&format!("Usage: banyan {command}")), "{command}: {}", run.stdout);
        let options = run.stdout.split("Options:").nth(1).unwrap_or_default();
        assert!(options.contains("--help"), "{command}: {}", run.stdout);
    }
}

#[test]
fn an_unknown_command() {
    insta::assert_snapshot!(transcript(&stage("command"), &["frobnicate"]), @"
    exit code 2
    ── stderr
    error: unrecognized subcommand 'frobnicate'

    Usage: banyan [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn a_command_with_a_typing_mistake() {
    insta::assert_snapshot!(transcript(&stage("typo"), &["helth"]), @"
    exit code 2
    ── stderr
    error: unrecognized subcommand 'helth'

      tip: a similar subcommand exists: 'health'

    Usage: banyan [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_option() {
    insta::assert_snapshot!(transcript(&stage("option"), &["up", "--strickt"]), @"
    exit code 2
    ── stderr
    error: unexpected argument '--strickt' found

      tip: a similar argument exists: '--strict'

    Usage: banyan up --strict [SERVICES]...

    For more information, try '--help'.
    ");
}

#[test]
fn no_command_at_all() {
    let run = crate::support::run(stage("none").bare(&[]));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("Usage: banyan"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn options_that_need_another() {
    let stage = stage("needs");
    insta::assert_snapshot!(transcript(&stage, &["up", "--exit-code"]), @"
    exit code 2
    ── stderr
    error: the following required arguments were not provided:
      --dry-run

    Usage: banyan up --dry-run --exit-code [SERVICES]...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(transcript(&stage, &["up", "--setup", "--dry-run"]), @"
    exit code 2
    ── stderr
    error: the argument '--setup' cannot be used with '--dry-run'

    Usage: banyan up --setup [SERVICES]...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(transcript(&stage, &["health", "--interval", "3s"]), @"
    exit code 2
    ── stderr
    error: the following required arguments were not provided:
      --watch

    Usage: banyan health --watch --interval <TIME> [SERVICES]...

    For more information, try '--help'.
    ");
}

#[test]
fn a_value_that_does_not_fit() {
    let stage = stage("value");
    insta::assert_snapshot!(transcript(&stage, &["up", "--wait-timeout", "soon"]), @"
    exit code 2
    ── stderr
    error: invalid value 'soon' for '--wait-timeout <TIME>': `soon` is not a duration; write 90s, 1m30s or 500ms

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(transcript(&stage, &["status", "--output", "yaml"]), @"
    exit code 2
    ── stderr
    error: invalid value 'yaml' for '--output <FORMAT>'
      [possible values: text, json]

    For more information, try '--help'.
    ");
}

#[test]
fn names_that_no_instance_can_have() {
    let stage = stage("instance");
    insta::assert_snapshot!(transcript(&stage, &["--instance", "Mine", "status"]), @"
    exit code 2
    ── stderr
    error[E0201]: `Mine` is no name for an instance
      hint: use lower-case letters, digits and hyphens, at most 30, and not `default`
    ");
    for name in ["default", "-x", "a_b", "a/b", "..", "a234567890123456789012345678901"] {
        let argument = format!("--instance={name}");
        let text = transcript(&stage, &[&argument, "status"]);
        assert!(text.starts_with("exit code 2\n"), "{name}: {text}");
    }
    // the variable means the same as the option
    let mut by_variable = super::stage("instance-variable");
    let text = transcript(by_variable.set("BANYAN_INSTANCE", "Mine"), &["status"]);
    assert_eq!(text, transcript(&stage, &["--instance", "Mine", "status"]));
}
