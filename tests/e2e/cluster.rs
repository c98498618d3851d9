//! What of PostgreSQL lies around the tables comes back with them: roles and rights, how databases were made, settings.

use super::Small;
use crate::support::free_port;

impl Small {
    /// A database server with this password.
    fn server(mut self, password: &str) -> Self {
        let port = free_port();
        self.text.push_str(&format!(
            "  db:
    image: banyan-local/postgres
    ports: [\"127.0.0.1:{port}:5432\"]
    environment: {{ POSTGRES_USER: boss, POSTGRES_PASSWORD: {password}, POSTGRES_DB: main }}
    volumes: [data:/var/lib/postgresql/data]
    x-banyan:
      recipe: postgres
      ready: {{ protocol: sql, port: 5432, user: boss, password: {password}, database: main }}
"
        ));
        self.rest("volumes: {data: {}}\n")
    }

    #[track_caller]
    fn ask(&self, database: &str, statements: &str) -> String {
        let psql = ["psql", "-U", "boss", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database];
        self.stage.docker(&[&["exec", &self.container("db")], &psql[..], &["-c", statements]].concat())
    }
}

/// Longer than the name of a file in a backup may be.
const LONG: &str = "größe und länge übermäßig öde äöüäöüäöü";

/// What can be told of a server in one text.
const EVERYTHING: &str = r#"
SELECT 'database', datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
    shobj_description(oid, 'pg_database'), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)
    FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 2;
SELECT 'role', rolname, rolsuper, rolcanlogin, rolvaliduntil, rolconnlimit, rolpassword, shobj_description(oid, 'pg_authid')
    FROM pg_authid WHERE rolname NOT LIKE 'pg\_%' AND rolname <> 'boss' ORDER BY 2;
SELECT 'member', pg_get_userbyid(roleid), pg_get_userbyid(member), admin_option FROM pg_auth_members
    WHERE pg_get_userbyid(roleid) NOT LIKE 'pg\_%' ORDER BY 2, 3;
SELECT 'setting', coalesce(datname, ''), coalesce(pg_get_userbyid(nullif(setrole, 0)), ''), setconfig
    FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = setdatabase ORDER BY 2, 3;
SELECT 'file', name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf' ORDER BY 2;
SELECT 'access', type, database, user_name, auth_method FROM pg_hba_file_rules ORDER BY line_number;
SELECT 'last', (SELECT last_value FROM numbers), 'large', convert_from(lo_get(4711), 'UTF8'), 'owner', tableowner, 'acl', relacl
    FROM pg_tables JOIN pg_class ON relname = tablename WHERE tablename = 'things';
SELECT 'view', pg_get_viewdef('chosen'), 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal;
"#;

#[test]
fn a_server_comes_back_with_all_that_is_around_its_tables() {
    let small = Small::new("cluster").server("first");
    small.ok(&["up"]);
    small.ask(
        "main",
        r#"CREATE ROLE "DOMAIN\group"; COMMENT ON ROLE "DOMAIN\group" IS E'it''s a \\';
        CREATE ROLE reader LOGIN PASSWORD 'r''d' CONNECTION LIMIT 7 VALID UNTIL '2099-01-01' IN ROLE "DOMAIN\group";
        GRANT "DOMAIN\group" TO boss WITH ADMIN OPTION;
        ALTER ROLE reader SET work_mem = '5MB'; ALTER ROLE reader IN DATABASE main SET search_path = things, "odd, name";
        ALTER DATABASE main SET app.note = E'a \\ b'; COMMENT ON DATABASE main IS E'two\nlines';
        ALTER DATABASE main CONNECTION LIMIT 50; GRANT CONNECT ON DATABASE main TO reader WITH GRANT OPTION;
        CREATE SEQUENCE numbers START 41; SELECT nextval('numbers');
        SELECT lo_from_bytea(4711, 'a large object');
        CREATE TABLE things (id int PRIMARY KEY, word text); ALTER TABLE things OWNER TO reader; GRANT SELECT ON things TO "DOMAIN\group";
        CREATE VIEW chosen AS SELECT word FROM things WHERE id > 1;
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$;
        CREATE TRIGGER touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch();
        INSERT INTO things SELECT n, 'w' || n FROM generate_series(1, 1000) n;"#,
    );
    small.ask(
        "main",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER reader",
    );
    small.ask("main", &format!("CREATE DATABASE \"{LONG}\""));
    small.ask("latin", "CREATE TABLE words AS SELECT 'Größe' AS word");
    small.ask(LONG, "CREATE TABLE words AS SELECT 'x' AS word");
    // a session that waits for a dump must not be ended by it
    for setting in ["work_mem = '9MB'", "idle_in_transaction_session_timeout = '200ms'", "statement_timeout = '20s'"] {
        small.ask("main", &format!("ALTER SYSTEM SET {setting}"));
    }
    let access = "echo 'host main reader 10.9.8.0/24 reject' >> /var/lib/postgresql/data/pg_hba.conf";
    small.stage.docker(&["exec", &small.container("db"), "sh", "-c", access]);
    small.ask("main", "SELECT pg_reload_conf()");
    let before = small.ask("main", EVERYTHING);
    small.ok(&["backup", "--to", "all.banyan"]);
    small.ok(&["down", "-v", "--no-snapshot"]);

    // into a new cluster, whose services log in with another password
    let text = std::fs::read_to_string(small.stage.folder().join("compose.yaml")).unwrap();
    small.stage.write("compose.yaml", &text.replace("first", "second"));
    small.ok(&["restore", "all.banyan", "--yes"]);
    let after = small.ask("main", EVERYTHING);
    assert_eq!(after, before);
    assert_eq!(small.ask("latin", "SELECT word FROM words"), "Größe");
    assert_eq!(small.ask(LONG, "SELECT word FROM words"), "x");
    let login = |password: &str| {
        let name = small.container("db");
        let line = format!("PGPASSWORD={password} psql -h \"$(hostname -i)\" -U boss main -c 'SELECT 1'");
        small.stage.sh(&format!("docker exec {name} sh -c {}", quoted(&line))).code == 0
    };
    assert_eq!((login("second"), login("first")), (true, false));
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}
