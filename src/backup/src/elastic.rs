//! Elasticsearch, by its own snapshots: its files are no backup, whether it runs or not.
//!
//! A snapshot goes into a folder of the data volume that `path.repo` allows, and from there into the file. It holds the
//! indices of the users of the cluster and its templates, not the system's own. For a restore an empty server is
//! started beside the present data, which takes the snapshot in and counts.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;
use engine::docker::process::Command;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Name of the repository and of the snapshot in it.
const REPOSITORY: &str = "banyan";
/// How long a snapshot or a restore may take.
const LIMIT: Duration = Duration::from_secs(3600);

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
    async fn half_a_snapshot_is_none() {
        let (cluster, _) = stub("PARTIAL").await;
        let error = cluster.snapshot().await.unwrap_err().to_string();
        assert!(error.contains("PARTIAL"), "{error}");
    }
}
