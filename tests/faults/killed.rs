//! SIGKILL of banyan in the middle of `up`, of getting an image, and of `down`: labels are all the state there is, so
//! the next run goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Dice, Scene, rounds};
use crate::support::{BANYAN, heavy, long};

const SERVICES: &str = "
services:
  store:
    @REDIS
    environment: {GENERATION: '0'}
    volumes: ['store-data:/data']
  queue:
    @REDIS
    environment: {GENERATION: '0'}
    networks: [default, back]
  migrate:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    x-banyan: {recipe: redis}
    entrypoint: ['true']
    depends_on: {store: {condition: service_healthy}}
  web:
    @REDIS
    environment: {GENERATION: '0'}
    configs: [{source: greeting, target: /etc/greeting}]
    depends_on:
      store: {condition: service_healthy}
      queue: {condition: service_healthy, restart: true}
      migrate: {condition: service_completed_successfully}
volumes: {store-data: {}}
networks: {back: {}}
configs: {greeting: {content: hello}}
";

/// Starts a command and kills it after so many lines of progress and so many milliseconds, unless it ends before.
fn kill_after(scene: &Scene, args: &[&str], lines: u64, milliseconds: u64) {
    let mut running = scene.start(args);
    for _ in 0..lines {
        if running.line().is_none() {
            break;
        }
    }
    // part of the fault: the time between two lines counts as well
    std::thread::sleep(Duration::from_millis(milliseconds));
    let _ = running.child.kill();
    running.child.wait().unwrap();
}

/// How many lines of progress a command that runs to its end writes.
fn lines_of(scene: &Scene, args: &[&str]) -> u64 {
    let mut running = scene.start(args);
    let mut lines = 0;
    while running.line().is_some() {
        lines += 1;
    }
    assert!(running.child.wait().unwrap().success(), "{args:?}\n{}", running.seen);
    lines
}

/// Everything runs, once, under its own name, with its files and on its networks.
#[track_caller]
fn assert_up(scene: &Scene, context: &str) {
    let expected = ["migrate exited", "queue running", "store running", "web running"];
    assert_eq!(scene.containers(), expected, "{context}");
    assert_eq!(scene.exec("web", "cat /etc/greeting"), "hello", "{context}");
    let networks = scene.inspect("queue", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}");
    assert_eq!(networks.split_whitespace().count(), 2, "{context}: {networks}");
    let health = scene.banyan(&["health", "store", "queue", "web"]);
    assert_eq!(health.code, 0, "{context}\n{}\n{}", health.stdout, health.stderr);
    let dry = scene.banyan(&["up", "--dry-run", "--exit-code"]);
    assert_eq!(dry.code, 0, "{context}: another `up` would change something\n{}\n{}", dry.stdout, dry.stderr);
}

/// Names of the volumes, named or not, that the project's containers mount now.
fn mounted(scene: &Scene) -> Vec<String> {
    let filter = format!("label=com.docker.compose.project={}", scene.project());
    // the engine may still be removing what a killed banyan asked it to: that is passed over
    let line = format!(
        "for id in $(docker ps -aq --filter {filter}); do \
         docker inspect --format '{{{{range .Mounts}}}}{{{{.Name}}}} {{{{end}}}}' $id || true; done"
    );
    scene.stage.sh(&line).stdout.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_next_run_goes_on_wherever_the_last_one_was_killed() {
    let scene = Scene::new("kill", SERVICES);
    let up_lines = lines_of(&scene, &["up"]);
    assert_up(&scene, "without a fault");
    let mut volumes: BTreeSet<String> = mounted(&scene).into_iter().collect();
    let down_lines = lines_of(&scene, &["down"]);
    let mut dice = Dice(16);
    for round in 0..rounds(5, 50) {
        // every second round the services have changed, so that they are replaced
        let generation = round / 2;
        scene.write(&SERVICES.replace("GENERATION: '0'", &format!("GENERATION: '{generation}'")));
        let (lines, milliseconds) = (dice.roll(up_lines), dice.roll(40));
        kill_after(&scene, &["up"], lines, milliseconds);
        volumes.extend(mounted(&scene));
        let again = scene.banyan(&["up"]);
        let context = format!("round {round}: `up` killed after {lines} lines and {milliseconds} ms");
        assert_eq!(again.code, 0, "{context}\n{}\n{}", again.stdout, again.stderr);
        assert_up(&scene, &context);
        volumes.extend(mounted(&scene));

        // replaced while it runs, or taken down: killed as well
        if dice.roll(2) == 0 {
            let (lines, milliseconds) = (dice.roll(down_lines), dice.roll(40));
            kill_after(&scene, &["down"], lines, milliseconds);
            if dice.roll(2) == 0 {
                let again = scene.banyan(&["up"]);
                let context = format!("round {round}: `down` killed after {lines} lines and {milliseconds} ms");
                assert_eq!(again.code, 0, "{context}\n{}\n{}", again.stdout, again.stderr);
                assert_up(&scene, &context);
                volumes.extend(mounted(&scene));
            } else {
                scene.ok(&["down"]);
                assert_eq!(scene.containers(), [""; 0], "{context}");
            }
        }
    }
    volumes.extend(mounted(&scene));
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
    let all = scene.stage.docker(&["volume", "ls", "-q"]);
    let left: Vec<_> = all.lines().filter(|v| v.contains(&scene.project())).collect();
    assert_eq!(left, [""; 0]);
    assert!(volumes.len() > 1, "the test is meant to see unnamed volumes too: {volumes:?}");
}

/// Kills `up` in the middle of getting an image, in the moments that the dice choose, and has the next one go on.
/// `again` takes the image away, so that it has to be made. Gives the images that were made.
fn killed_over_an_image(scene: &Scene, up: &[&str], mut again: impl FnMut()) -> BTreeSet<String> {
    again();
    let lines = lines_of(scene, up);
    let mut made = BTreeSet::from([scene.inspect("tool", "{{.Config.Image}}")]);
    let mut dice = Dice(7);
    for round in 0..rounds(4, 25) {
        scene.ok(&["down"]);
        again();
        let (lines, milliseconds) = (dice.roll(lines), dice.roll(150));
        kill_after(scene, up, lines, milliseconds);
        let context = format!("round {round}: killed after {lines} lines and {milliseconds} ms");
        let run = scene.banyan(up);
        assert_eq!(run.code, 0, "{context}\n{}\n{}", run.stdout, run.stderr);
        assert_eq!(scene.containers(), ["tool exited"], "{context}");
        assert_eq!(scene.inspect("tool", "{{.State.ExitCode}}"), "0", "{context}");
        made.insert(scene.inspect("tool", "{{.Config.Image}}"));
        let dry = scene.banyan(&[up, &["--dry-run", "--exit-code"]].concat());
        assert_eq!(dry.code, 0, "{context}: another `up` would change something\n{}", dry.stdout);
    }
    scene.ok(&["down"]);
    made
}

#[test]
fn the_next_run_builds_the_image_that_a_killed_one_was_building() {
    // the stack's tests use this image
    let _one = heavy();
    let tool = "
services:
  tool:
    image: banyan-local/rabbitmq
    x-banyan: {recipe: rabbitmq}
    entrypoint: [rabbitmqctl, version]
";
    let scene = Scene::new("build", tool);
    scene.ok(&["images", "build"]);
    let image = || scene.ok(&["--output", "json", "images", "list"]).json()["items"][0].clone();
    let before = image();
    let name = before["image"].as_str().unwrap().to_owned();
    assert!(name.starts_with("banyan-local/rabbitmq:"), "{before}");
    let made = killed_over_an_image(&scene, &["up"], || {
        // the engine keeps the steps, so that they are not taken once more
        scene.stage.docker(&["rmi", "--no-prune", &name]);
        assert_eq!(image()["here"], false);
    });
    assert_eq!(Vec::from_iter(made), [name.as_str()]);
    assert_eq!((&image()["image"], &image()["version"]), (&before["image"], &before["version"]));
    // what is not finished is never taken for an image, and goes with the first build an hour later
    scene.stage.sh(
        "for draft in $(docker images --filter 'reference=banyan-local/rabbitmq:draft-*' --format '{{.Repository}}:{{.Tag}}'); do \
         docker ps -aq --filter ancestor=$draft | xargs -r docker rm; docker rmi --no-prune $draft; done",
    );
}

#[test]
fn a_step_in_which_a_build_was_killed_is_taken_anew() {
    // packages are fetched, so in a long run only
    if !long() {
        return;
    }
    let _one = heavy();
    let tool = "
services:
  tool:
    image: banyan-local/devbox
    x-banyan: {recipe: devbox}
    entrypoint: [psql, --version]
";
    let scene = Scene::new("step", tool);
    scene.ok(&["images", "build"]);
    let name =
        scene.ok(&["--output", "json", "images", "list"]).json()["items"][0]["image"].as_str().unwrap().to_owned();
    scene.stage.docker(&["rmi", "--no-prune", &name]);
    let mut up = scene.start(&["up"]);
    // the first stage is swept after every build
    up.until(&["building", "RUN apt-get update"]);
    up.signal("KILL");
    up.end(Duration::from_secs(5));
    scene.ok(&["up"]);
    assert_eq!(scene.containers(), ["tool exited"]);
    assert_eq!(scene.inspect("tool", "{{.Config.Image}} {{.State.ExitCode}}"), format!("{name} 0"));
}

#[test]
fn the_next_run_imports_the_image_that_a_killed_one_was_importing() {
    let tool = "
services:
  tool:
    image: banyan-local/platform
    x-banyan: {recipe: platform}
    command: [--version]
";
    let scene = Scene::new("import", tool);
    let binary = scene.stage.folder().join("other-banyan");
    std::fs::copy(BANYAN, &binary).unwrap();
    let up = ["up", "--platform-binary", "other-banyan"];
    let made = killed_over_an_image(&scene, &up, || {
        // another executable in every round: what is behind the end of the program it does not read
        let mut file = std::fs::File::options().append(true).open(&binary).unwrap();
        std::io::Write::write_all(&mut file, b"\n").unwrap();
    });
    assert!(made.len() > 4 && made.iter().all(|image| image.starts_with("banyan-local/platform:")), "{made:?}");
    made.iter().for_each(|image| drop(scene.stage.docker(&["rmi", image])));
}

#[test]
fn down_with_data_leaves_no_unnamed_volume() {
    let scene = Scene::new("anon", "services:\n  cache:\n    @REDIS\n");
    scene.ok(&["up"]);
    let volumes = mounted(&scene);
    assert_eq!(volumes.len(), 1, "the image declares /data");
    scene.ok(&["up", "--force-recreate"]);
    assert_eq!(mounted(&scene), volumes, "the successor goes on with the data");
    scene.ok(&["down", "-v"]);
    scene.assert_nothing_left();
    let all = scene.stage.docker(&["volume", "ls", "-q"]);
    assert!(!all.lines().any(|v| volumes.iter().any(|w| w == v)), "{volumes:?}");
}
