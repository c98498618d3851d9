//! Broken input: whatever a file holds, a load ends, and ends with a project or with problems.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Sources, load};

/// A small generator of pseudo-random numbers (xorshift), so that every run is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

const SEEDS: [&str; 3] = [
    include_str!("../hash/vectors/config.yaml"),
    include_str!("../hash/vectors/up.yaml"),
    "services:\n  a: &a\n    image: ${I:-x}\n    ports: ['${H:-1}:2', '[::1]:3-4:5-6']\n  b:\n    <<: *a\n    depends_on: [a]\n---\nservices: {a: {ports: !override [1], image: !reset null}}\n",
];

const PIECES: [&str; 30] = [
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "!reset ",
    "!override ",
    "!!int ",
    "${",
    "$",
    "'",
    "\"",
    "\n",
    "\t",
    "|\n",
    ">-\n",
    "#",
    "---\n",
    "%TAG",
    "\u{feff}",
    "é",
    "\0",
    "? ",
    "0x",
    "99999999999",
    "-1",
];

fn mutate(text: &mut Vec<char>, random: &mut Random) {
    for _ in 0..=random.below(6) {
        let at = random.below(text.len());
        let length = random.below(20).min(text.len() - at);
        match random.below(4) {
            0 => drop(text.drain(at..at + length)),
            1 => {
                let copy: Vec<char> = text[at..at + length].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, copy);
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())].chars();
                text.splice(at..at, piece);
            }
        }
    }
}

fn load_text(text: &str, env: &str) -> Duration {
    let read = |path: &Path| match path.extension().and_then(|e| e.to_str()) {
        Some("yaml") => Ok(text.to_owned()),
        Some("env") => Ok(env.to_owned()),
        _ if path.ends_with(".env") => Ok(env.to_owned()),
        _ => Err(Error::from(ErrorKind::NotFound)),
    };
    let sources = Sources {
        files: vec!["/p/compose.yaml".into()],
        working_dir: "/p".into(),
        profiles: ["*".to_owned()].into(),
        ..Sources::default()
    };
    let start = Instant::now();
    match load(&sources, &read) {
        Ok(project) => assert!(!project.services.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty(), "{text}");
            problems.iter().for_each(|p| _ = p.to_string());
        }
    }
    start.elapsed()
}

#[test]
fn mutated_files_neither_panic_nor_hang() {
    let mut random = Random(0x5eed_cafe);
    let rounds = if std::env::var_os("BANYAN_TEST_LONG").is_some() { 100_000 } else { 1500 };
    for round in 0..rounds {
        let mut text: Vec<char> = SEEDS[round % SEEDS.len()].chars().collect();
        let mut env: Vec<char> = "A=1\nexport B='x'\nC=\"${A:-$B}\"\n".chars().collect();
        mutate(&mut text, &mut random);
        mutate(&mut env, &mut random);
        let (text, env): (String, String) = (text.into_iter().collect(), env.into_iter().collect());
        let took = load_text(&text, &env);
        assert!(took < Duration::from_secs(5), "took {took:?}: {text}");
    }
}

#[test]
fn extremes() {
    let deep_flow = "[".repeat(20_000);
    let deep_block: String = (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let nested = format!("services: {{a: {{image: \"{}\"}}}}", "${A:-".repeat(5_000) + &"}".repeat(5_000));
    let bomb: String = std::iter::once("a0: &a0 [x, x]\n".to_owned())
        .chain((1..40).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}, *a{0}]\n", i - 1)))
        .collect();
    let many: String =
        "services:\n".to_owned() + &(0..3_000).map(|i| format!("  s{i}: {{image: x}}\n")).collect::<String>();
    let chain: String = "services:\n".to_owned()
        + &(0..2_000).map(|i| format!("  s{i}: {{image: x, depends_on: [s{}]}}\n", i + 1)).collect::<String>();
    for text in [deep_flow, deep_block, nested, bomb, many, chain, String::new(), "\0".into(), "x".repeat(1_000_000)] {
        let took = load_text(&text, "");
        assert!(took < Duration::from_secs(10), "took {took:?}: {}", text.chars().take(40).collect::<String>());
    }
}
