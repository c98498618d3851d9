//! What can be typed.

mod backup;
mod discovery;
mod services;
mod users;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use backup::{BackupArgs, BackupCommand, BackupFile, BackupFormat, CreateArgs, OpenArgs, RestoreArgs, SealArgs};
pub use services::{NewServiceArgs, RemoveServiceArgs};
pub use users::UsersCommand;

pub use discovery::{ContractsCommand, DiffArgs, Drawing, RegistryArgs, ServicesArgs};

use crate::report::{Color, Mode};

/// Brings the Banyan platform up on Docker, and tells the truth about it.
#[derive(Debug, Parser)]
#[command(name = "banyan", version, propagate_version = true, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// Like --verbose (before the command: after `down`, -v is --volumes)
    #[arg(short = 'v')]
    pub short_verbose: bool,
    /// Like --file (before the command: after `logs`, -f is --follow)
    #[arg(short = 'f', value_name = "FILE")]
    pub short_file: Vec<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Compose file; again for an override file [default: COMPOSE_FILE, the nearest banyan.yaml, the built-in stack]
    #[arg(long, global = true, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// File with variables, instead of `.env`; again for more, the last one wins
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// An isolated second copy: own names, volumes, network and ports
    #[arg(long, global = true, value_name = "NAME", env = "BANYAN_INSTANCE")]
    pub instance: Option<String>,
    /// Format of the data on standard output
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// How progress is shown on standard error
    #[arg(long, global = true, value_name = "MODE", default_value = "auto")]
    pub progress: Mode,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Docker engine: unix:///path, tcp://host:port [default: DOCKER_HOST, the current context, the known sockets]
    #[arg(short = 'H', long, global = true, value_name = "ENDPOINT")]
    pub host: Option<String>,
    /// Say more: which engine, and why each step is taken
    #[arg(long, global = true)]
    pub verbose: bool,
    /// Show only errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// Format of the data on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// One JSON document, or one per line where it is a stream
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the platform up, and wait until every service answers
    Up(UpArgs),
    /// Stop and remove the containers and the network; data stays unless -v
    Down(DownArgs),
    /// Delete the data and bring the platform up anew
    Reset(ResetArgs),
    /// Write the data of the platform into one file, and look after such files
    Backup(BackupArgs),
    /// Bring the data of a backup back
    Restore(RestoreArgs),
    /// Show the services and what runs of them
    #[command(alias = "ps")]
    Status(StatusArgs),
    /// Ask every service in its own protocol
    Health(HealthArgs),
    /// Show what the services write
    Logs(LogsArgs),
    /// Get, build, save and load images
    #[command(subcommand)]
    Images(ImagesCommand),
    /// Look after messages that services gave up (dead letters)
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Look after the users of the running platform, for development
    #[command(subcommand)]
    Users(UsersCommand),
    /// Show the services that registered with service discovery, and how they are
    Services(ServicesArgs),
    /// Show what services offer, what changed, and who needs whom
    #[command(subcommand)]
    Contracts(ContractsCommand),
    /// Write the stack's files into this folder, to edit them
    Init(InitArgs),
    /// Write a service of your own, with tests, that runs in this project
    NewService(NewServiceArgs),
    /// Take a service of your own out of the project
    RemoveService(RemoveServiceArgs),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Run a service of the platform (what its containers do)
    Serve(ServeArgs),
}

#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// Services to bring up, with what they depend on [default: all]
    pub services: Vec<String>,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with = "setup")]
    pub dry_run: bool,
    /// With --dry-run: exit with 20 when something would change
    #[arg(long, requires = "dry_run")]
    pub exit_code: bool,
    /// Install and start Docker first, if there is none (Debian, Ubuntu)
    #[arg(long)]
    pub setup: bool,
    /// Fail when an optional service cannot be had
    #[arg(long)]
    pub strict: bool,
    /// Ask the registry for newer images, and again for those that could not be had
    #[arg(long)]
    pub pull: bool,
    /// Recreate the containers even when nothing has changed
    #[arg(long)]
    pub force_recreate: bool,
    /// Leave out what the services depend on
    #[arg(long)]
    pub no_deps: bool,
    /// Return when the containers are started, without waiting until they answer
    #[arg(long)]
    pub no_wait: bool,
    /// The longest wait for one service
    #[arg(long, value_name = "TIME", default_value = "180s", value_parser = duration)]
    pub wait_timeout: Duration,
    /// Also the services of this profile; again for more, `*` for all
    #[arg(long, value_name = "PROFILE")]
    pub profile: Vec<String>,
    /// Print how long each step took
    #[arg(long)]
    pub timings: bool,
    /// Linux executable of banyan for the platform's own image [default: this one]
    #[arg(long, value_name = "FILE")]
    pub platform_binary: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct DownArgs {
    /// Services to take down, with what depends on them [default: all]
    pub services: Vec<String>,
    /// Delete the volumes, and the data in them, too
    #[arg(short = 'v', long)]
    pub volumes: bool,
    /// With -v: do not back the data up first
    #[arg(long, requires = "volumes")]
    pub no_snapshot: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ResetArgs {
    /// Services whose data is deleted [default: all]
    pub services: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Do not back the data up first
    #[arg(long)]
    pub no_snapshot: bool,
    /// Go back to the data of this backup instead of to none: a file, a name that `backup list` shows, or `latest`
    #[arg(long, value_name = "BACKUP", conflicts_with = "services")]
    pub to: Option<PathBuf>,
    /// The longest wait for one service
    #[arg(long, value_name = "TIME", default_value = "180s", value_parser = duration)]
    pub wait_timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Services to show [default: all]
    pub services: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Services to ask [default: all]
    pub services: Vec<String>,
    /// Go on, and show every change
    #[arg(short, long)]
    pub watch: bool,
    /// Time between two rounds of --watch
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration, requires = "watch")]
    pub interval: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Services whose output to show [default: all]
    pub services: Vec<String>,
    /// Go on as new lines come
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last so many lines of each service
    #[arg(long, short = 'n', value_name = "LINES")]
    pub tail: Option<u64>,
    /// Only from this long ago on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<Duration>,
    /// Put the time before each line
    #[arg(long, short)]
    pub timestamps: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DlqCommand {
    /// Show which queues have dead letters, and how many
    List,
    /// Show the first dead letters of a queue; they stay where they are
    Show {
        #[command(flatten)]
        queue: DlqQueue,
        /// At most so many
        #[arg(long, short = 'n', value_name = "MESSAGES", default_value_t = 10)]
        limit: usize,
    },
    /// Send dead letters back to their queue, to be handled anew
    Replay {
        #[command(flatten)]
        queue: DlqQueue,
        /// At most so many [default: all that are there]
        #[arg(long, short = 'n', value_name = "MESSAGES")]
        limit: Option<usize>,
    },
    /// Delete the dead letters of a queue
    Purge {
        #[command(flatten)]
        queue: DlqQueue,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub struct DlqQueue {
    /// The queue, as `banyan dlq list` names it
    pub queue: String,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ImagesCommand {
    /// Show the image of each service, and where it comes from
    List,
    /// Pull the images from their registries
    Pull {
        /// Services [default: all]
        services: Vec<String>,
    },
    /// Build the images from their recipes, and the platform's from this executable
    Build {
        /// Services [default: all that have a recipe]
        services: Vec<String>,
        /// Linux executable of banyan for the platform's own image [default: this one]
        #[arg(long, value_name = "FILE")]
        platform_binary: Option<PathBuf>,
    },
    /// Write the images into one file, for a machine without a network
    Save {
        /// The file
        #[arg(id = "archive", value_name = "FILE")]
        file: PathBuf,
    },
    /// Read the images of a file that `images save` has written
    Load {
        /// The file
        #[arg(id = "archive", value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The folder [default: this one]
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct ServeArgs {
    /// Which service
    pub service: Option<PlatformService>,
    /// Ask the service in this container whether it is healthy
    #[arg(long)]
    pub check: bool,
}

/// The platform's own services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlatformService {
    /// Accounts, roles, sessions, tokens
    Auth,
    /// Contract registry and health monitor
    Discovery,
    /// REST, GraphQL, WebSocket and SSE
    Gateway,
}

/// `90`, `90s`, `1m30s`, `500ms`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    compose::duration(text).map_err(|e| format!("{e}; write 90s, 1m30s or 500ms"))
}
