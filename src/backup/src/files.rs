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
//! | `done` | the new data, which has been asked for and is right | cannot be: the old data goes |
//!
//! Each of these can be repeated after an interruption at any point. The swaps of several stores become one through the
//! first store's file: when that says `done`, the old data goes everywhere; until then everything can be undone. Which
//! stores belong together stands in `marker.rs`.

use engine::Engine;
use engine::docker::helpers::Helper;
use engine::docker::process::Command;

use crate::error::{Error, Result};
use crate::marker::Place;
use crate::store::Store;
use crate::window::labels;

/// Sleeps until it is told to end.
const IDLE: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";

/// The kind of work.
pub(crate) const PART: &str = "files";

fn idle() -> Option<Vec<String>> {
    Some(["/bin/sh", "-c", IDLE].map(str::to_owned).to_vec())
}

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
undo() {
    if [ "$(state)" = done ]; then echo "it is done, and there is no way back" >&2; exit 1; fi
    if [ "$(state)" = in ]; then mkdir -p .banyan-new; all_to . .banyan-new; say out; fi
    if [ "$(state)" = out ]; then mkdir -p .banyan-old; all_to .banyan-old .; say prepared; fi
    clear_up
}
clear_up() { rm -rf .banyan-new .banyan-old .banyan-state.new; sync; rm -f .banyan-state; }
"#;

const BEGIN: &str = r#"
[ "$(state)" = none ] || { echo "an earlier restore has left its state: $(state)" >&2; exit 1; }
rm -rf .banyan-new .banyan-old
say prepared
mkdir -p .banyan-new
# whoever owns the volume makes its files in there
if owner=$(stat -c %u:%g . 2>/dev/null); then chown "$owner" .banyan-new; chmod "$(stat -c %a .)" .banyan-new; fi
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

const UNDO: &str = "undo\n";

const DONE: &str = "say done\n";

/// The old data goes; the state last.
const FINISH: &str = "clear_up\n";

const STATE: &str = "state\n";

/// `$2` lies in `.banyan-new`.
const MAKE_FOLDER: &str = r#"
mkdir -p -- "$2"
if owner=$(stat -c %u:%g . 2>/dev/null); then chown -R "$owner" .banyan-new; fi
"#;

/// In blocks of 1024 bytes.
const ROOM: &str =
    "df -Pk . 2>/dev/null | { read -r head; read -r device all used free rest && echo \"$free\"; } || true\n";

/// Names end with a zero: a name may hold anything else.
const FOLDERS: &str = r#"
for entry in "$2"/* "$2"/.[!.]*; do
    if [ -d "$entry" ] && [ ! -L "$entry" ]; then printf '%s\0' "${entry##*/}"; fi
done
"#;

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
    pub container: String,
    /// The store.
    pub store: String,
    path: String,
}

impl Files {
    /// Makes the container, after that of the store, and starts it.
    pub async fn start(engine: &Engine, project: &str, store: &Store) -> Result<Self> {
        Self::make(engine, project, store, PART, Self::name(project, &store.name)).await
    }

    fn name(project: &str, store: &str) -> String {
        format!("{project}-banyan-{store}-files")
    }

    /// The same for another kind of work.
    pub(crate) async fn make(
        engine: &Engine,
        project: &str,
        store: &Store,
        part: &str,
        container: String,
    ) -> Result<Self> {
        let helper = Helper {
            name: container.clone(),
            labels: labels(project, part),
            entrypoint: idle(),
            volumes: vec![(store.volume.clone(), store.path.clone())],
            ..Helper::default()
        };
        engine.create_helper(&store.container, &helper).await?;
        engine.start_container(&container).await?;
        Ok(Self { engine: engine.clone(), container, store: store.name.clone(), path: store.path.clone() })
    }

    /// The same for a restore that was interrupted: all that is left of it may be its marker and the volume.
    pub async fn again(engine: &Engine, project: &str, place: &Place, image: &str) -> Result<Self> {
        let container = Self::name(project, &place.store);
        let helper = Helper {
            name: container.clone(),
            labels: labels(project, PART),
            entrypoint: idle(),
            volumes: vec![(place.volume.clone(), place.path.clone())],
            ..Helper::default()
        };
        engine.create_helper_of(image, &helper).await?;
        engine.start_container(&container).await?;
        Ok(Self { engine: engine.clone(), container, store: place.store.clone(), path: place.path.clone() })
    }

    /// An empty folder for the new data.
    pub async fn begin(&self) -> Result<()> {
        self.script("make room for the restored data", BEGIN).await.map(|_| ())
    }

    /// A folder for a part of the new data, with those on the way; it belongs to whom the volume belongs.
    pub async fn make_folder(&self, folder: &str) -> Result<()> {
        self.asked("make a folder for the restored data", MAKE_FOLDER, &[folder]).await.map(|_| ())
    }

    /// Bytes that fit into the volume; `None` when that cannot be told.
    pub async fn room(&self) -> Result<Option<u64>> {
        let text = self.asked("measure the room", ROOM, &[]).await?;
        Ok(text.trim().parse::<u64>().ok().map(|blocks| blocks.saturating_mul(1024)))
    }

    /// Gives a file of the new data another name.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.asked("rename a restored file", "mv -f -- \"$2\" \"$3\"", &[from, to]).await.map(|_| ())
    }

    /// True when one of these is there.
    pub async fn exists(&self, paths: &[String]) -> Result<bool> {
        let script = "shift; for path; do if [ -e \"$path\" ]; then echo yes; break; fi; done";
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        Ok(self.asked("look for restored files", script, &paths).await?.trim() == "yes")
    }

    /// The names of the folders in a folder.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let text = self.asked("list restored folders", FOLDERS, &[folder]).await?;
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
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
                doing: format!("read the state of a restore of {}", self.store),
                answer: other.to_owned(),
            }),
        }
    }

    /// Removes the container.
    pub async fn remove(self) -> Result<()> {
        Ok(self.engine.remove_helper(&self.container).await?)
    }

    async fn script(&self, doing: &str, script: &str) -> Result<String> {
        self.asked(doing, script, &[]).await
    }

    async fn asked(&self, doing: &str, script: &str, more: &[&str]) -> Result<String> {
        let text = format!("{FUNCTIONS}{script}");
        let args = ["/bin/sh", "-c", text.as_str(), "banyan", self.path.as_str()];
        let command = Command::new(args.iter().chain(more).copied()).user("0");
        let (text, ended) = self.engine.run(&self.container, &command, b"").await?;
        if ended.code == 0 {
            return Ok(text);
        }
        let doing = format!("{doing} of {}", self.store);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }
}

#[cfg(test)]
mod tests;
