//! An engine that is reached over TCP, as one on another machine would be.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use super::Small;

/// Hands every connection on to the engine's socket; gives the address to use instead.
fn relay(small: &Small) -> String {
    let host =
        small.stage.env().get("DOCKER_HOST").cloned().unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    let socket = host.strip_prefix("unix://").expect("the engine of the tests has a socket").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let engine = UnixStream::connect(&socket).unwrap();
            let (back, there) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            std::thread::spawn(move || hand_on(client, there, |e| e.shutdown(Shutdown::Write)));
            std::thread::spawn(move || hand_on(engine, back, |c: &TcpStream| c.shutdown(Shutdown::Write)));
        }
    });
    place
}

/// Until one side ends; the other is told.
fn hand_on<T: Write>(mut from: impl std::io::Read, mut to: T, end: impl Fn(&T) -> std::io::Result<()>) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = end(&to);
}

#[test]
fn everything_works_over_tcp() {
    // its loopback is not ours, so the health check is asked instead of the port
    let keys = "configs: [{ source: note, target: /note }]\nhealthcheck: { test: [CMD, redis-cli, ping] }\n";
    let small = Small::new("tcp").cache("cache", keys).rest("configs: { note: { content: hello } }\n");
    let host = relay(&small);
    let over = |args: &[&str]| small.ok(&[&["--host", &host], args].concat());
    let up = over(&["up", "--verbose"]);
    for part in [format!("at {host} (--host)"), "health check passed".to_owned()] {
        assert!(up.stderr.contains(&part), "{part}: {}", up.stderr);
    }
    assert_eq!(small.stage.docker(&["exec", &small.container("cache"), "cat", "/note"]), "hello");
    let before = small.containers();
    over(&["up"]);
    assert_eq!(before, small.containers());
    assert!(over(&["health"]).stdout.contains("healthy"));
    assert!(over(&["logs"]).stdout.contains("Ready to accept connections"));
    over(&["down", "-v"]);
    assert_eq!(small.leftovers(), [""; 0]);
}
