//! `banyan logs`: what the services write, oldest first.

mod pieces;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compose::observed::Container;
use engine::Engine;
use engine::docker::Error;
use engine::docker::logs::{LogChunk, LogRequest};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::check_names;
use crate::args::LogsArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::identity::{Identity, identify};
use crate::project::Loaded;
use pieces::Pieces;

/// One line of one container.
struct Line {
    service: String,
    is_error: bool,
    /// The engine's time of the line, RFC 3339.
    time: String,
    text: String,
}

/// Shows what was written, and with `--follow` what is.
pub async fn run(context: &Context, args: LogsArgs) -> Result<u8, Failure> {
    let Identity { name, loaded } = identify(context).await?;
    let engine = context.engine().await?;
    let containers = engine.containers(&name).await?;
    if containers.is_empty() {
        return Err(Failure::new(Exit::NotRunning, 1, format!("nothing of project {name} is there"))
            .hint(format!("bring it up: {}", context.pasteable(&["up"]))));
    }
    let known: Vec<&str> = containers.iter().map(Container::service).collect();
    if let Some(Loaded { project, .. }) = loaded {
        let declared = |name: &&String| project.services.contains_key(*name) && !known.contains(&name.as_str());
        if let Some(absent) = args.services.iter().find(declared) {
            return Err(Failure::new(Exit::NotRunning, 2, format!("service `{absent}` has no container"))
                .hint(format!("bring it up: {}", context.pasteable(&["up", absent]))));
        }
    }
    check_names(&args.services, &known)?;
    let chosen: Vec<Container> = containers
        .iter()
        .filter(|c| args.services.is_empty() || args.services.iter().any(|s| s == c.service()))
        .cloned()
        .collect();
    let since = args.since.map(seconds_before_now);
    let width = chosen.iter().map(|c| c.service().len()).max().unwrap_or(0);

    let (sender, mut lines) = mpsc::channel(256);
    for container in chosen {
        let request = LogRequest { follow: args.follow, tail: args.tail, since, timestamps: true };
        tokio::spawn(read(engine.clone(), name.clone(), container, request, sender.clone()));
    }
    drop(sender);
    let (mut all, mut unreadable) = (Vec::new(), None);
    loop {
        let next = tokio::select! {
            next = lines.recv() => next,
            () = context.cancel.cancelled() => return Ok(Exit::Interrupted as u8),
            () = context.reader_gone.cancelled() => return Ok(0),
        };
        match next {
            Some(Ok(line)) if args.follow => print(context, &args, width, &line),
            Some(Ok(line)) => all.push(line),
            // the others go on, and the command fails at its end
            Some(Err(error)) => {
                context.note(&format!("warning: {error}"));
                unreadable.get_or_insert(error);
            }
            None => break,
        }
    }
    all.sort_by(|a, b| a.time.cmp(&b.time));
    all.iter().for_each(|line| print(context, &args, width, line));
    unreadable.map_or(Ok(0), |error| Err(error.into()))
}

/// Sends the lines of a container; when followed, also those after a restart.
async fn read(
    engine: Engine,
    project: String,
    container: Container,
    mut request: LogRequest,
    out: mpsc::Sender<Result<Line, Error>>,
) {
    let events = engine.events(&project);
    loop {
        let mut news = events.subscribe();
        let mut stream = std::pin::pin!(engine.logs(&container.name, &request));
        let mut pieces = [Pieces::default(), Pieces::default()];
        while let Some(chunk) = stream.next().await {
            let LogChunk { is_error, bytes } = match chunk {
                Ok(chunk) => chunk,
                // whoever follows waits for the next container of that name
                Err(error) if request.follow && error.is_not_found() => break,
                Err(error) => {
                    let _ = out.send(Err(error)).await;
                    return;
                }
            };
            for line in pieces[usize::from(is_error)].add(&bytes) {
                if out.send(Ok(line_of(&container, is_error, &line))).await.is_err() {
                    return;
                }
            }
        }
        for (i, rest) in pieces.iter_mut().enumerate() {
            if let Some(line) = rest.end() {
                let _ = out.send(Ok(line_of(&container, i == 1, &line))).await;
            }
        }
        if !request.follow {
            return;
        }
        // the container ended: go on where it is started again
        request.since = Some(seconds_before_now(Duration::ZERO));
        request.tail = None;
        while let Ok(event) = news.recv().await {
            if event.container == container.name && event.action == "start" {
                break;
            }
        }
    }
}

fn line_of(container: &Container, is_error: bool, line: &str) -> Line {
    let (time, text) = line.split_once(' ').unwrap_or(("", line));
    Line { service: container.service().to_owned(), is_error, time: time.to_owned(), text: text.to_owned() }
}

fn print(context: &Context, args: &LogsArgs, width: usize, line: &Line) {
    if context.json() {
        let stream = if line.is_error { "stderr" } else { "stdout" };
        let object = serde_json::json!({ "schema_version": 1, "service": line.service, "stream": stream, "time": line.time, "line": line.text });
        context.print(&object.to_string());
        return;
    }
    let time = if args.timestamps { format!("{} ", line.time) } else { String::new() };
    context.print(&format!("{:width$} | {time}{}", line.service, line.text));
}

fn seconds_before_now(ago: Duration) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.saturating_sub(ago).as_secs()).unwrap_or(0)
}
