//! Isolated copies of a project: their names, their ports, and what two of them would share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compose::Problem;
use compose::project::Project;

use crate::failure::{Exit, Failure};
use crate::stack;

/// Instances get blocks of so many ports …
const BLOCK: u16 = 40;
/// … from here on …
const FIRST_PORT: u16 = 20_000;
/// … and so many blocks, below the ports that the kernel hands out by itself.
const BLOCKS: u16 = 300;

/// The `.env` of an instance of the built-in stack.
pub fn settings(instance: &str, ports: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Written once, when instance {instance} was made; yours to edit.\nCOMPOSE_PROJECT_NAME={}-{instance}\n",
        stack::PROJECT
    );
    for (name, port) in ports {
        text.push_str(&format!("{name}={port}\n"));
    }
    text
}

/// Refuses what cannot be part of a name in Docker.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let fits = !name.is_empty()
        && name.len() <= 30
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits && name != "default" && !name.starts_with('-') {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, 1, format!("`{name}` is no name for an instance"))
        .hint("use lower-case letters, digits and hyphens, at most 30, and not `default`"))
}

/// A port for every variable that sets one, counted from `base` in the order of the file.
pub fn block(project: &Project, base: u16) -> BTreeMap<String, String> {
    let mut variables = Vec::new();
    for port in project.services.values().flat_map(|s| &s.ports) {
        if let Some(variable) = port.variable.as_ref().filter(|v| !variables.contains(v)) {
            variables.push(variable);
        }
    }
    variables.into_iter().zip(base..base + BLOCK).map(|(name, port)| (name.clone(), port.to_string())).collect()
}

/// The first port of a block.
pub fn first_port(block: u16) -> u16 {
    FIRST_PORT + block * BLOCK
}

/// The block that the name of a copy falls on.
pub fn hash_block(name: &str) -> u16 {
    // FNV-1a: the same on every machine and in every version
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    u16::try_from(hash % u32::from(BLOCKS)).unwrap_or(0)
}

/// The block that a name falls on, or the next one that no other instance of this user has.
pub fn free_block(instance: &str, stacks: &Path) -> u16 {
    let taken: BTreeSet<u16> = std::fs::read_dir(stacks)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join(".env")).ok())
        .flat_map(|text| blocks_in(&text))
        .collect();
    let start = hash_block(instance);
    (0..BLOCKS).map(|i| (start + i) % BLOCKS).find(|b| !taken.contains(b)).unwrap_or(start)
}

/// The blocks of the ports that an instance's `.env` sets; those that the user chose elsewhere are in none.
fn blocks_in(text: &str) -> Vec<u16> {
    let ports = text.lines().filter_map(|l| l.split_once("_PORT=")?.1.trim_matches(['"', '\'', ' ']).parse().ok());
    ports
        .filter(|port| (FIRST_PORT..first_port(BLOCKS)).contains(port))
        .map(|port| (port - FIRST_PORT) / BLOCK)
        .collect()
}

/// Every fixed name or port of the user's files would collide with the first copy.
pub fn isolated(first: &Project, second: &Project) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (name, service) in &second.services {
        let Some(original) = first.services.get(name) else { continue };
        if service.named && service.container_name == original.container_name {
            problems.push(
                Problem::new(format!(
                    "service `{name}`: container_name `{}` is the same in every instance",
                    service.container_name
                ))
                .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
        for port in service.ports.iter().filter(|p| p.host.is_some_and(|h| h != 0) && original.ports.contains(p)) {
            problems.push(
                Problem::new(format!(
                    "service `{name}`: host port {} is the same in every instance",
                    port.host.unwrap_or(0)
                ))
                .hint(format!(
                    "write a variable: \"${{{}_PORT:-{}}}:{}\"",
                    name.to_uppercase().replace('-', "_"),
                    port.host.unwrap_or(0),
                    port.container
                )),
            );
        }
    }
    for (key, volume) in second.volumes.iter().filter(|(_, v)| !v.external) {
        if first.volumes.get(key).is_some_and(|v| v.name == volume.name) {
            problems.push(
                Problem::new(format!("volume `{key}`: its name `{}` is the same in every instance", volume.name))
                    .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
    }
    for (key, network) in second.networks.iter().filter(|(_, n)| !n.external) {
        if first.networks.get(key).is_some_and(|n| n.name == network.name) {
            problems.push(
                Problem::new(format!("network `{key}`: its name `{}` is the same in every instance", network.name))
                    .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::problems(&problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_an_edited_file_still_uses_is_taken() {
        let text = "# mine\nGATEWAY_PORT=\"20041\"\nPOSTGRES_PORT=5432\nREDIS_PORT=20042\nNOT_A_PORT=x\n";
        assert_eq!(blocks_in(text), [1, 1]);
    }

    #[test]
    fn the_next_block_is_given_when_another_instance_has_the_first() {
        let stacks = tempfile::tempdir().unwrap();
        let mine = free_block("b", stacks.path());
        assert_eq!(mine, hash_block("b"));
        std::fs::create_dir(stacks.path().join("c")).unwrap();
        std::fs::write(stacks.path().join("c/.env"), format!("REDIS_PORT={}\n", first_port(mine) + 3)).unwrap();
        assert_eq!(free_block("b", stacks.path()), (mine + 1) % BLOCKS);
    }
}
