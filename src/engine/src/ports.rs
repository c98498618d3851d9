//! Who holds a host port, as far as this machine can tell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use compose::plan::Wanted;

/// The process with which the engine forwards a published port.
pub const FORWARDER: &str = "docker-proxy";

/// True when the port cannot be taken on this machine now.
///
/// Only meaningful for an engine on this machine. Binding is the one test that counts addresses, wildcards and
/// both IP versions exactly as the kernel does.
pub fn is_taken(wanted: &Wanted) -> bool {
    let ip = wanted.host_ip.parse::<IpAddr>().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let address = SocketAddr::new(ip, wanted.host);
    let error =
        if wanted.protocol == "udp" { UdpSocket::bind(address).err() } else { TcpListener::bind(address).err() };
    error.is_some_and(|e| e.kind() == std::io::ErrorKind::AddrInUse)
}

/// `process nginx (pid 812)`, where the operating system tells.
#[cfg(target_os = "linux")]
pub fn holder(wanted: &Wanted) -> Option<String> {
    let tables = if wanted.protocol == "udp" {
        ["/proc/net/udp", "/proc/net/udp6"]
    } else {
        ["/proc/net/tcp", "/proc/net/tcp6"]
    };
    let inode = tables
        .iter()
        .find_map(|t| listening_inode(&std::fs::read_to_string(t).ok()?, wanted.host).map(str::to_owned))?;
    let target = format!("socket:[{inode}]");
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let holds =
            descriptors.flatten().any(|d| std::fs::read_link(d.path()).is_ok_and(|l| l.as_os_str() == target.as_str()));
        if holds {
            let command = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("process {} (pid {pid})", command.trim()));
        }
    }
    None
}

/// `process …`, where the operating system tells: not here.
#[cfg(not(target_os = "linux"))]
pub fn holder(_: &Wanted) -> Option<String> {
    None
}

/// The inode of the socket that listens on `port`, from the text of /proc/net/tcp or udp.
#[cfg(target_os = "linux")]
fn listening_inode(table: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    const UNCONNECTED: &str = "07";
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let (_, hex) = local.rsplit_once(':')?;
        let matches = u16::from_str_radix(hex, 16).ok()? == port && (state == LISTEN || state == UNCONNECTED);
        matches.then_some(inode)
    })
}
