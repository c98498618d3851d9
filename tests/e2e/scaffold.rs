//! Services that `banyan new-service` writes: their own tests pass, and the platform runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{BANYAN, Run, Stage, heavy, run};

/// Where they are built: kept from run to run, so that their libraries are compiled once.
fn target() -> PathBuf {
    Path::new(BANYAN).ancestors().nth(2).unwrap().join("scaffold")
}

/// `cargo ARGS` in a folder, without a network: the versions of a scaffold are those of this workspace.
#[track_caller]
fn cargo(folder: &Path, args: &[&str]) -> Run {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(folder);
    command.env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_COLOR", "never");
    let run = run(command);
    assert_eq!(run.code, 0, "cargo {args:?} in {}\n{}\n{}", folder.display(), run.stdout, run.stderr);
    assert!(!run.stderr.contains("warning:"), "{}", run.stderr);
    run
}

/// A corner with a project, and services of these names.
fn project(stage: Stage, names: &[&str]) -> Stage {
    for args in [vec!["init"]].into_iter().chain(names.iter().map(|name| vec!["new-service", name])) {
        let run = run(stage.bare(&args));
        assert_eq!(run.code, 0, "{args:?}\n{}", run.stderr);
    }
    stage
}

#[test]
fn whatever_it_is_called_its_files_are_formatted_and_its_tests_pass() {
    let longest = "long-".repeat(5) + "names";
    let names = ["a", "type-service", "self-1", &longest];
    let stage = project(Stage::plain("scaffold"), &names);
    let _one = heavy();
    for name in names {
        let folder = stage.folder().join(name);
        cargo(&folder, &["fmt", "--check"]);
        let tests = cargo(&folder, &["test"]).stdout;
        assert!(tests.contains("test result: ok. 5 passed"), "{name}: {tests}");
    }
}

#[test]
fn the_platform_runs_it_and_knows_what_it_offers() {
    let mut stage = project(Stage::core("scaffolded"), &["order-service"]);
    let absent = stage.banyan(&["up", "order-service"]);
    assert!(absent.code == 6 && absent.stderr.contains("cargo build"), "{}\n{}", absent.code, absent.stderr);
    let _one = heavy();
    cargo(&stage.folder().join("order-service"), &["build"]);
    let program = target().join("debug/order-service");
    stage.set("ORDER_SERVICE_PROGRAM", program.to_str().unwrap());
    stage.ok(&["up"]);
    let services = stage.ok(&["services", "order-service", "--output", "json"]).json();
    assert_eq!(services["items"][0]["serviceName"], "order-service", "{services}");
    let contracts = stage.ok(&["contracts", "list", "order-service"]).stdout;
    for part in ["CreateOrderCommand", "GetOrderQuery", "OrderCreated", "order:create"] {
        assert!(contracts.contains(part), "{part}: {contracts}");
    }
    // nothing has changed: nothing is made anew
    let again = stage.ok(&["up", "--dry-run"]).stdout;
    assert!(again.contains("nothing to do"), "{again}");
    stage.ok(&["down", "-v", "--no-snapshot"]);
}
