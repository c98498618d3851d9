//! What can be typed after `banyan new-service` and `banyan remove-service`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub struct NewServiceArgs {
    /// What it is called: order-service
    pub name: String,
    /// Its folder [default: its name, beside banyan.yaml]
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// Port of this machine for it [default: the first from 3010 on that no service of the project has]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Print what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where there is no project yet, make one of this folder, as `banyan init` does
    #[arg(long, conflicts_with = "dry_run")]
    pub init: bool,
}

#[derive(Debug, Clone, Args)]
pub struct RemoveServiceArgs {
    /// What it is called
    pub name: String,
    /// Leave its folder as it is; only take it out of banyan.yaml
    #[arg(long)]
    pub keep_files: bool,
    /// Do not ask, even when its files were changed since they were written
    #[arg(short, long)]
    pub yes: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
