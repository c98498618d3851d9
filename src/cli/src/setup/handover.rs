//! Going on in a process that may use the engine's socket.
//!
//! A user who is in sudo's list but not in the socket's group would have to edit groups and log in again. Instead
//! this executable runs once more, with the same arguments, as the same user, with that one group added:
//! sudo becomes root, `setpriv` becomes the user again. So every file that is written stays the user's, and
//! nothing on the machine changes.

use std::ffi::OsString;

use super::SetupError;

/// Set in the process that goes on, so that this happens once.
pub const MARK: &str = "BANYAN_HANDED_OVER";

/// What to run in place of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    args: Vec<OsString>,
    socket: String,
}

/// The user's identity, as the process that goes on keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl Handover {
    /// One line for the user: what happens, and how to be rid of it.
    pub fn notice(&self) -> String {
        format!(
            "your user is not in the group of {}: this run goes on through sudo as the same user with that group \
             added; for later runs: sudo usermod -aG docker \"$USER\", then log in again",
            self.socket
        )
    }

    /// For a socket that this process may not use.
    #[cfg(unix)]
    pub fn to(endpoint: &str) -> Result<Self, SetupError> {
        use std::os::unix::fs::MetadataExt as _;
        let socket = endpoint.strip_prefix("unix://").unwrap_or(endpoint);
        let denied = || SetupError::StillDenied { socket: socket.to_owned() };
        if std::env::var_os(MARK).is_some() || rustix::process::geteuid().is_root() {
            return Err(denied());
        }
        let owner = std::fs::metadata(socket).map_err(|_| denied())?.gid();
        let mut groups: Vec<u32> =
            rustix::process::getgroups().unwrap_or_default().iter().map(|group| group.as_raw()).collect();
        groups.push(owner);
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let not_run = |source| SetupError::NotRun { command: "sudo".to_owned(), source };
        let exe = std::env::current_exe().map_err(not_run)?;
        let command = std::iter::once(exe.into_os_string()).chain(std::env::args_os().skip(1)).collect();
        let kept = ["HOME", "USER", "LOGNAME", "PATH"];
        let kept = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
        Ok(Self { args: args(&Identity { uid, gid, groups }, kept, command), socket: socket.to_owned() })
    }

    /// Other systems have no such sockets.
    #[cfg(not(unix))]
    pub fn to(endpoint: &str) -> Result<Self, SetupError> {
        Err(SetupError::StillDenied { socket: endpoint.to_owned() })
    }

    /// Become that process. Comes back only when it fails.
    pub fn exec(self) -> SetupError {
        let mut sudo = std::process::Command::new("sudo");
        sudo.args(&self.args);
        #[cfg(unix)]
        let source = std::os::unix::process::CommandExt::exec(&mut sudo);
        #[cfg(not(unix))]
        let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
        SetupError::NotRun { command: "sudo".to_owned(), source }
    }
}

/// sudo's arguments. The environment stays (`-E`); what sudo sets anew all the same is set back, and its own marks
/// are taken away.
fn args(who: &Identity, kept: Vec<(&str, OsString)>, command: Vec<OsString>) -> Vec<OsString> {
    let mut groups = who.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    let mut args: Vec<OsString> = ["-E", "--", "setpriv"].map(OsString::from).to_vec();
    args.push(format!("--reuid={}", who.uid).into());
    args.push(format!("--regid={}", who.gid).into());
    args.push(format!("--groups={}", groups.join(",")).into());
    args.extend(["--", "env"].map(OsString::from));
    for name in ["SUDO_COMMAND", "SUDO_USER", "SUDO_UID", "SUDO_GID"] {
        args.extend(["-u", name].map(OsString::from));
    }
    for (name, value) in kept {
        let mut pair = OsString::from(format!("{name}="));
        pair.push(value);
        args.push(pair);
    }
    args.push(format!("{MARK}=1").into());
    args.extend(command);
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_stays_the_user_with_one_group_more() {
        let who = Identity { uid: 1000, gid: 1000, groups: vec![27, 1000, 998, 27] };
        let kept = vec![("HOME", OsString::from("/home/me"))];
        let args = args(&who, kept, ["/opt/my banyan", "up", "--setup"].map(OsString::from).to_vec());
        let args: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        let expected = "-E -- setpriv --reuid=1000 --regid=1000 --groups=27,998,1000 -- env -u SUDO_COMMAND -u SUDO_USER \
                        -u SUDO_UID -u SUDO_GID HOME=/home/me BANYAN_HANDED_OVER=1";
        let (front, command) = args.split_at(args.len() - 3);
        assert_eq!(front.join(" "), expected);
        assert_eq!(command, ["/opt/my banyan", "up", "--setup"]);
    }

    #[cfg(unix)]
    #[test]
    fn it_happens_only_where_it_can_help() {
        assert!(matches!(Handover::to("unix:///no/such/socket"), Err(SetupError::StillDenied { .. })));
    }
}
