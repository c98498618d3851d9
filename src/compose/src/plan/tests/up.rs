//! Order, edges, waits and weights of `up`.

use std::time::Duration;

use super::{Docker, all, of, only, plan, project, running, shows};
use crate::observed::{Observed, State};
use crate::plan::{Action, Plan, Up, Waits};

const SHOP: &str = "
services:
  web:
    image: web:1
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}
  db:
    image: db:1
    volumes: [data:/data]
  cache: {image: cache:1}
volumes: {data: {}}
";

#[test]
fn cold_everything_is_made_and_only_edges_hold_a_service_back() {
    let project = project(SHOP);
    shows(
        &plan(&project, &Observed::default(), &all(&project)),
        "1. create network shop_default  (not there yet)
         2. create volume shop_data  (not there yet)
         3. create container shop-db-1 from db:1  [after 1, 2]  (not there yet)
         4. start container shop-db-1  [after 3]  (not there yet)
         5. wait until db is ready  [after 4]  (started in this run)
         6. create container shop-cache-1 from cache:1  [after 1]  (not there yet)
         7. start container shop-cache-1  [after 6]  (not there yet)
         8. wait until cache is ready  [after 7]  (started in this run)
         9. create container shop-web-1 from web:1  [after 1]  (not there yet)
         10. start container shop-web-1  [after 5, 7, 9]  (not there yet)
         11. wait until web is ready  [after 10]  (started in this run)",
    );
}

#[test]
fn a_volume_is_labelled_with_whose_data_it_will_hold() {
    let project = project(SHOP);
    let plan = plan(&project, &Observed::default(), &all(&project));
    let labels = plan.steps.iter().find_map(|s| match &s.action {
        Action::CreateVolume { labels, .. } => Some(labels.clone()),
        _ => None,
    });
    let labels = labels.unwrap();
    assert_eq!((labels["dev.banyan.source"].as_str(), labels["dev.banyan.version"].as_str()), ("official", "1.0"));
}

#[test]
fn unchanged_there_are_only_waits_and_they_need_not_wait_for_each_other() {
    let project = project(SHOP);
    let docker = running(&project);
    let again = plan(&project, &docker.observed, &all(&project));
    shows(
        &again,
        "1. wait until db is ready  (unchanged)
         2. wait until cache is ready  (unchanged)
         3. wait until web is ready  (unchanged)",
    );
    assert!(again.changes_nothing());
}

#[test]
fn a_wait_is_called_off_with_the_wait_of_what_it_depends_on() {
    let project = project(SHOP);
    let docker = running(&project);
    let again = plan(&project, &docker.observed, &all(&project));
    assert_eq!(again.steps[2].doomed_by, [0, 1]);
    assert!(again.steps[2].after.is_empty());
}

#[test]
fn stopped_paused_and_never_started_containers_are_taken_up_again() {
    let project = project(SHOP);
    let mut docker = running(&project);
    of(&mut docker, "db").state = State::Exited;
    of(&mut docker, "db").status = "Exited (0) 1 hour ago".into();
    of(&mut docker, "cache").state = State::Paused;
    let mut wish = all(&project);
    wish.waits = Waits::Needed;
    shows(
        &plan(&project, &docker.observed, &wish),
        "1. start container shop-db-1  (was stopped)
         2. unpause container shop-cache-1  (was paused)",
    );
    of(&mut docker, "web").state = State::Created;
    shows(
        &plan(&project, &docker.observed, &only(&project, &["web"])),
        "1. start container shop-web-1  (was made but never started)
         2. wait until web is ready  [after 1]  (started in this run)",
    );
}

#[test]
fn a_database_that_ended_with_0_although_it_restarts_is_no_job() {
    let project = project("services: {db: {image: db, restart: unless-stopped}}");
    let mut docker = running(&project);
    of(&mut docker, "db").state = State::Exited;
    of(&mut docker, "db").status = "Exited (0) 1 hour ago".into();
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. start container shop-db-1  (was stopped)
         2. wait until db is ready  [after 1]  (started in this run)",
    );
}

const MIGRATED: &str = "
services:
  migrate: {image: migrate}
  web: {image: web, depends_on: {migrate: {condition: service_completed_successfully}}}
";

#[test]
fn a_job_is_waited_for_until_it_ends() {
    let project = project(MIGRATED);
    shows(
        &plan(&project, &Observed::default(), &all(&project)),
        "1. create network shop_default  (not there yet)
         2. create container shop-migrate-1 from migrate  [after 1]  (not there yet)
         3. start container shop-migrate-1  [after 2]  (not there yet)
         4. wait until migrate has ended  [after 3]  (started in this run)
         5. create container shop-web-1 from web  [after 1]  (not there yet)
         6. start container shop-web-1  [after 4, 5]  (not there yet)
         7. wait until web is ready  [after 6]  (started in this run)",
    );
}

#[test]
fn a_job_that_is_done_does_not_run_again() {
    let project = project(MIGRATED);
    let docker = running(&project);
    shows(&plan(&project, &docker.observed, &all(&project)), "1. wait until web is ready  (unchanged)");
}

#[test]
fn a_job_that_failed_runs_again() {
    let project = project(MIGRATED);
    let mut docker = running(&project);
    of(&mut docker, "migrate").status = "Exited (1) 1 hour ago".into();
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. start container shop-migrate-1  (was stopped)
         2. wait until migrate has ended  [after 1]  (started in this run)
         3. wait until web is ready  (unchanged)",
    );
}

#[test]
fn a_server_that_was_stopped_in_good_order_is_started_again() {
    for (yaml, starts) in [
        ("services: {a: {image: a, x-banyan: {ready: {protocol: redis, port: 1}}}}", true),
        ("services: {a: {image: a, healthcheck: {test: [CMD, ok]}}}", true),
        ("services: {a: {image: a, ports: ['1:1']}}", true),
        ("services: {a: {image: a, restart: always}}", true),
        ("services: {a: {image: a}, b: {image: b, depends_on: {a: {condition: service_healthy}}}}", true),
        // nothing says that it should go on running
        ("services: {a: {image: a}}", false),
        ("services: {a: {image: a, restart: on-failure}}", false),
        (
            "services: {a: {image: a, ports: ['1:1']}, b: {image: b, depends_on: {a: {condition: service_completed_successfully}}}}",
            false,
        ),
    ] {
        let project = project(yaml);
        let mut docker = running(&project);
        of(&mut docker, "a").state = State::Exited;
        of(&mut docker, "a").status = "Exited (0) 2 hours ago".into();
        let plan = plan(&project, &docker.observed, &all(&project));
        assert_eq!(plan.to_string().contains("start container shop-a-1"), starts, "{yaml}\n{plan}");
    }
}

/// The waits of a plan.
fn waits(plan: &Plan) -> Vec<String> {
    plan.steps.iter().filter(|s| s.action.is_wait()).map(|s| s.action.to_string()).collect()
}

#[test]
fn without_waiting_only_that_is_waited_for_which_another_service_needs() {
    let project = project(SHOP);
    let wish = Up { waits: Waits::Needed, ..all(&project) };
    assert_eq!(waits(&plan(&project, &Observed::default(), &wish)), ["wait until db is ready"]);
    assert_eq!(waits(&plan(&project, &running(&project).observed, &wish)), [""; 0], "nothing starts");
}

#[test]
fn what_the_engine_brings_back_starts_without_a_wait_where_none_is_wanted() {
    let yaml = "services:
  store: {image: store}
  job: {image: job}
  seen: {image: seen, restart: unless-stopped, depends_on: {store: {condition: service_healthy}}}
  board: {image: board, restart: POLICY, depends_on: {CONDITION}}";
    let plan = |policy: &str, condition: &str| {
        let project = project(&yaml.replace("POLICY", policy).replace("CONDITION", condition));
        plan(&project, &Observed::default(), &Up { waits: Waits::Unavoidable, ..all(&project) })
    };
    let starts = |plan: &Plan, name: &str| {
        let step = plan.steps.iter().find(|s| s.action.to_string() == format!("start container shop-{name}-1"));
        step.unwrap().after.iter().map(|&i| plan.steps[i].action.to_string()).collect::<Vec<_>>()
    };
    for (policy, condition, expected) in [
        ("always", "store: {condition: service_healthy}", None),
        ("on-failure", "store: {condition: service_healthy}", None),
        ("on-failure:3", "store: {condition: service_healthy}", Some("wait until store is ready")),
        ("'no'", "store: {condition: service_healthy}", Some("wait until store is ready")),
        ("always", "job: {condition: service_completed_successfully}", Some("wait until job has ended")),
    ] {
        let plan = plan(policy, condition);
        assert_eq!(waits(&plan), Vec::from_iter(expected), "{policy} {condition}\n{plan}");
        assert_eq!(starts(&plan, "board").iter().any(|s| s.starts_with("wait")), expected.is_some(), "{plan}");
        // the store's container runs all the same before the others start
        assert_eq!(starts(&plan, "seen"), ["start container shop-store-1", "create container shop-seen-1 from seen"]);
    }
}

#[test]
fn force_recreates_what_has_not_changed() {
    let project = project("services: {db: {image: db}}");
    let docker = running(&project);
    let old = docker.observed.containers[0].id[..12].to_owned();
    let wish = Up { force_recreate: true, ..all(&project) };
    shows(
        &plan(&project, &docker.observed, &wish),
        &format!(
            "1. create container {old}_shop-db-1 from db  (asked to recreate)
             2. stop container shop-db-1  [after 1]  (asked to recreate)
             3. remove container shop-db-1  [after 2]  (asked to recreate)
             4. rename container {old}_shop-db-1 to shop-db-1  [after 3]  (asked to recreate)
             5. start container shop-db-1  [after 4]  (asked to recreate)
             6. wait until db is ready  [after 5]  (started in this run)"
        ),
    );
}

#[test]
fn an_edge_that_is_not_required_holds_nobody_back() {
    let project = project(
        "services: {web: {image: web, depends_on: {db: {condition: service_healthy, required: false}}}, db: {image: db}}",
    );
    let plan = plan(&project, &Observed::default(), &all(&project));
    let start = plan.steps.iter().find(|s| s.action.to_string() == "start container shop-web-1").unwrap();
    let before: Vec<_> = start.after.iter().map(|&i| plan.steps[i].action.to_string()).collect();
    assert_eq!(before, ["create container shop-web-1 from web"]);
}

#[test]
fn restart_true_restarts_an_unchanged_service_with_its_dependency() {
    let yaml = |flag: bool, version: u8| {
        format!(
            "services: {{db: {{image: 'db:{version}'}}, \
             web: {{image: web, depends_on: {{db: {{condition: service_healthy, restart: {flag}}}}}}}, \
             cdn: {{image: cdn, depends_on: {{web: {{condition: service_started, restart: true}}}}}}}}"
        )
    };
    let touched = |flag: bool| {
        let docker = running(&project(&yaml(flag, 1)));
        let changed = project(&yaml(flag, 2));
        let plan = plan(&changed, &docker.observed, &all(&changed));
        let of =
            |service| plan.steps.iter().filter(move |s| s.action.service() == Some(service) && !s.action.is_wait());
        let lines = |service| of(service).map(|s| format!("{} ({})", s.action, s.because)).collect::<Vec<_>>();
        (lines("web"), lines("cdn"))
    };
    assert_eq!(touched(false), (vec![], vec![]));
    let (web, cdn) = touched(true);
    assert_eq!(
        web,
        [
            "stop container shop-web-1 (its dependency db starts anew)",
            "start container shop-web-1 (its dependency db starts anew)"
        ]
    );
    assert_eq!(cdn.len(), 2, "and so on along the chain: {cdn:?}");
}

#[test]
fn a_dependent_is_not_stopped_before_the_new_dependency_could_be_made() {
    let yaml = "services: {db: {image: 'db:1'}, web: {image: web, depends_on: {db: {condition: service_healthy, restart: true}}}}";
    let docker = running(&project(yaml));
    let changed = project(&yaml.replace("db:1", "db:2"));
    let plan = plan(&changed, &docker.observed, &all(&changed));
    let stop = plan.steps.iter().find(|s| s.action.to_string() == "stop container shop-web-1").unwrap();
    let before: Vec<_> = stop.after.iter().map(|&i| plan.steps[i].action.to_string()).collect();
    assert!(before.iter().any(|s| s.starts_with("rename container")), "{plan}");
}

#[test]
fn the_longest_chain_weighs_most() {
    let project = project(
        "services:
           slow: {image: slow, x-banyan: {boot: 8s}}
           mid: {image: mid, x-banyan: {boot: 2s}}
           late: {image: late, depends_on: {mid: {condition: service_healthy}}, x-banyan: {boot: 1s}}
           quick: {image: quick}",
    );
    let plan = plan(&project, &Observed::default(), &all(&project));
    let weight = |what: &str| plan.steps.iter().find(|s| s.action.to_string().starts_with(what)).unwrap().weight;
    let creations = ["slow", "mid", "late", "quick"].map(|s| weight(&format!("create container shop-{s}")));
    assert!(creations.is_sorted_by(|a, b| a > b), "{creations:?}");
    assert_eq!(weight("wait until late"), Duration::from_secs(1));
    assert!(weight("wait until mid") > Duration::from_secs(3), "the wait of its dependent counts too");
    for (i, step) in plan.steps.iter().enumerate() {
        for &before in &step.after {
            assert!(plan.steps[before].weight > step.weight, "step {} weighs less than step {}", before + 1, i + 1);
        }
    }
}

#[test]
fn external_networks_and_volumes_are_not_made() {
    let project = project(
        "services: {db: {image: db, networks: [lan], volumes: ['disk:/data']}}
networks: {lan: {external: true, name: lan}}
volumes: {disk: {external: true, name: disk}}",
    );
    shows(
        &plan(&project, &Observed::default(), &all(&project)),
        "1. create container shop-db-1 from db  (not there yet)
         2. start container shop-db-1  [after 1]  (not there yet)
         3. wait until db is ready  [after 2]  (started in this run)",
    );
}

#[test]
fn configuration_is_copied_before_the_start() {
    let project = project(
        "services: {db: {image: db, configs: [{source: conf, target: /etc/conf}]}}
configs: {conf: {content: 'a=1'}}",
    );
    shows(
        &plan(&project, &Observed::default(), &all(&project)),
        "1. create network shop_default  (not there yet)
         2. create container shop-db-1 from db  [after 1]  (not there yet)
         3. copy configuration into shop-db-1  [after 2]  (not there yet)
         4. start container shop-db-1  [after 3]  (not there yet)
         5. wait until db is ready  [after 4]  (started in this run)",
    );
}

#[test]
fn containers_of_services_that_are_gone_are_mentioned_and_left_alone() {
    let docker = running(&project("services: {old: {image: old}, db: {image: db}}"));
    let project = project("services: {db: {image: db}}");
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. wait until db is ready  (unchanged)
         note: containers of services that the files no longer name: shop-old-1 (`down` removes them)",
    );
}

#[test]
fn a_container_of_run_is_none_of_the_services_containers() {
    let project = project("services: {db: {image: db}}");
    let mut docker: Docker = running(&project);
    of(&mut docker, "db").labels.insert("com.docker.compose.oneoff".into(), "True".into());
    of(&mut docker, "db").name = "shop-db-run-1".into();
    shows(
        &plan(&project, &docker.observed, &all(&project)),
        "1. create container shop-db-1 from db  (not there yet)
         2. start container shop-db-1  [after 1]  (not there yet)
         3. wait until db is ready  [after 2]  (started in this run)",
    );
}
