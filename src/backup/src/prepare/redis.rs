//! Redis: the new data lies where the live server will look for it, whatever its settings call that place.

use engine::docker::process::Command;

use super::{Target, Work};
use crate::error::{Error, Result};
use crate::files::Files;
use crate::live::AtLeast;
use crate::rdb::{self, Places, checked_name};
use crate::scratch::{ASIDE, Scratch, Settings};
use crate::store::Store;

/// Options of a server that must not meet anybody, nor save by itself. The last one counts, so they come last.
const ALONE: [&str; 8] = ["--bind", "127.0.0.1", "--port", "6379", "--protected-mode", "no", "--save", ""];

impl Work<'_> {
    pub(super) async fn redis(&self, target: &Target, files: &Files) -> Result<AtLeast> {
        let store = &target.store;
        let places = self.places(store).await?;
        let inner = places.within(store)?;
        let folder = format!("{}{inner}", store.new_folder());
        files.make_folder(&folder).await?;
        self.unpack_into(target, files, "dump.tar", &folder).await?;
        let file = target.archived.facts.get("file").map_or("dump.rdb", String::as_str);
        let file = checked_name(file).map_err(|why| Error::Hostile { member: "manifest.json".to_owned(), why })?;
        if file != places.file {
            files.rename(&format!("{folder}/{file}"), &format!("{folder}/{}", places.file)).await?;
        }
        let (scratch, server) = self.on_new(store, inner, &places.file, "no").await?;
        let found = server.loaded().await?;
        if let Some(expected) = target.archived.counts.get("keys").filter(|keys| **keys != found) {
            let difference = format!("{expected} keys expected, {found} found");
            return Err(Error::Different { store: store.name.clone(), difference });
        }
        server.append_only().await?;
        let (keys, expiring) = server.keys().await?;
        scratch.stop().await?;
        Ok(AtLeast([("keys".to_owned(), keys.saturating_sub(expiring))].into()))
    }

    /// The same for a volume as it was: what its server would have read is read, and both forms are written of it.
    pub(super) async fn cold_redis(&self, store: &Store, files: &Files) -> Result<AtLeast> {
        let places = self.places(store).await?;
        let inner = places.within(store)?;
        let appends = places.append_files.iter().map(|file| format!("{}{inner}/{file}", store.new_folder()));
        let appendonly = if files.exists(&appends.collect::<Vec<_>>()).await? { "yes" } else { "no" };
        let (scratch, server) = self.on_new(store, inner, &places.file, appendonly).await?;
        server.append_only().await?;
        server.save().await?;
        let (keys, expiring) = server.keys().await?;
        scratch.stop().await?;
        Ok(AtLeast([("keys".to_owned(), keys.saturating_sub(expiring))].into()))
    }

    /// Where the server of this store has its files: it is asked, or where it does not run another one in its clothes.
    async fn places(&self, store: &Store) -> Result<Places> {
        let (container, service) = (store.container.clone(), store.name.clone());
        if self.engine.inspect(&container).await?.running {
            let password = store.ready.as_ref().and_then(|r| r.password.clone());
            let live = rdb::Server { engine: self.engine, container, service, password };
            // one that is too broken to answer is asked in the other way
            if let Ok(places) = live.places().await {
                return Ok(places);
            }
        }
        // where its data is not
        if let Ok((scratch, server)) = self.server(store, true, &["--appendonly", "no"]).await {
            let places = server.places().await?;
            scratch.stop().await?;
            return Ok(places);
        }
        // it needs what is in the volume: with its own folder but without its data, and the other way round
        let (first, server) =
            self.server(store, false, &["--dbfilename", ".banyan-none", "--appendonly", "no"]).await?;
        let folder = server.places().await?.folder;
        first.stop().await?;
        let (second, server) = self.server(store, true, &["--dir", "/", "--appendonly", "no"]).await?;
        let places = server.places().await?;
        second.stop().await?;
        Ok(Places { folder, ..places })
    }

    /// A server on the new data.
    async fn on_new<'s>(
        &'s self,
        store: &Store,
        inner: &str,
        file: &str,
        appendonly: &str,
    ) -> Result<(Scratch<'s>, rdb::Server<'s>)> {
        let folder = format!("{ASIDE}/.banyan-new{inner}");
        let options = ["--dir", &folder, "--dbfilename", file, "--appendonly", appendonly];
        let (scratch, server) = self.server(store, true, &options).await?;
        let places = server.places().await?;
        if places.folder != folder {
            let doing = format!("start a server on the restored data of {}", store.name);
            return Err(Error::Answer {
                doing,
                answer: format!("it takes no options, and looks into {}", places.folder),
            });
        }
        Ok((scratch, server))
    }

    /// A server with the store's own command line and these options.
    async fn server<'s>(
        &'s self,
        store: &Store,
        aside: bool,
        options: &[&str],
    ) -> Result<(Scratch<'s>, rdb::Server<'s>)> {
        let detail = self.engine.inspect(&store.container).await?;
        let line = own_line(&detail.command);
        let option = line.iter().position(|word| word == "--requirepass").and_then(|at| line.get(at + 1)).cloned();
        let password = option.or_else(|| store.ready.as_ref().and_then(|r| r.password.clone()));
        let more = options.iter().chain(&ALONE).map(|word| (*word).to_owned());
        let command = Some(line.into_iter().chain(more).collect());
        let settings = Settings { command, aside, ..Settings::default() };
        let scratch = Scratch::start(self.engine, self.project, store, settings).await?;
        let mut ping = Command::shell("redis-cli -h 127.0.0.1 ping | grep -qx PONG");
        if let Some(password) = &password {
            ping = ping.env("REDISCLI_AUTH", password);
        }
        scratch.until(&ping).await?;
        let (container, service) = (scratch.name.clone(), store.name.clone());
        Ok((scratch, rdb::Server { engine: self.engine, container, service, password }))
    }
}

/// The command line of a container as far as options can be added to it.
fn own_line(command: &[String]) -> Vec<String> {
    let first = command.first().map_or("", String::as_str);
    let is_server = first.rsplit('/').next().is_some_and(|name| name.ends_with("-server"));
    if is_server || first.starts_with('-') || first.ends_with(".conf") {
        return command.to_vec();
    }
    vec!["redis-server".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::own_line;

    #[test]
    fn options_are_added_to_what_takes_options() {
        let line = |words: &[&str]| own_line(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).join(" ");
        assert_eq!(line(&["redis-server", "--appendonly", "yes"]), "redis-server --appendonly yes");
        assert_eq!(line(&["/etc/redis.conf", "--port", "1"]), "/etc/redis.conf --port 1");
        assert_eq!(line(&["--appendonly", "yes"]), "--appendonly yes");
        assert_eq!(line(&["sh", "-c", "exec redis-server"]), "redis-server");
        assert_eq!(line(&[]), "redis-server");
    }
}
