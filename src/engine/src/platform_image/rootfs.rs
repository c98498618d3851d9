//! The files of the platform image: the executable, what loads it, and a user to run it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

/// An unprivileged user that no distribution gives to anybody.
const USER: u32 = 65532;
/// What the C library opens when it looks a name up; it is not linked.
const NAME_SERVICES: [&str; 3] = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];
const PASSWD: &str = "root:x:0:0:root:/:/nologin\nbanyan:x:65532:65532:banyan:/tmp:/nologin\n";
const GROUP: &str = "root:x:0:\nbanyan:x:65532:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// The Dockerfile instructions of the image.
pub(super) fn changes(libraries: &[PathBuf]) -> Vec<String> {
    let mut changes =
        vec!["ENTRYPOINT [\"/banyan\"]".to_owned(), format!("USER {USER}:{USER}"), "WORKDIR /tmp".to_owned()];
    let folders: BTreeSet<_> = libraries.iter().filter_map(|path| path.parent()?.to_str()).collect();
    if !folders.is_empty() {
        // also right when this machine's loader searched in places of its own
        let folders: Vec<_> = folders.into_iter().collect();
        changes.push(format!("ENV LD_LIBRARY_PATH={}", crate::docker::images::quoted(&folders.join(":"))));
    }
    changes
}

/// All files that a dynamic executable needs to be loaded, as its own loader finds them.
pub(super) async fn libraries(interpreter: &str, executable: &Path) -> Result<Vec<PathBuf>, String> {
    // a name without a slash would be searched for among the libraries
    let executable = std::path::absolute(executable).map_err(|e| e.to_string())?;
    let mut command = tokio::process::Command::new(interpreter);
    command.arg("--list").arg(&executable).env_remove("LD_PRELOAD").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(Duration::from_secs(10), command.output()).await {
        Err(_) => return Err(format!("{interpreter} does not answer")),
        Ok(Err(e)) => return Err(format!("{interpreter}: {e}; use a static executable")),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        return Err(format!("{interpreter}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let mut files = listed(&String::from_utf8_lossy(&output.stdout))?;
    files.push(interpreter.into());
    let services: Vec<_> = files
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "libc.so.6"))
        .flat_map(|libc| NAME_SERVICES.map(|name| libc.with_file_name(name)))
        .filter(|path| path.exists())
        .collect();
    files.extend(services);
    files.sort();
    files.dedup();
    Ok(files)
}

/// The paths in the loader's list. A library under another name than its file's (musl's own) is the loader itself.
fn listed(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for line in text.lines().map(str::trim) {
        let (name, found) = line.split_once(" => ").unwrap_or(("", line));
        if found.starts_with("not found") {
            return Err(format!("{name} is not found"));
        }
        let path = found.rsplit_once(" (0x").map_or(found, |(path, _)| path);
        if path.starts_with('/') {
            files.push(PathBuf::from(path));
        }
    }
    Ok(files)
}

/// The image's files as a tar archive, written by a thread of its own while it is being read.
pub(super) fn stream(executable: File, libraries: Vec<PathBuf>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let out = BufWriter::with_capacity(128 * 1024, Chunks(sender.clone()));
        if let Err(e) = write(out, executable, &libraries) {
            let _ = sender.blocking_send(Err(e));
        }
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|chunk| (chunk, receiver)) })
}

struct Chunks(mpsc::Sender<io::Result<Bytes>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write<W: Write>(out: W, mut executable: File, libraries: &[PathBuf]) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    let mut folders = BTreeSet::from([PathBuf::from("etc")]);
    for library in libraries {
        let inside = library.strip_prefix("/").unwrap_or(library);
        folders.extend(inside.ancestors().skip(1).filter(|f| !f.as_os_str().is_empty()).map(Path::to_owned));
    }
    for folder in folders {
        entry(&mut tar, &folder, 0o755, tar::EntryType::Directory, 0, io::empty())?;
    }
    entry(&mut tar, Path::new("tmp"), 0o1777, tar::EntryType::Directory, 0, io::empty())?;
    for (path, content) in [("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/nsswitch.conf", NSSWITCH)] {
        let size = content.len() as u64;
        entry(&mut tar, Path::new(path), 0o644, tar::EntryType::Regular, size, content.as_bytes())?;
    }
    for library in libraries {
        let file = File::open(library)?;
        let size = file.metadata()?.len();
        let inside = library.strip_prefix("/").unwrap_or(library);
        entry(&mut tar, inside, 0o755, tar::EntryType::Regular, size, file.take(size))?;
    }
    executable.rewind()?;
    let size = executable.metadata()?.len();
    entry(&mut tar, Path::new("banyan"), 0o755, tar::EntryType::Regular, size, executable.take(size))?;
    tar.into_inner()?.flush()
}

fn entry<W: Write, R: Read>(
    tar: &mut tar::Builder<W>,
    path: &Path,
    mode: u32,
    kind: tar::EntryType,
    size: u64,
    content: R,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    tar.append_data(&mut header, path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_list_is_understood() {
        let text =
            "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x1)\n";
        assert_eq!(listed(text).unwrap(), [PathBuf::from("/lib/x/libc.so.6"), PathBuf::from("/lib64/ld.so.2")]);
        assert_eq!(listed("\tstatically linked\n").unwrap(), Vec::<PathBuf>::new());
        assert_eq!(listed("\tliba.so.1 => not found\n").unwrap_err(), "liba.so.1 is not found");
    }

    #[test]
    fn the_archive_has_the_executable_a_user_and_tmp() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"program").unwrap();
        let mut library = tempfile::NamedTempFile::new().unwrap();
        library.write_all(b"lib").unwrap();
        let mut bytes = Vec::new();
        write(&mut bytes, file, &[library.path().to_owned()]).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|e| {
                let e = e.unwrap();
                (e.path().unwrap().display().to_string(), e.header().mode().unwrap(), e.size())
            })
            .collect();
        for expected in [("banyan", 0o755, 7), ("tmp", 0o1777, 0), ("etc", 0o755, 0), ("etc/group", 0o644, 26)] {
            let expected = (expected.0.to_owned(), expected.1, expected.2);
            assert!(entries.contains(&expected), "{expected:?} in {entries:?}");
        }
        let inside = library.path().strip_prefix("/").unwrap().display().to_string();
        assert!(entries.contains(&(inside, 0o755, 3)), "{entries:?}");
    }

    #[test]
    fn the_search_path_is_set_for_a_dynamic_executable_only() {
        assert_eq!(changes(&[]).len(), 3);
        let dynamic = changes(&["/lib/x/a.so".into(), "/lib/x/b.so".into(), "/lib64/ld.so".into()]);
        assert_eq!(dynamic[3], "ENV LD_LIBRARY_PATH=\"/lib/x:/lib64\"");
    }
}
