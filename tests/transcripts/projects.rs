//! Which project it is, what is wrong with it as a whole, and where its files are kept.

use super::{stage, transcript};

#[test]
fn a_service_that_the_project_does_not_have() {
    let stage = stage("service");
    insta::assert_snapshot!(transcript(&stage, &["up", "postgrs"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      there is no service `postgrs`
        hint: did you mean `postgres`?
    ");
    insta::assert_snapshot!(transcript(&stage, &["health", "kafka"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      there is no service `kafka`
        hint: services: postgres, rabbitmq, redis, elasticsearch, jaeger, grafana, auth-service, service-discovery, api-gateway, devbox
    ");
    for command in ["up", "reset", "health"] {
        let text = transcript(&stage, &[command, "postgrs"]);
        assert!(text.starts_with("exit code 3\n") && text.contains("did you mean `postgres`?"), "{command}: {text}");
    }
}

#[test]
fn a_compose_file_in_the_folder_is_not_taken_by_itself() {
    let stage = stage("bare");
    stage.write("compose.yaml", "services: { a: { image: i } }\n");
    let text = transcript(&stage, &["up", "--dry-run"]);
    assert!(text.contains("data/stacks/default/docker-compose.yml (built-in stack)"), "{text}");
}

#[test]
fn files_come_from_the_option_or_the_variable() {
    let mut stage = stage("which");
    stage.write("one.yaml", "name: one\nservices: { a: { image: i } }\n");
    stage.write("two.yaml", "name: two\nservices: { a: { image: i } }\n");
    stage.set("COMPOSE_FILE", "one.yaml:two.yaml");
    let text = transcript(&stage, &["up"]);
    assert!(text.contains("project two: [folder]/one.yaml, [folder]/two.yaml (COMPOSE_FILE)"), "{text}");
    let text = transcript(&stage, &["--file", "one.yaml", "up"]);
    assert!(text.contains("project one: [folder]/one.yaml (--file)"), "{text}");
}

#[test]
fn mistakes_in_the_manifest() {
    let stage = stage("manifest");
    stage.write("banyan.yaml", "compose:\n  - a.yml\nservice: {}\n");
    insta::assert_snapshot!(transcript(&stage, &["status"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/banyan.yaml:3:1: unknown field `service`, expected `compose` or `services`
         |
       3 | service: {}
         | ^
        hint: banyan.yaml has two keys: `compose` (a list of files) and `services` (name: folder)
    ");
    stage.write("banyan.yaml", "compose: []\n");
    insta::assert_snapshot!(transcript(&stage, &["status"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/banyan.yaml: `compose` names no file
        hint: write `compose: [docker-compose.yml]`
    ");
    stage.write("banyan.yaml", "compose: [absent.yml]\n");
    insta::assert_snapshot!(transcript(&stage, &["status"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/absent.yml: compose file does not exist
    ");
    stage.write("banyan.yaml", "compose: [a.yml]\nservices: { orders: services/orders }\n");
    insta::assert_snapshot!(transcript(&stage, &["status"]), @"
    exit code 3
    ── stderr
    error[E0301]: a mistake in the configuration; nothing was changed
      [folder]/banyan.yaml: service `orders`: there is no [folder]/services/orders/compose.yaml
        hint: correct the folder, or take the service out
    ");
}

#[test]
fn names_and_ports_that_an_instance_would_share() {
    let stage = stage("shared");
    stage.write(
        "compose.yaml",
        "name: shop\nservices:\n  web:\n    image: i\n    container_name: web\n    ports: [\"127.0.0.1:8080:80\"]\n",
    );
    insta::assert_snapshot!(transcript(&stage, &["--file", "compose.yaml", "--instance", "b", "up"]), @r#"
    exit code 3
    ── stderr
    error[E0301]: mistakes in the configuration; nothing was changed
      service `web`: container_name `web` is the same in every instance
        hint: write ${COMPOSE_PROJECT_NAME} in it
      service `web`: host port 8080 is the same in every instance
        hint: write a variable: "${WEB_PORT:-8080}:80"
    "#);
}

#[test]
fn only_what_becomes_part_of_an_address_is_limited() {
    let mut stage = stage("alphabet");
    stage.set("JWT_SECRET", "c2VjcmV0/key+==").set("GRAFANA_PASSWORD", "p@ss:w/rd#");
    let text = transcript(&stage, &["up"]);
    assert!(text.starts_with("exit code 4\n"), "the next thing that is missing is the engine: {text}");
    for name in ["DATABASE_PASSWORD", "RABBITMQ_PASSWORD", "REDIS_PASSWORD"] {
        stage.set(name, "a/b");
        let text = transcript(&stage, &["up"]);
        assert!(text.starts_with("exit code 3\n") && text.contains(&format!("{name} contains `/`")), "{text}");
        stage.set(name, "a-b");
    }
}

#[test]
fn the_settings_of_an_instance_are_read_as_compose_reads_them_and_never_replaced() {
    let stage = stage("settings");
    let path = stage.write("data/stacks/b/.env", "");
    let up = || transcript(&stage, &["--instance", "b", "up"]);
    for (written, complaint) in [
        ("export GATEWAY_PORT='x1' # mine\n", "`x1` is not a port number"),
        ("GATEWAY_PORT=\"x2\"\n", "`x2` is not a port number"),
        ("GATEWAY_PORT='x3\n", "a quoted value has no end"),
    ] {
        std::fs::write(&path, written).unwrap();
        let text = up();
        assert!(text.starts_with("exit code 3\n") && text.contains(complaint), "{written}: {text}");
    }
    // also beside other files with variables
    std::fs::write(&path, "GATEWAY_PORT='x4'\n").unwrap();
    stage.write("more", "LOG_LEVEL=debug\n");
    let text = transcript(&stage, &["--instance", "b", "--env-file", "more", "up"]);
    assert!(text.contains("`x4`"), "{text}");
    let latin1 = b"# gr\xfc\xdfe\nGATEWAY_PORT=21000\n";
    std::fs::write(&path, latin1).unwrap();
    assert!(up().contains("stacks/b/.env: env file is not UTF-8 text"), "{}", up());
    assert_eq!(std::fs::read(&path).unwrap(), latin1);
}

#[test]
fn development_credentials_are_refused_where_others_could_use_them() {
    let mut production = stage("production");
    insta::assert_snapshot!(transcript(production.set("NODE_ENV", "production"), &["up"]), @"
    exit code 3
    ── stderr
    error[E0305]: the development credentials are known to everyone, and NODE_ENV is production
      still the default: DATABASE_PASSWORD
      still the default: RABBITMQ_PASSWORD
      still the default: REDIS_PASSWORD
      still the default: GRAFANA_PASSWORD
      still the default: JWT_SECRET
      hint: set them in the shell, or in [folder]/data/stacks/default/.env: DATABASE_PASSWORD=… RABBITMQ_PASSWORD=… REDIS_PASSWORD=… GRAFANA_PASSWORD=… JWT_SECRET=…
    ");
    let mut public = stage("public");
    insta::assert_snapshot!(transcript(public.set("BIND_ADDRESS", "0.0.0.0"), &["up"]), @"
    exit code 3
    ── stderr
    error[E0305]: the development credentials are known to everyone, and `postgres` publishes port 5432 beyond this machine
      still the default: DATABASE_PASSWORD
      still the default: RABBITMQ_PASSWORD
      still the default: REDIS_PASSWORD
      still the default: GRAFANA_PASSWORD
      still the default: JWT_SECRET
      hint: set them in the shell, or in [folder]/data/stacks/default/.env: DATABASE_PASSWORD=… RABBITMQ_PASSWORD=… REDIS_PASSWORD=… GRAFANA_PASSWORD=… JWT_SECRET=…
    ");
    // also when they come from a file, and when only one is left
    let one_left = stage("one-left");
    one_left.write(
        "settings",
        "NODE_ENV=production\nDATABASE_PASSWORD=a\nRABBITMQ_PASSWORD=b\nGRAFANA_PASSWORD=c\nJWT_SECRET=d\n",
    );
    let text = transcript(&one_left, &["--env-file", "settings", "up"]);
    assert!(text.starts_with("exit code 3\n"), "{text}");
    assert!(text.contains("REDIS_PASSWORD=…") && !text.contains("JWT_SECRET=…"), "{text}");
    // with all of them set, the next thing that is missing is the engine
    let mut own = stage("own");
    for name in ["DATABASE_PASSWORD", "RABBITMQ_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD", "JWT_SECRET"] {
        own.set(name, "something-else");
    }
    let text = transcript(own.set("NODE_ENV", "production"), &["up"]);
    assert!(text.starts_with("exit code 4\n"), "{text}");
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let mut stage = stage("data");
    let file = stage.write("file", "");
    stage.set("BANYAN_DATA_DIR", file.join("below").to_str().unwrap());
    insta::assert_snapshot!(transcript(&stage, &["up"]), @"
    exit code 3
    ── stderr
    error[E0303]: cannot write [folder]/file/below/stacks/default: Not a directory (os error 20)
      hint: make the folder writable, or name another one: BANYAN_DATA_DIR=/some/folder
    ");
}
