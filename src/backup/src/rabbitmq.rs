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
//! What it takes: a node of the same version and of the same name. Messages that were published without persistence are
//! not kept, as in any restart of a broker.
//!
//! A frozen node answers nothing, so its messages are counted before and after. Who is no part of the project may publish
//! and acknowledge all the while; the node's own running numbers tell how much of that there can have been, and so how
//! many messages of each queue must be in the copy.

mod questions;

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;
use engine::docker::process::{Command, Input, Output, Process};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use questions::{COUNT, DEFINED, EMPTY, END, EXPIRED, WRITTEN, defined, tally};

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

/// A question that the node answers twice, each time at the moment when it is told to: starting the program that asks
/// takes longer than the window may last.
pub struct Armed {
    input: Input,
    output: Output,
    lines: Vec<u8>,
}

/// Messages in each durable queue, by virtual host and name: `/ orders`.
pub type Counts = BTreeMap<String, u64>;

/// What a node said of its durable queues, by virtual host and name.
pub type Tally = BTreeMap<(String, String), Counted>;

/// What it said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Messages, those that are being worked on with them.
    pub messages: u64,
    /// Those of them that survive an end of the node.
    pub persistent: u64,
    /// A number that grows by at least one with every message that comes in.
    pub flow: Option<u64>,
    /// True when messages, or the queue, go away by themselves.
    pub expires: bool,
    /// True when the queue itself does: it is no part of what is defined in the node.
    pub goes: bool,
}

/// What a node said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its durable queues.
    pub queues: Tally,
    /// A digest of all that is defined in it; `None` when it cannot tell.
    pub defined: Option<String>,
}

/// The fact of a broker that holds its queues, as JSON.
pub const FACT_QUEUES: &str = "queues";

/// The fact of a broker that holds the digest of what is defined in it.
pub const FACT_DEFINED: &str = "definitions";

/// What a copy must hold of a queue, whoever published and acknowledged while it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its virtual host.
    pub host: String,
    /// Its name.
    pub name: String,
    /// So many messages are in it at least; unless they expire, fewer are a loss.
    pub least: u64,
    /// So many are in it at most, by what the node had counted. More are none too many: an acknowledgement that was not
    /// on the disk yet brings its message back, as after any crash.
    pub most: u64,
    /// True when messages, or the queue, go away by themselves.
    pub expires: bool,
    /// True when the queue itself does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes: bool,
}

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
        // without `-q`: newer versions take one more argument for the password, and read nothing
        if self.fed(&["rabbitmqctl", "authenticate_user", user], &line).await.is_ok() {
            return Ok(());
        }
        if self.fed(&["rabbitmqctl", "change_password", user], &line).await.is_err() {
            self.fed(&["rabbitmqctl", "add_user", user], &line).await?;
            self.program(&["rabbitmqctl", "-q", "set_user_tags", user, "administrator"]).await?;
            self.program(&["rabbitmqctl", "-q", "set_permissions", user, ".*", ".*", ".*"]).await?;
        }
        Ok(())
    }

    /// Prepares two counts of all durable queues.
    pub async fn arm(&self, id: &str) -> Result<Armed> {
        // A shell that is there already makes a file for each signal: the engine takes a tenth of a second to put one in.
        // The node makes the folder, so that it can delete what is in it whoever it belongs to. The first count comes
        // before the writing: what comes in between may be in the copy or not, what was counted must be
        let folder = format!("/tmp/.banyan-{id}");
        let code = format!(
            "{COUNT} {WRITTEN} {DEFINED} P = \"{folder}\", file:make_dir(P), io:format(\"banyan armed~n\"), \
             W = fun Wait(_, 0) -> late; Wait(F, N) -> case filelib:is_file(F) of true -> ok; \
             false -> timer:sleep(5), Wait(F, N - 1) end end, \
             try ok = W(P ++ \"/1\", {rounds}), D(), C(), S(), {END}, ok = W(P ++ \"/2\", {rounds}), C(), {END} \
             after [file:delete(P ++ F) || F <- [\"/1\", \"/2\"]], file:del_dir(P) end.",
            rounds = LIMIT.as_millis() / 5
        );
        let shell = r#"exec 3<&0; { read go && : > "$1/1" && read go && : > "$1/2"; } <&3 > /dev/null 2>&1 &
                       exec rabbitmqctl -q eval "$0" < /dev/null 3<&-"#;
        let command = Command::new(["/bin/sh", "-c", shell, &code, &folder]);
        let Process { input, output } = self.engine.start(&self.container, &command).await?;
        let mut armed = Armed { input, output, lines: Vec::new() };
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
        let text = self.program(&["rabbitmqctl", "-q", "eval", &format!("{COUNT} C(), {END}.")]).await?;
        Ok(messages(&self.answer(text)?.queues))
    }

    /// True when all is defined in it that is defined in a backup, and nothing else, and neither has a message: nobody
    /// could tell the restored node from this one. Queues that go away by themselves count in neither: what a service
    /// that is gone listened to stays full for a minute.
    pub async fn equals(&self, archived: &archive::Store) -> Result<bool> {
        if queues(archived).is_none_or(|queues| queues.iter().any(|queue| queue.most > 0 && !queue.goes)) {
            return Ok(false);
        }
        let text = self.program(&["rabbitmqctl", "-q", "eval", &format!("{DEFINED} {COUNT} D(), C(), {END}.")]).await?;
        let here = self.answer(text)?;
        Ok(same(here.defined.as_ref(), archived) && here.queues.values().all(|queue| queue.messages == 0 || queue.goes))
    }

    /// True when that is still so, but for messages.
    pub async fn is_defined_as(&self, archived: &archive::Store) -> Result<bool> {
        let text = self.program(&["rabbitmqctl", "-q", "eval", &format!("{DEFINED} D().")]).await?;
        Ok(same(defined(&text).as_ref(), archived))
    }

    /// Empties all durable queues: what those said who were stopped is of a time that is over.
    pub async fn empty(&self) -> Result<()> {
        self.program(&["rabbitmqctl", "-q", "eval", EMPTY]).await.map(|_| ())
    }

    fn answer(&self, text: String) -> Result<Answer> {
        let read = tally(&text).map(|queues| Answer { queues, defined: defined(&text) });
        read.ok_or_else(|| Error::Answer { doing: format!("count the messages of {}", self.service), answer: text })
    }

    /// Messages that have expired since the node came up; `None` for a node that does not count them. To be asked after
    /// the queues have been counted.
    pub async fn expired(&self) -> Result<Option<u64>> {
        let text = self.program(&["rabbitmqctl", "-q", "eval", EXPIRED]).await?;
        let word = text.lines().find_map(|l| l.strip_prefix("banyan expired "));
        let answer =
            || Error::Answer { doing: format!("count what expired in {}", self.service), answer: text.clone() };
        match word.ok_or_else(answer)? {
            "none" => Ok(None),
            number => number.parse().map(Some).map_err(|_| answer()),
        }
    }
}

impl Armed {
    /// Gives the signal for the first count, or for the second one, and reads the answer.
    pub async fn fire(&mut self, node: &Node<'_>) -> Result<Answer> {
        self.lines.clear();
        self.input.write(b"go\n").await?;
        let text = self.until(node, "banyan end").await?;
        node.answer(text)
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

fn same(defined: Option<&String>, archived: &archive::Store) -> bool {
    defined.is_some() && defined == archived.facts.get(FACT_DEFINED)
}

/// The numbers of messages alone.
pub fn messages(tally: &Tally) -> Counts {
    tally.iter().map(|((host, name), counted)| (format!("{host} {name}"), counted.messages)).collect()
}

/// What a copy that was made between the two counts must hold.
pub fn bounds(before: &Tally, after: &Tally) -> Vec<Queue> {
    let mut queues = Vec::new();
    for ((host, name), first) in before {
        // one that was deleted meanwhile may be in the copy or not
        let Some(second) = after.get(&(host.clone(), name.clone())) else { continue };
        let came = first.flow.zip(second.flow).and_then(|(from, to)| to.checked_sub(from));
        let (least, most) = match came {
            Some(came) => {
                let went = (first.messages + came).saturating_sub(second.messages);
                (first.persistent.saturating_sub(went), first.messages + came)
            }
            None => (0, first.messages.max(second.messages)),
        };
        let (expires, goes) = (first.expires || second.expires, second.goes);
        queues.push(Queue { host: host.clone(), name: name.clone(), least, most, expires, goes });
    }
    queues
}

/// What a backup says of its queues; `None` when it says nothing, or nothing that can be read.
pub fn queues(archived: &archive::Store) -> Option<Vec<Queue>> {
    serde_json::from_str(archived.facts.get(FACT_QUEUES)?).ok()
}

/// What is missing, in words. `expired` is what the node itself has let go since it came up.
pub fn lost(expected: &[Queue], found: &Counts, expired: Option<u64>) -> Option<String> {
    let mut excused = expired.unwrap_or(0);
    for queue in expected {
        let name = format!("{} {}", queue.host, queue.name);
        let Some(found) = found.get(&name) else {
            if queue.expires {
                continue;
            }
            return Some(format!("queue {name} is not there"));
        };
        let short = queue.least.saturating_sub(*found);
        if queue.expires && expired.is_none() {
            continue;
        }
        if short > excused {
            return Some(format!("queue {name}: at least {} messages expected, {found} found", queue.least));
        }
        excused -= short;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(messages: u64, persistent: u64, flow: Option<u64>) -> Counted {
        Counted { messages, persistent, flow, expires: false, goes: false }
    }

    fn of(name: &str, one: Counted) -> Tally {
        Tally::from([(("/".to_owned(), name.to_owned()), one)])
    }

    #[test]
    fn a_copy_holds_what_cannot_have_gone() {
        let between = |first, second| {
            let queue = bounds(&of("q", first), &of("q", second)).remove(0);
            (queue.least, queue.most)
        };
        assert_eq!(between(counted(10, 8, Some(50)), counted(10, 8, Some(50))), (8, 10), "nothing happened");
        assert_eq!(between(counted(10, 10, Some(50)), counted(15, 15, Some(55))), (10, 15), "five came");
        assert_eq!(between(counted(10, 10, Some(50)), counted(7, 7, Some(50))), (7, 10), "three went");
        assert_eq!(between(counted(10, 10, Some(50)), counted(10, 10, Some(53))), (7, 13), "three came, three went");
        assert_eq!(between(counted(10, 10, None), counted(10, 10, None)), (0, 10), "nobody knows");
        assert_eq!(between(counted(10, 10, Some(50)), counted(10, 10, Some(3))), (0, 10), "it was made anew");
        assert_eq!(bounds(&of("q", counted(1, 1, Some(1))), &Tally::new()), []);
    }

    #[test]
    fn what_is_missing_is_a_loss_unless_it_expired() {
        let queue = |name: &str, least, expires| Queue {
            host: "/".to_owned(),
            name: name.to_owned(),
            least,
            most: 20,
            expires,
            goes: false,
        };
        let expected = [queue("a", 10, false), queue("b", 10, true)];
        let found = |a, b| Counts::from([("/ a".to_owned(), a), ("/ b".to_owned(), b)]);
        assert_eq!(lost(&expected, &found(10, 10), Some(0)), None);
        assert_eq!(lost(&expected, &found(25, 10), Some(0)), None, "more than expected is no loss");
        assert_eq!(
            lost(&expected, &found(9, 12), Some(0)).as_deref(),
            Some("queue / a: at least 10 messages expected, 9 found")
        );
        assert_eq!(lost(&expected, &found(9, 4), Some(7)), None);
        assert!(lost(&expected, &found(9, 4), Some(6)).is_some());
        assert_eq!(lost(&expected, &found(10, 0), None), None, "an old node does not count, and b may expire");
        assert!(lost(&expected, &found(9, 10), None).is_some());
        let only = Counts::from([("/ a".to_owned(), 10)]);
        assert_eq!(lost(&expected, &only, Some(0)), None, "b may be gone");
        assert!(lost(&expected, &Counts::from([("/ b".to_owned(), 10)]), Some(9)).is_some_and(|l| l.contains("/ a")));
    }

    #[test]
    fn the_manifest_says_what_is_known_of_queues() {
        let text =
            serde_json::json!(bounds(&of("q", counted(1, 1, Some(1))), &of("q", counted(1, 1, Some(1))))).to_string();
        assert_eq!(text, r#"[{"host":"/","name":"q","least":1,"most":1,"expires":false}]"#);
        assert!(!serde_json::from_str::<Vec<Queue>>(&text).unwrap()[0].goes, "also where nothing is said");
    }
}
