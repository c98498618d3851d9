//! RabbitMQ: the node's folder, copied while the whole node stands still.
//!
//! A broker gives its messages away only by delivering them. Consumed and put back, a message counts as delivered once
//! more: classic queues mark it as such for ever; quorum queues count it towards the delivery limit, throw it away at the
//! limit, and hand out a thousand that came back at once in another order (seen with 3.10). A consumer that is alone on a
//! queue keeps everybody else out. Published anew, a message loses its counters and the rest of its time to live. So
//! nothing is consumed. The container is frozen, its folder is copied, and it is thawed: the copy is what the disk would
//! hold if the power went at that instant, which is what the broker is made to come back from with every message that it
//! has confirmed, in order, with every property and counter. Nothing in the node changes, so an interruption at any point
//! leaves it as it was: frozen at worst, which the next command ends.
//!
//! What it takes: a node of the same version and of the same name, which are checked before a restore. Messages that
//! were published without persistence are not kept, as in any restart of a broker.

use std::collections::BTreeMap;
use std::time::Duration;

use compose::project::ConfigFile;
use engine::Engine;
use engine::docker::process::{Command, Output};

use crate::error::{Error, Result};

/// How long the node may take to answer a question; each starts an Erlang runtime.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// A node that runs in a container.
pub struct Node<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The container.
    pub container: String,
    /// The service, for messages.
    pub service: String,
}

/// A question that the node answers at the moment when it is told to: starting the program that asks takes longer than
/// the window may last.
pub struct Armed {
    output: Output,
    lines: Vec<u8>,
    signal: String,
}

/// Messages in each durable queue, by virtual host and name: `/ orders`.
pub type Counts = BTreeMap<String, u64>;

impl Node<'_> {
    /// Runs a program of the broker; its standard output.
    async fn program(&self, args: &[&str]) -> Result<String> {
        self.fed(args, "").await
    }

    /// The same with something for its standard input.
    async fn fed(&self, args: &[&str], input: &str) -> Result<String> {
        let command = Command::new(args.iter().copied());
        let asked = self.engine.run(&self.container, &command, input.as_bytes());
        let doing = || format!("run {} in {}", args.first().unwrap_or(&""), self.service);
        let Ok(asked) = tokio::time::timeout(LIMIT, asked).await else {
            return Err(Error::TimedOut { doing: doing(), seconds: LIMIT.as_secs() });
        };
        let (text, ended) = asked?;
        if ended.code == 0 {
            return Ok(text);
        }
        Err(Error::Program { doing: doing(), code: ended.code, output: format!("{} {}", ended.output, text.trim()) })
    }

    /// Name of the node, which is part of the path of its data: `rabbit@rabbitmq`.
    pub async fn name_and_version(&self) -> Result<(String, String)> {
        let code = "{ok, V} = application:get_key(rabbit, vsn), io:format(\"banyan ~s ~s~n\", [node(), V]).";
        let text = self.program(&["rabbitmqctl", "-q", "eval", code]).await?;
        let line = text.lines().find_map(|l| l.strip_prefix("banyan ")).and_then(|l| l.split_once(' '));
        line.map(|(name, version)| (name.to_owned(), version.to_owned()))
            .ok_or_else(|| Error::Answer { doing: format!("ask {} for its name", self.service), answer: text })
    }

    /// The user can log in with this password, and may do everything: made anew or changed if that is not so.
    pub async fn ensure_login(&self, user: &str, password: &str) -> Result<()> {
        let line = format!("{password}\n");
        if self.fed(&["rabbitmqctl", "-q", "authenticate_user", user], &line).await.is_ok() {
            return Ok(());
        }
        if self.fed(&["rabbitmqctl", "-q", "change_password", user], &line).await.is_err() {
            self.fed(&["rabbitmqctl", "-q", "add_user", user], &line).await?;
            self.program(&["rabbitmqctl", "-q", "set_user_tags", user, "administrator"]).await?;
            self.program(&["rabbitmqctl", "-q", "set_permissions", user, ".*", ".*", ".*"]).await?;
        }
        Ok(())
    }

    /// Asks how many messages each durable queue holds, to be answered when the window is open.
    pub async fn arm(&self, id: &str) -> Result<Armed> {
        let signal = format!("/tmp/.banyan-{id}");
        let code = format!(
            "io:format(\"banyan armed~n\"), \
             W = fun Wait(0) -> late; Wait(N) -> case filelib:is_file(\"{signal}\") of true -> ok; \
             false -> timer:sleep(5), Wait(N - 1) end end, \
             ok = W({}), file:delete(\"{signal}\"), {FLUSH} {COUNT}",
            LIMIT.as_millis() / 5
        );
        let process = self.engine.start(&self.container, &Command::new(["rabbitmqctl", "-q", "eval", &code])).await?;
        process.input.close().await;
        let mut armed = Armed { output: process.output, lines: Vec::new(), signal };
        armed.until(self, "banyan armed").await?;
        Ok(armed)
    }

    /// Messages in each durable queue, once all of them are up.
    pub async fn counts_when_up(&self) -> Result<Counts> {
        let began = tokio::time::Instant::now();
        loop {
            match self.counts().await {
                // a queue whose leader is not elected yet has no answer
                Err(Error::Program { .. }) if began.elapsed() < LIMIT => {}
                counted => return counted,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn counts(&self) -> Result<Counts> {
        let text = self.program(&["rabbitmqctl", "-q", "eval", COUNT]).await?;
        counts(&text)
            .ok_or_else(|| Error::Answer { doing: format!("count the messages of {}", self.service), answer: text })
    }
}

impl Armed {
    /// Gives the signal, and reads the answer.
    pub async fn fire(mut self, node: &Node<'_>) -> Result<Counts> {
        let signal = ConfigFile {
            source: String::new(),
            target: self.signal.clone(),
            content: String::new(),
            // the broker's user in the published images and in ours: it takes the file away again
            mode: 0o600,
            uid: 100,
            gid: 101,
        };
        node.engine.copy_files(&node.container, &[signal]).await?;
        let text = self.until(node, "banyan end").await?;
        counts(&text)
            .ok_or_else(|| Error::Answer { doing: format!("count the messages of {}", node.service), answer: text })
    }

    async fn until(&mut self, node: &Node<'_>, end: &str) -> Result<String> {
        let doing = || format!("ask {} for its queues", node.service);
        let read = async {
            loop {
                let text = String::from_utf8_lossy(&self.lines).into_owned();
                if text.lines().any(|l| l == end) {
                    return Ok(text);
                }
                match self.output.next().await? {
                    Some(bytes) => self.lines.extend_from_slice(&bytes),
                    None => return Err(Error::Answer { doing: doing(), answer: text }),
                }
            }
        };
        tokio::time::timeout(LIMIT, read)
            .await
            .unwrap_or_else(|_| Err(Error::TimedOut { doing: doing(), seconds: LIMIT.as_secs() }))
    }
}

/// Erlang, for the node: what it writes down a little later than it says so. Everything else is on disk before it is
/// confirmed.
const FLUSH: &str = "catch disk_log:sync(latest_log), [catch dets:sync(T) || T <- dets:all()],";

/// Erlang, for the node: a line for every durable queue that is not bound to one connection. Names are in hexadecimal, so
/// that no name can look like something else. What a quorum queue tells of itself is some seconds old; its log is not.
const COUNT: &str = r#"
H = fun(B) -> lists:flatten([io_lib:format("~2.16.0b", [X]) || <<X>> <= B]) end,
[begin
    I = rabbit_amqqueue:info(Q, [name, durable, exclusive, messages]),
    {resource, V, queue, N} = proplists:get_value(name, I),
    M = case amqqueue:get_type(Q) of
        rabbit_quorum_queue ->
            F = fun rabbit_fifo:query_messages_total/1,
            {ok, {_, T}, _} = ra:leader_query(amqqueue:get_pid(Q), F), T;
        _ -> proplists:get_value(messages, I)
    end,
    case {proplists:get_value(durable, I), proplists:get_value(exclusive, I)} of
        {true, E} when E =/= true -> io:format("banyan queue ~s ~s ~p~n", [H(V), H(N), M]);
        _ -> ok
    end
end || Q <- rabbit_amqqueue:list()],
io:format("banyan end~n")."#;

/// Reads what that printed; `None` when it is not whole.
fn counts(text: &str) -> Option<Counts> {
    text.lines().any(|l| l == "banyan end").then_some(())?;
    let lines = text.lines().filter_map(|l| l.strip_prefix("banyan queue "));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            // the name may be empty, and then its hexadecimal is, too
            let (host, name) = (unhex(words.next()?)?, unhex(words.next()?)?);
            Some((format!("{host} {name}"), words.next()?.parse().ok()?))
        })
        .collect()
}

fn unhex(text: &str) -> Option<String> {
    let digits = |i: usize| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_read_whatever_their_names() {
        let text = "banyan queue 2f 6f7264657273 12\nbanyan queue 2f c3a40a20 0\nbanyan end\nok\n";
        let expected = Counts::from([("/ orders".to_owned(), 12), ("/ ä\n ".to_owned(), 0)]);
        assert_eq!(counts(text), Some(expected));
        assert_eq!(counts("banyan queue 2f 6f 12\n"), None, "cut off");
        assert_eq!(counts("banyan queue 2f 6f undefined\nbanyan end\n"), None);
    }
}
