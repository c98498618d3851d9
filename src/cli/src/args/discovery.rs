//! What can be typed about services and their contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which service discovery is asked.
#[derive(Debug, Clone, Args)]
pub struct RegistryArgs {
    /// Address of service discovery, http://host:port [default: that of the project]
    #[arg(long, value_name = "URL", env = "SERVICE_DISCOVERY_URL", hide_env_values = true)]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ServicesArgs {
    /// Services to show [default: all]
    pub services: Vec<String>,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ContractsCommand {
    /// Show the commands, queries and events of the services
    List {
        /// Services to show [default: all]
        services: Vec<String>,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Show what a service offers, in full
    Show {
        /// The service
        service: String,
        /// Only this command, query or event
        message_type: Option<String>,
        /// The version of the service [default: the one in use]
        #[arg(long, value_name = "VERSION")]
        service_version: Option<String>,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Tell whether other contracts would break those who go by the present ones
    Diff(DiffArgs),
    /// Show which services need which
    Graph {
        /// As text, or in the language of Graphviz or Mermaid
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Drawing,
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The service
    pub service: String,
    /// The version of the service to begin with [default: the one in use]
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// The version of the service to end with
    #[arg(long, value_name = "VERSION", required_unless_present = "with", conflicts_with = "with")]
    pub to: Option<String>,
    /// File with the contracts to end with: a JSON list, or what `contracts show` prints as JSON
    #[arg(long, value_name = "FILE")]
    pub with: Option<PathBuf>,
    /// Exit with 20 when something would break
    #[arg(long)]
    pub exit_code: bool,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// How the graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// One line for each service and what it needs
    Text,
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
}
