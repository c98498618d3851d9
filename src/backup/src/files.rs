//! File work in the volumes of a store: a container of the store's own image that does nothing by itself.
//!
//! Restored data is prepared in `.banyan-new` of the volume. The swap moves everything else into `.banyan-old` and the
//! new data up, entry by entry; a file says how far that is, and is replaced by a rename before each part:
//!
//! | state | the volume's folder holds | to undo |
//! |---|---|---|
//! | `prepared` | the old data | delete `.banyan-new` |
//! | `out` | a part of the old data; the rest is in `.banyan-old` | move that back |
//! | `in` | a part of the new data, nothing of the old | move it to `.banyan-new`, then as `out` |
//!
//! Each of these can be repeated after an interruption at any point. The swaps of several stores become one through the
//! first store's file: when that says `done`, the old data goes everywhere; until then everything can be undone.

use std::collections::BTreeMap;

use engine::Engine;
use engine::docker::helpers::Helper;
use engine::docker::process::Command;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::window::labels;

/// Label: the service whose data it works on.
pub const LABEL_SERVICE: &str = "dev.banyan.work.service";
/// Label: where the volume is mounted.
pub const LABEL_PATH: &str = "dev.banyan.work.path";
/// Label: the container of the store.
pub const LABEL_STORE: &str = "dev.banyan.work.store";
/// Label: the service whose volume holds the word that counts for all.
pub const LABEL_FIRST: &str = "dev.banyan.work.first";
/// Label: the containers to start again at the end.
pub const LABEL_RAN: &str = "dev.banyan.work.ran";

/// Sleeps until it is told to end.
const IDLE: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/// Functions of all scripts. `$1` is the folder of the volume.
const FUNCTIONS: &str = r#"
set -eu
cd "$1"
say() { printf '%s\n' "$1" > .banyan-state.new; sync; mv -f .banyan-state.new .banyan-state; sync; }
state() { if [ -e .banyan-state ]; then cat .banyan-state; else echo none; fi; }
# every entry of folder $1 that is not ours goes into folder $2
all_to() {
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
        case ${entry##*/} in .banyan-new|.banyan-old|.banyan-state|.banyan-state.new) continue ;; esac
        mv "$entry" "$2"/
    done
}
clear_up() { rm -rf .banyan-new .banyan-old .banyan-state.new; sync; rm -f .banyan-state; }
"#;

const BEGIN: &str = r#"
[ "$(state)" = none ] || { echo "an earlier restore has left its state: $(state)" >&2; exit 1; }
rm -rf .banyan-new .banyan-old
say prepared
mkdir -p .banyan-new
"#;

const SWAP: &str = r#"
[ "$(state)" = prepared ] || { echo "not prepared: $(state)" >&2; exit 1; }
mkdir -p .banyan-old
say out
all_to . .banyan-old
say in
all_to .banyan-new .
sync
"#;

const UNDO: &str = r#"
if [ "$(state)" = in ]; then mkdir -p .banyan-new; all_to . .banyan-new; say out; fi
if [ "$(state)" = out ]; then mkdir -p .banyan-old; all_to .banyan-old .; say prepared; fi
clear_up
"#;

const DONE: &str = "say done\n";

/// The old data goes; the state last.
const FINISH: &str = "clear_up\n";

const STATE: &str = "state\n";

/// How far the swap in a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is going on there.
    None,
    /// New data is being prepared, or is; the old one is in place.
    Prepared,
    /// In the middle of the swap, or after it.
    Swapping,
    /// Swapped, proved, and so in all volumes of this restore.
    Done,
}

/// The file work in one store's volume.
#[derive(Debug, Clone)]
pub struct Files {
    engine: Engine,
    /// The container that does it.
    pub name: String,
    /// The service.
    pub service: String,
    path: String,
}

impl Files {
    /// Makes the container and starts it. `first` and `ran` are for whoever finds it after a crash.
    pub async fn start(engine: &Engine, project: &str, store: &Store, first: &str, ran: &[String]) -> Result<Self> {
        let name = format!("{project}-banyan-{}-files", store.name);
        let found_later = [
            (LABEL_SERVICE, store.name.clone()),
            (LABEL_PATH, store.path.clone()),
            (LABEL_STORE, store.container.clone()),
            (LABEL_FIRST, first.to_owned()),
            (LABEL_RAN, ran.join(",")),
        ];
        let more = found_later.map(|(label, value)| (label.to_owned(), value)).into();
        Self::make(engine, project, store, "files", name, more).await
    }

    /// The same for another kind of work.
    pub(crate) async fn make(
        engine: &Engine,
        project: &str,
        store: &Store,
        part: &str,
        name: String,
        more: BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut labels = labels(project, part);
        labels.extend(more);
        let helper = Helper {
            name: name.clone(),
            labels,
            entrypoint: Some(["/bin/sh", "-c", IDLE].map(str::to_owned).to_vec()),
            volumes: vec![(store.volume.clone(), store.path.clone())],
            ..Helper::default()
        };
        engine.create_helper(&store.container, &helper).await?;
        engine.start_container(&name).await?;
        Ok(Self { engine: engine.clone(), name, service: store.name.clone(), path: store.path.clone() })
    }

    /// One that was found.
    pub async fn found(engine: &Engine, name: &str, service: &str, path: &str) -> Result<Self> {
        engine.start_container(name).await?;
        Ok(Self { engine: engine.clone(), name: name.to_owned(), service: service.to_owned(), path: path.to_owned() })
    }

    /// An empty folder for the new data.
    pub async fn begin(&self) -> Result<()> {
        self.script("make room for the restored data", BEGIN).await.map(|_| ())
    }

    /// The new data takes the place of the old one, which is kept. Nobody may use the volume.
    pub async fn swap(&self) -> Result<()> {
        self.script("put the restored data into place", SWAP).await.map(|_| ())
    }

    /// The old data is where it was, and nothing is left of the new one.
    pub async fn undo(&self) -> Result<()> {
        self.script("put the old data back into place", UNDO).await.map(|_| ())
    }

    /// From here on there is no way back, in none of the volumes.
    pub async fn done(&self) -> Result<()> {
        self.script("note that the restore is done", DONE).await.map(|_| ())
    }

    /// Deletes the old data.
    pub async fn finish(&self) -> Result<()> {
        self.script("delete the replaced data", FINISH).await.map(|_| ())
    }

    /// How far it is.
    pub async fn state(&self) -> Result<State> {
        let text = self.script("read the state of a restore", STATE).await?;
        match text.trim() {
            "none" => Ok(State::None),
            "prepared" => Ok(State::Prepared),
            "out" | "in" => Ok(State::Swapping),
            "done" => Ok(State::Done),
            other => Err(Error::Answer {
                doing: format!("read the state of a restore of {}", self.service),
                answer: other.to_owned(),
            }),
        }
    }

    /// Removes the container.
    pub async fn remove(self) -> Result<()> {
        Ok(self.engine.remove_helper(&self.name).await?)
    }

    async fn script(&self, doing: &str, script: &str) -> Result<String> {
        let text = format!("{FUNCTIONS}{script}");
        let command = Command::new(["/bin/sh", "-c", &text, "banyan", &self.path]).user("0");
        let (text, ended) = self.engine.run(&self.name, &command, b"").await?;
        if ended.code == 0 {
            return Ok(text);
        }
        let doing = format!("{doing} of {}", self.service);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }
}

#[cfg(test)]
mod tests;
