//! Writes what a package ships beside the programs: manual pages, completions, and the number of the store's schema.
//!
//!     cargo run -p sentinel --example manual -- DIRECTORY
//!
//! They come from what the programs themselves go by, the definitions of the command lines and the table of keys, so they
//! cannot disagree with them. An example and no command, as none of it has to be in what is shipped.

mod keys;
mod listed;
mod names;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use sentinel::cli::Cli;

/// The shells whose completions Debian has a place for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> anyhow::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.context("usage: manual DIRECTORY")?;
    let (manual, completions) = (made(directory.join("man"))?, made(directory.join("completions"))?);
    pages::write(Cli::command(), &manual, pages::SENTINEL)?;
    pages::write(
        demo_service::command_line().name("demo-service"),
        &manual,
        pages::DEMO_SERVICE,
    )?;
    fs::write(manual.join("sentinel.toml.5"), keys::page())?;
    for (shell, path) in complete(Cli::command(), &completions)? {
        let script = names::add(shell, &Cli::command(), &fs::read_to_string(&path)?)?;
        fs::write(path, script)?;
    }
    complete(demo_service::command_line().name("demo-service"), &completions)?;
    fs::write(directory.join("schema"), sentinel_store::NEWEST.to_string())?;
    Ok(())
}

/// Writes a file for each shell, and answers where.
fn complete(mut command: Command, directory: &Path) -> anyhow::Result<Vec<(Shell, PathBuf)>> {
    let name = command.get_name().to_owned();
    let files = SHELLS
        .iter()
        .map(|shell| Ok((*shell, generate_to(*shell, &mut command, &name, directory)?)));
    files.collect()
}

fn made(directory: PathBuf) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&directory).with_context(|| format!("failed to make `{}`", directory.display()))?;
    Ok(directory)
}
