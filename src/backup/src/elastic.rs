//! Elasticsearch, by its own snapshots: its files are no backup, whether it runs or not.
//!
//! A snapshot goes into a folder of the data volume that `path.repo` allows, and from there into the file. It holds the
//! indices of the users of the cluster and its templates, not the system's own. For a restore an empty server is
//! started beside the present data, which takes the snapshot in and counts.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;
use engine::docker::process::Command;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Name of the repository and of the snapshot in it.
const REPOSITORY: &str = "banyan";
/// How long a snapshot or a restore may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// The fact of a cluster that holds its indices, as JSON.
pub const FACT_INDICES: &str = "indices";

/// What an index holds at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documents {
    /// How many.
    pub count: u64,
    /// What was ever done to them; `None` for a server that does not tell.
    pub changes: Option<u64>,
}

/// How many documents a snapshot has of an index, whoever wrote while it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// At least so many; an index with none may be missing.
    pub least: u64,
    /// At most so many.
    pub most: u64,
}

/// What a snapshot that was taken between the two holds.
pub fn bounds(before: &BTreeMap<String, Documents>, after: &BTreeMap<String, Documents>) -> Vec<Index> {
    let mut indices = Vec::new();
    for (name, first) in before {
        // one that was deleted meanwhile may be in it or not
        let Some(second) = after.get(name) else { continue };
        let changes = first.changes.zip(second.changes).and_then(|(from, to)| to.checked_sub(from));
        let (least, most) =
            changes.map_or((0, u64::MAX), |n| (first.count.saturating_sub(n), first.count.saturating_add(n)));
        indices.push(Index { name: name.clone(), least, most });
    }
    indices
}

/// What a backup says of its indices; `None` when it says nothing, or nothing that can be read.
pub fn indices(archived: &archive::Store) -> Option<Vec<Index>> {
    serde_json::from_str(archived.facts.get(FACT_INDICES)?).ok()
}

/// What is not as it must be, in words.
pub fn difference(expected: &[Index], found: &BTreeMap<String, u64>) -> Option<String> {
    expected.iter().find_map(|index| {
        let Index { name, least, most } = index;
        match found.get(name) {
            None if *least == 0 => None,
            None => Some(format!("index {name} is not there")),
            Some(is) if (*least..=*most).contains(is) => None,
            Some(is) if least == most => Some(format!("index {name}: {least} documents expected, {is} found")),
            Some(is) => Some(format!("index {name}: {least} to {most} documents expected, {is} found")),
        }
    })
}

/// A cluster that can be reached over HTTP.
pub struct Cluster {
    way: Way,
    service: String,
}

/// How it is reached.
enum Way {
    /// From here.
    Direct { http: reqwest::Client, base: String },
    /// By `curl` in its container, which may have no network.
    Within { engine: Box<Engine>, container: String },
}

impl Cluster {
    /// The cluster in this container.
    pub fn within(engine: &Engine, service: &str, container: &str) -> Self {
        let way = Way::Within { engine: Box::new(engine.clone()), container: container.to_owned() };
        Self { way, service: service.to_owned() }
    }

    /// The cluster at this address.
    pub fn at(service: &str, host: &str, port: u16) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(LIMIT).build();
        let http = http.map_err(|e| Error::Answer { doing: format!("ask {service}"), answer: e.to_string() })?;
        Ok(Self { way: Way::Direct { http, base: format!("http://{host}:{port}") }, service: service.to_owned() })
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<Value> {
        let doing = || format!("ask {} for {method} {path}", self.service);
        let (status, text) = match &self.way {
            Way::Direct { http, base } => {
                let failed = |e: reqwest::Error| Error::Answer { doing: doing(), answer: e.to_string() };
                let mut request = http.request(method.clone(), format!("{base}{path}"));
                if let Some(body) = body {
                    request = request.header("content-type", "application/json").body(body.to_string());
                }
                let answer = request.send().await.map_err(failed)?;
                (answer.status().as_u16(), answer.text().await.map_err(failed)?)
            }
            Way::Within { engine, container } => {
                let url = format!("http://127.0.0.1:9200{path}");
                let mut args = vec!["curl", "-sS", "-X", method.as_str(), "-w", "\n%{http_code}", &url];
                let body = body.map(|body| body.to_string()).unwrap_or_default();
                if !body.is_empty() {
                    args.extend(["-H", "content-type: application/json", "--data-binary", "@-"]);
                }
                let (text, ended) = engine.run(container, &Command::new(args), body.as_bytes()).await?;
                if ended.code != 0 {
                    return Err(Error::Program { doing: doing(), code: ended.code, output: ended.output });
                }
                let (text, status) = text.rsplit_once('\n').unwrap_or(("", &text));
                let status = status
                    .trim()
                    .parse()
                    .map_err(|_| Error::Answer { doing: doing(), answer: status.chars().take(300).collect() })?;
                (status, text.to_owned())
            }
        };
        if !(200..300).contains(&status) {
            let answer = format!("{status}: {}", text.chars().take(300).collect::<String>());
            return Err(Error::Answer { doing: doing(), answer });
        }
        serde_json::from_str(&text).map_err(|e| Error::Answer { doing: doing(), answer: e.to_string() })
    }

    /// Version of the server.
    pub async fn version(&self) -> Result<String> {
        let answer = self.ask(reqwest::Method::GET, "/", None).await?;
        Ok(answer["version"]["number"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes a folder known as the place of snapshots.
    pub async fn register(&self, folder: &str) -> Result<()> {
        let body = json!({ "type": "fs", "settings": { "location": folder, "compress": false } });
        self.ask(reqwest::Method::PUT, &format!("/_snapshot/{REPOSITORY}"), Some(body)).await.map(|_| ())
    }

    /// Takes a snapshot, and waits for it.
    pub async fn snapshot(&self) -> Result<()> {
        let path = format!("/_snapshot/{REPOSITORY}/backup?wait_for_completion=true");
        let answer = self.ask(reqwest::Method::PUT, &path, Some(content())).await?;
        let state = answer["snapshot"]["state"].as_str().unwrap_or("not told");
        // PARTIAL, too, is a failure: some shard is missing
        if state == "SUCCESS" {
            return Ok(());
        }
        Err(Error::Answer { doing: format!("take a snapshot of {}", self.service), answer: state.to_owned() })
    }

    /// Takes the snapshot of the repository in.
    pub async fn restore(&self) -> Result<()> {
        let path = format!("/_snapshot/{REPOSITORY}/backup/_restore?wait_for_completion=true");
        let answer = self.ask(reqwest::Method::POST, &path, Some(content())).await?;
        let shards = &answer["snapshot"]["shards"];
        if shards["failed"].as_u64() == Some(0) {
            return Ok(());
        }
        Err(Error::Answer { doing: format!("restore the snapshot of {}", self.service), answer: shards.to_string() })
    }

    /// Documents in each index that is not the system's own.
    pub async fn counts(&self) -> Result<BTreeMap<String, u64>> {
        // what was just written or restored is counted, too
        self.ask(reqwest::Method::POST, "/*,-.*/_refresh", None).await?;
        let answer = self.ask(reqwest::Method::GET, "/_cat/indices/*,-.*?format=json&h=index", None).await?;
        let mut counts = BTreeMap::new();
        for index in answer.as_array().into_iter().flatten().filter_map(|i| i["index"].as_str()) {
            let answer = self.ask(reqwest::Method::GET, &format!("/{index}/_count"), None).await?;
            counts.insert(index.to_owned(), answer["count"].as_u64().unwrap_or(0));
        }
        Ok(counts)
    }

    /// The same, with what was ever done to them.
    pub async fn documents(&self) -> Result<BTreeMap<String, Documents>> {
        let counts = self.counts().await?;
        let wanted = "indices.*.shards.*.routing.primary,indices.*.shards.*.seq_no.max_seq_no";
        let path = format!("/*,-.*/_stats?level=shards&filter_path={wanted}");
        let answer = self.ask(reqwest::Method::GET, &path, None).await?;
        let of = |(name, count): (String, u64)| {
            let shards = answer["indices"][&name]["shards"].as_object().into_iter().flat_map(|s| s.values());
            let primaries = shards.filter_map(Value::as_array).flatten().filter(|s| s["routing"]["primary"] == true);
            // the numbers begin at 0, and -1 is none
            let changes = primaries.map(|s| s["seq_no"]["max_seq_no"].as_i64()?.checked_add(1)?.try_into().ok());
            let changes = changes.collect::<Option<Vec<u64>>>().filter(|all| !all.is_empty());
            (name, Documents { count, changes: changes.map(|all| all.iter().sum()) })
        };
        Ok(counts.into_iter().map(of).collect())
    }

    /// Deletes the snapshot and forgets the place; one that is not there is no error.
    pub async fn forget(&self) {
        let _ = self.ask(reqwest::Method::DELETE, &format!("/_snapshot/{REPOSITORY}/backup"), None).await;
        let _ = self.ask(reqwest::Method::DELETE, &format!("/_snapshot/{REPOSITORY}"), None).await;
    }
}

/// What a snapshot holds, and what is restored of it.
fn content() -> Value {
    json!({ "indices": "*,-.*", "include_global_state": true, "feature_states": ["none"] })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers as Elasticsearch does, and writes down what it is asked.
    async fn stub(state: &'static str) -> (Cluster, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let seen = seen.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    loop {
                        let mut part = [0; 4096];
                        let read = stream.read(&mut part).await.unwrap();
                        request.extend_from_slice(&part[..read]);
                        let text = String::from_utf8_lossy(&request);
                        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                        let length =
                            head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                        if body.len() >= length.unwrap_or(0) {
                            break;
                        }
                    }
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let line = text.lines().next().unwrap().rsplit_once(' ').unwrap().0.to_owned();
                    let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
                    let answer = match line.as_str() {
                        "GET /" => r#"{"version":{"number":"8.11.0"}}"#.to_owned(),
                        l if l.contains("_restore") => {
                            r#"{"snapshot":{"shards":{"total":1,"failed":0,"successful":1}}}"#.to_owned()
                        }
                        l if l.starts_with("PUT /_snapshot/banyan/backup") => {
                            format!(r#"{{"snapshot":{{"state":"{state}"}}}}"#)
                        }
                        l if l.contains("/_stats") => r#"{"indices":{"jaeger-span-2030-01-01":{"shards":{
                            "0":[{"routing":{"primary":true},"seq_no":{"max_seq_no":39}},{"routing":{"primary":false},"seq_no":{"max_seq_no":39}}],
                            "1":[{"routing":{"primary":true},"seq_no":{"max_seq_no":9}}]}}}}"#
                            .to_owned(),
                        l if l.contains("_cat/indices") => r#"[{"index":"jaeger-span-2030-01-01"}]"#.to_owned(),
                        l if l.ends_with("_count") => r#"{"count":42}"#.to_owned(),
                        _ => r#"{"acknowledged":true}"#.to_owned(),
                    };
                    seen.lock().unwrap().push(if body.is_empty() { line } else { format!("{line} {body}") });
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                        answer.len()
                    );
                    stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
                });
            }
        });
        (Cluster::at("elasticsearch", "127.0.0.1", port).unwrap(), asked)
    }

    #[tokio::test]
    async fn the_conversation_is_the_documented_one() {
        let (cluster, asked) = stub("SUCCESS").await;
        assert_eq!(cluster.version().await.unwrap(), "8.11.0");
        cluster.register("/data/backups/banyan").await.unwrap();
        cluster.snapshot().await.unwrap();
        assert_eq!(cluster.counts().await.unwrap(), BTreeMap::from([("jaeger-span-2030-01-01".to_owned(), 42)]));
        cluster.restore().await.unwrap();
        cluster.forget().await;
        let content = r#"{"indices":"*,-.*","include_global_state":true,"feature_states":["none"]}"#;
        assert_eq!(
            *asked.lock().unwrap(),
            [
                "GET /".to_owned(),
                r#"PUT /_snapshot/banyan {"type":"fs","settings":{"location":"/data/backups/banyan","compress":false}}"#.to_owned(),
                format!("PUT /_snapshot/banyan/backup?wait_for_completion=true {content}"),
                "POST /*,-.*/_refresh".to_owned(),
                "GET /_cat/indices/*,-.*?format=json&h=index".to_owned(),
                "GET /jaeger-span-2030-01-01/_count".to_owned(),
                format!("POST /_snapshot/banyan/backup/_restore?wait_for_completion=true {content}"),
                "DELETE /_snapshot/banyan/backup".to_owned(),
                "DELETE /_snapshot/banyan".to_owned(),
            ]
        );
    }

    #[tokio::test]
    async fn changes_are_those_of_all_primaries() {
        let (cluster, _) = stub("SUCCESS").await;
        let documents = cluster.documents().await.unwrap();
        let expected = Documents { count: 42, changes: Some(50) };
        assert_eq!(documents, BTreeMap::from([("jaeger-span-2030-01-01".to_owned(), expected)]));
    }

    #[test]
    fn a_snapshot_lies_between_two_counts() {
        let at = |count, changes| BTreeMap::from([("i".to_owned(), Documents { count, changes })]);
        let index = |least, most| vec![Index { name: "i".to_owned(), least, most }];
        assert_eq!(bounds(&at(42, Some(50)), &at(42, Some(50))), index(42, 42));
        assert_eq!(bounds(&at(42, Some(50)), &at(44, Some(52))), index(40, 44));
        assert_eq!(bounds(&at(42, None), &at(44, Some(52))), index(0, u64::MAX));
        assert_eq!(bounds(&at(1, Some(1)), &BTreeMap::new()), []);
        let found = |count| BTreeMap::from([("i".to_owned(), count), ("another".to_owned(), 1)]);
        assert_eq!(difference(&index(40, 44), &found(44)), None);
        assert_eq!(difference(&index(0, 4), &BTreeMap::new()), None);
        let told = difference(&index(40, 44), &found(45));
        assert_eq!(told.as_deref(), Some("index i: 40 to 44 documents expected, 45 found"));
        let told = difference(&index(42, 42), &BTreeMap::new());
        assert_eq!(told.as_deref(), Some("index i is not there"));
    }

    #[tokio::test]
    async fn half_a_snapshot_is_none() {
        let (cluster, _) = stub("PARTIAL").await;
        let error = cluster.snapshot().await.unwrap_err().to_string();
        assert!(error.contains("PARTIAL"), "{error}");
    }
}
