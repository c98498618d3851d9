//! GNU tar and zstd read what is written here, without knowing of banyan.

use std::process::{Command, Output, Stdio};

use archive::Sealing;

use crate::support::{PART, Random, folder, json, members, write};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
    output
}

#[test]
fn tar_and_zstd_unpack_it() {
    let (folder, path) = folder();
    let members = members(&[
        ("postgres/globals.sql", b"create role a;"),
        ("postgres/dump.tar", &[Random(1).bytes(PART), json(2 * PART + 3)].concat()),
        ("empty", b""),
        ("whole", &Random(2).bytes(PART)),
    ]);
    let summary = write(&path, &members, &Sealing::none());
    run(Command::new("zstd").args(["-tq", "-f"]).arg(&path));
    let mut zstd = Command::new("zstd").args(["-dcq", "-f"]).arg(&path).stdout(Stdio::piped()).spawn().unwrap();
    let into = folder.path().join("unpacked");
    std::fs::create_dir(&into).unwrap();
    let listed = run(Command::new("tar").arg("-xvC").arg(&into).stdin(zstd.stdout.take().unwrap()));
    assert!(zstd.wait().unwrap().success());
    assert_eq!(
        String::from_utf8(listed.stdout).unwrap().lines().collect::<Vec<_>>(),
        [
            "postgres/globals.sql",
            "postgres/dump.tar.00000001",
            "postgres/dump.tar.00000002",
            "postgres/dump.tar.00000003",
            "postgres/dump.tar.00000004",
            "empty",
            "whole",
            "manifest.json",
        ]
    );
    for (name, content) in &members {
        let cat = run(Command::new("sh").args(["-c", "cat \"$0\" 2> /dev/null || cat \"$0\".*"]).arg(into.join(name)));
        assert!(cat.stdout == *content, "{name}");
    }
    let manifest = std::fs::read(into.join("manifest.json")).unwrap();
    assert_eq!(serde_json::from_slice::<archive::Manifest>(&manifest).unwrap(), summary.manifest);
    let sum = run(Command::new("sha256sum").arg(into.join("manifest.json")));
    assert_eq!(String::from_utf8(sum.stdout).unwrap().split(' ').next(), Some(summary.digest.as_str()));
}
