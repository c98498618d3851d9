//! `down`: from labels alone, dependents first.

use super::{of, project, running, shows};
use crate::observed::{COMPOSE_DEPENDS_ON, Container, State, VolumeMount};
use crate::plan::{Down, data_of, down};

const SHOP: &str = "
services:
  db: {image: db, volumes: ['data:/data']}
  cache: {image: cache, volumes: ['hot:/data'], networks: [default, back]}
  web: {image: web, depends_on: [db, cache]}
  cdn: {image: cdn, depends_on: [web]}
volumes: {data: {}, hot: {}}
networks: {back: {}}
";

fn wish(services: &[&str], volumes: bool) -> Down {
    Down { services: services.iter().map(|s| (*s).to_owned()).collect(), volumes, data: vec![] }
}

#[test]
fn everything_goes_dependents_first_and_data_stays() {
    let docker = running(&project(SHOP));
    shows(
        &down("shop", &docker.observed, &wish(&[], false)),
        "1. stop container shop-cdn-1  (asked for)
         2. remove container shop-cdn-1  [after 1]  (asked for)
         3. stop container shop-web-1  [after 1]  (asked for)
         4. remove container shop-web-1  [after 3]  (asked for)
         5. stop container shop-db-1  [after 3]  (asked for)
         6. remove container shop-db-1  [after 5]  (asked for)
         7. stop container shop-cache-1  [after 3]  (asked for)
         8. remove container shop-cache-1  [after 7]  (asked for)
         9. remove network shop_back  [after 2, 4, 6, 8]  (no container of the project is left on it)
         10. remove network shop_default  [after 2, 4, 6, 8]  (no container of the project is left on it)",
    );
}

#[test]
fn a_named_service_takes_those_that_depend_on_it_along() {
    let docker = running(&project(SHOP));
    shows(
        &down("shop", &docker.observed, &wish(&["cache"], false)),
        "1. stop container shop-cdn-1  (depends on a service that goes)
         2. remove container shop-cdn-1  [after 1]  (depends on a service that goes)
         3. stop container shop-web-1  [after 1]  (depends on a service that goes)
         4. remove container shop-web-1  [after 3]  (depends on a service that goes)
         5. stop container shop-cache-1  [after 3]  (asked for)
         6. remove container shop-cache-1  [after 5]  (asked for)
         7. remove network shop_back  [after 2, 4, 6]  (no container of the project is left on it)",
    );
}

#[test]
fn with_volumes_only_the_data_of_what_was_named_is_deleted() {
    let docker = running(&project(
        &SHOP.replace("{image: web,", "{image: web, volumes: ['own:/own'],").replace("hot: {}}", "hot: {}, own: {}}"),
    ));
    let volumes = |services: &[&str]| -> Vec<String> {
        let plan = down("shop", &docker.observed, &wish(services, true));
        plan.steps.iter().filter(|s| s.action.is_destructive()).map(|s| s.action.to_string()).collect()
    };
    assert_eq!(volumes(&[]), ["DELETE volume shop_data", "DELETE volume shop_hot", "DELETE volume shop_own"]);
    assert_eq!(volumes(&["cache"]), ["DELETE volume shop_hot"], "web goes along, and keeps its data");
    assert_eq!(volumes(&["web"]), ["DELETE volume shop_own"]);
    assert_eq!(volumes(&["cdn"]), [""; 0]);
}

#[test]
fn data_that_no_container_mounts_any_more_goes_when_its_service_is_named() {
    let shop = project(SHOP);
    let mut docker = running(&shop);
    let named = |docker: &super::Docker, service: &str| {
        let services = vec![service.to_owned()];
        let data = data_of(&shop, &services);
        down("shop", &docker.observed, &Down { services, volumes: true, data }).to_string()
    };
    docker.observed.containers.retain(|c| c.service() != "db");
    assert!(named(&docker, "db").contains("DELETE volume shop_data"), "{}", named(&docker, "db"));
    assert!(!named(&docker, "db").contains("shop_hot"));
    // somebody else of the project still works on it
    of(&mut docker, "cache").volumes.push(VolumeMount { name: "shop_data".into(), target: "/d".into() });
    assert!(!named(&docker, "db").contains("DELETE"));
}

#[test]
fn unnamed_volumes_go_with_their_container_when_data_is_to_go() {
    let mut docker = running(&project("services: {db: {image: db}}"));
    let name = "d".repeat(64);
    of(&mut docker, "db").volumes.push(VolumeMount { name: name.clone(), target: "/data".into() });
    docker.observed.volumes.insert(name.clone(), crate::observed::Labelled::default());
    let line = format!("DELETE volume {name}");
    assert!(down("shop", &docker.observed, &wish(&[], true)).to_string().contains(&line));
    assert!(!down("shop", &docker.observed, &wish(&[], false)).to_string().contains(&line));
}

#[test]
fn an_unnamed_volume_that_somebody_else_mounts_stays() {
    let mut docker = running(&project("services: {db: {image: db}}"));
    let volume = VolumeMount { name: "d".repeat(64), target: "/data".into() };
    of(&mut docker, "db").volumes.push(volume.clone());
    docker.observed.others.push(Container { volumes: vec![volume], ..Container::default() });
    assert!(!down("shop", &docker.observed, &wish(&[], true)).to_string().contains("DELETE"));
}

#[test]
fn things_of_other_projects_stay() {
    let project = project(SHOP);
    let docker = running(&project);
    let mut others = docker.observed.clone();
    others.containers.clear();
    assert!(down("bakery", &others, &wish(&[], true)).steps.is_empty());
}

#[test]
fn a_network_without_containers_still_goes() {
    let mut docker = running(&project("services: {db: {image: db}}"));
    docker.observed.containers.clear();
    shows(
        &down("shop", &docker.observed, &wish(&[], false)),
        "1. remove network shop_default  (no container of the project is left on it)",
    );
}

#[test]
fn services_that_the_files_no_longer_name_and_one_off_containers_go_too() {
    let mut docker = running(&project("services: {old: {image: old}}"));
    of(&mut docker, "old").labels.insert("com.docker.compose.oneoff".into(), "True".into());
    assert!(down("shop", &docker.observed, &wish(&[], false)).to_string().contains("remove container shop-old-1"));
}

#[test]
fn a_cycle_in_the_labels_is_cut_and_everything_still_goes_once() {
    let mut docker = running(&project("services: {a: {image: a}, b: {image: b}, c: {image: c}}"));
    for (service, on) in [("a", "b"), ("b", "c"), ("c", "a")] {
        of(&mut docker, service).labels.insert(COMPOSE_DEPENDS_ON.into(), format!("{on}:service_started:false"));
    }
    let plan = down("shop", &docker.observed, &wish(&[], false));
    assert_eq!(plan.steps.len(), 7, "{plan}");
    for (i, step) in plan.steps.iter().enumerate() {
        assert!(step.after.iter().all(|&before| before < i), "{plan}");
    }
    assert_eq!(down("shop", &docker.observed, &wish(&["a"], false)).steps.len(), 7, "all depend on it in a circle");
}

#[test]
fn a_stopped_container_goes_as_well() {
    let mut docker = running(&project("services: {db: {image: db}}"));
    of(&mut docker, "db").state = State::Exited;
    assert!(down("shop", &docker.observed, &wish(&[], false)).to_string().contains("remove container shop-db-1"));
}
