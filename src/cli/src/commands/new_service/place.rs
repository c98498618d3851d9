//! Folders of files on disk: put there whole or not at all, and compared with what they should be.

use std::io;
use std::path::{Component, Path, PathBuf};

use scaffold::Files;

/// What becomes of the SDK in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// There was none.
    New,
    /// It is the same.
    Kept,
    /// It was another one.
    Replaced,
}

impl Sdk {
    /// What becomes of what is in a folder when it should be these files.
    pub fn of(folder: &Path, files: &Files) -> Self {
        match folder.symlink_metadata() {
            Err(_) => Self::New,
            Ok(_) if same_files(folder, files) => Self::Kept,
            Ok(_) => Self::Replaced,
        }
    }

    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "written",
            Self::Kept => "kept",
            Self::Replaced => "replaced",
        }
    }
}

/// Whether all of the files are in the folder, unchanged.
pub fn same_files(folder: &Path, files: &Files) -> bool {
    files.iter().all(|(path, text)| std::fs::read(folder.join(path)).is_ok_and(|found| found == text.as_bytes()))
}

/// From a folder to one above it: `../`, `../../`; `None` when it is not below it.
pub fn relative(folder: &Path, above: &Path) -> Option<String> {
    let parts = folder.strip_prefix(above).ok()?.components();
    let steps = parts.map(|part| matches!(part, Component::Normal(_)).then_some("../")).collect::<Option<String>>()?;
    (!steps.is_empty()).then_some(steps)
}

/// The folders that have to be made so that there is one, itself left out: the outermost first.
pub fn tree(folder: &Path) -> Vec<PathBuf> {
    let missing = folder.ancestors().skip(1).take_while(|above| !above.exists());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Makes a folder with these files; what fails on the way leaves nothing behind.
pub fn place(folder: &Path, files: &Files) -> io::Result<()> {
    let missing = tree(folder);
    let placed = (|| {
        let above = folder.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(above)?;
        let new = written(above, files)?;
        // a folder of this name that came meanwhile is an error, unless it is empty
        std::fs::rename(new.path(), folder)?;
        // it is where it belongs
        let _ = new.keep();
        Ok(())
    })();
    if placed.is_err() {
        missing.iter().rev().for_each(|made| drop(std::fs::remove_dir(made)));
    }
    placed
}

/// The same for one whose old content goes away.
pub fn replace(folder: &Path, files: &Files) -> io::Result<()> {
    let above = folder.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(above)?;
    let new = written(above, files)?;
    let old = tempfile::Builder::new().prefix(".old-").tempdir_in(above)?;
    let aside = old.path().join("content");
    let was_there = folder.symlink_metadata().is_ok();
    if was_there {
        std::fs::rename(folder, &aside)?;
    }
    let renamed = std::fs::rename(new.path(), folder);
    match renamed {
        Ok(()) => drop(new.keep()),
        Err(_) if was_there => std::fs::rename(&aside, folder)?,
        Err(_) => {}
    }
    renamed
}

/// A folder with the files, beside where it will be; gone when it is dropped.
fn written(above: &Path, files: &Files) -> io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::fs::Permissions::from_mode(0o777))
        .tempdir_in(above)?;
    for (path, text) in files {
        let path = new.path().join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        [("a/b.txt".to_owned(), text.to_owned()), ("c".to_owned(), String::new())].into()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_there_whole_and_nothing_else_is() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("x/y");
        place(&folder, &files("1")).unwrap();
        assert!(same_files(&folder, &files("1")) && !same_files(&folder, &files("2")));
        assert_eq!((names(above.path()), names(&above.path().join("x"))), (vec!["x".to_owned()], vec!["y".to_owned()]));
    }

    #[test]
    fn what_is_there_is_not_touched_and_what_was_made_is_taken_away() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("y");
        place(&folder, &files("1")).unwrap();
        assert!(place(&folder, &files("2")).is_err());
        assert!(same_files(&folder, &files("1")));
        assert_eq!(names(above.path()), ["y"]);
        // a file where a folder should be
        assert!(place(&folder.join("c/deep"), &files("2")).is_err());
        // and a name that no file can have, after folders were made for it
        assert!(place(&above.path().join("new/deep").join("n".repeat(300)), &files("2")).is_err());
        assert_eq!(names(above.path()), ["y"]);
    }

    #[test]
    fn the_old_content_goes_when_the_new_is_there() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("sdk");
        assert_eq!(Sdk::of(&folder, &files("1")), Sdk::New);
        replace(&folder, &files("1")).unwrap();
        std::fs::write(folder.join("old"), "").unwrap();
        assert_eq!(Sdk::of(&folder, &files("2")), Sdk::Replaced);
        replace(&folder, &files("2")).unwrap();
        assert_eq!(Sdk::of(&folder, &files("2")), Sdk::Kept);
        assert_eq!(
            (names(&folder), names(above.path())),
            (vec!["a".to_owned(), "c".to_owned()], vec!["sdk".to_owned()])
        );
    }

    #[test]
    fn the_way_up() {
        let way = |folder: &str| relative(Path::new(folder), Path::new("/p"));
        assert_eq!((way("/p/a").as_deref(), way("/p/a/b").as_deref()), (Some("../"), Some("../../")));
        assert_eq!((way("/p"), way("/q/a"), way("/")), (None, None, None));
    }
}
