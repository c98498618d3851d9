//! A run that was killed between two steps: the next one finishes the work, wherever it was cut.

use super::{Docker, all, of, plan, project, running, shows};
use crate::observed::{Observed, State};
use crate::plan::{Down, Up, down};
use crate::project::Project;

const SHOP: &str = "
services:
  web:
    image: web:1
    ports: ['127.0.0.1:80:80']
    depends_on: {db: {condition: service_healthy, restart: true}, migrate: {condition: service_completed_successfully}}
    configs: [{source: conf, target: /etc/conf}]
    networks: [default, back]
  db: {image: 'db:1', volumes: ['data:/data']}
  migrate: {image: 'migrate:1', depends_on: {db: {condition: service_healthy}}}
volumes: {data: {}}
networks: {back: {}}
configs: {conf: {content: 'a=1'}}
";

/// One running container for every service (jobs have ended), under its own name, and nothing else.
#[track_caller]
fn assert_up(docker: &Docker, project: &Project) {
    let mut names: Vec<_> = docker.observed.containers.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    let mut wanted: Vec<_> = project.services.values().map(|s| s.container_name.as_str()).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    for c in &docker.observed.containers {
        let expected = if c.service() == "migrate" { State::Exited } else { State::Running };
        assert_eq!(c.state, expected, "{}", c.name);
    }
    let again = plan(project, &docker.observed, &all(project));
    assert!(again.changes_nothing(), "{again}");
}

/// Cuts the way from `before` to `after` at every step, and goes on.
#[track_caller]
fn cut_everywhere(before: &Docker, after: &Project, wish: &Up) -> usize {
    let whole = plan(after, &before.observed, wish);
    for cut in 0..=whole.steps.len() {
        let mut docker = before.clone();
        docker.apply_some(after, &whole.steps[..cut]);
        let rest = plan(after, &docker.observed, &all(after));
        docker.apply(after, &rest);
        assert_up(&docker, after);
    }
    whole.steps.len()
}

#[test]
fn a_first_up_that_was_cut_anywhere_is_finished_by_the_next() {
    let project = project(SHOP);
    assert!(cut_everywhere(&Docker::default(), &project, &all(&project)) > 10);
}

#[test]
fn a_recreation_that_was_cut_anywhere_is_finished_by_the_next() {
    let before = running(&project(SHOP));
    let after = project(&SHOP.replace(":1", ":2"));
    assert!(cut_everywhere(&before, &after, &all(&after)) > 15);
}

#[test]
fn a_down_that_was_cut_anywhere_is_finished_by_the_next_and_undone_by_up() {
    let project = project(SHOP);
    let before = running(&project);
    let wish = Down { volumes: true, ..Down::default() };
    let whole = down("shop", &before.observed, &wish);
    for cut in 0..=whole.steps.len() {
        let mut docker = before.clone();
        docker.apply_some(&project, &whole.steps[..cut]);
        let mut up_again = docker.clone();
        docker.apply(&project, &down("shop", &docker.observed, &wish));
        assert_eq!(docker.observed, Observed::default(), "cut after {cut}");

        up_again.apply(&project, &plan(&project, &up_again.observed, &all(&project)));
        assert_up(&up_again, &project);
    }
}

#[test]
fn the_change_is_taken_back_while_the_recreation_is_half_done() {
    let (old, new) = (project(SHOP), project(&SHOP.replace("db:1", "db:2")));
    let before = running(&old);
    let whole = plan(&new, &before.observed, &all(&new));
    for cut in 0..=whole.steps.len() {
        let mut docker = before.clone();
        docker.apply_some(&new, &whole.steps[..cut]);
        docker.apply(&old, &plan(&old, &docker.observed, &all(&old)));
        assert_up(&docker, &old);
    }
}

#[test]
fn a_container_left_beside_its_successor_is_removed() {
    let project = project("services: {db: {image: db}}");
    let mut docker = running(&project);
    let mut left = of(&mut docker, "db").clone();
    left.id = format!("{:x<64}", "left");
    left.name = "0123456789ab_shop-db-1".into();
    left.state = State::Created;
    docker.observed.containers.insert(0, left);
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. stop container 0123456789ab_shop-db-1  (left over from an interrupted run)
         2. remove container 0123456789ab_shop-db-1  [after 1]  (left over from an interrupted run)
         3. wait until db is ready  (unchanged)",
    );
}

#[test]
fn a_container_that_never_got_its_configuration_gets_it_before_it_starts() {
    let project = project(
        "services: {db: {image: db, configs: [{source: conf, target: /etc/conf}]}}
configs: {conf: {content: 'a=1'}}",
    );
    let mut docker = Docker::default();
    let whole = plan(&project, &docker.observed, &all(&project));
    docker.apply_some(&project, &whole.steps[..2]);
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. copy configuration into shop-db-1  (was made but never started)
         2. start container shop-db-1  [after 1]  (was made but never started)
         3. wait until db is ready  [after 2]  (started in this run)",
    );
}

#[test]
fn a_container_that_was_not_yet_on_all_its_networks_is_made_anew() {
    let project = project("services: {db: {image: db, networks: [a, b]}}\nnetworks: {a: {}, b: {}}");
    let mut docker = Docker::default();
    let whole = plan(&project, &docker.observed, &all(&project));
    docker.apply_some(&project, &whole.steps[..3]);
    of(&mut docker, "db").networks.remove("shop_b");
    let rest = plan(&project, &docker.observed, &all(&project));
    assert!(rest.to_string().contains("(not attached to shop_b)"), "{rest}");
}
