//! Manual pages and shell completions, from the definitions by which command lines are read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::ipvsadm::definitions as ipvsadm;

/// Where manual pages of commands for administrators belong.
const SECTION: &str = "8";

/// Print what lets a shell complete command lines of rlvs and ipvsadm
///
/// For bash: `rlvs completions bash > /usr/share/bash-completion/completions/rlvs`, and the same
/// with `--for ipvsadm`. For zsh the file is `_rlvs` in a directory of `$fpath`; for fish it is
/// `/usr/share/fish/vendor_completions.d/rlvs.fish`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish"])]
    shell: String,
    /// Of which program
    #[arg(long = "for", value_name = "PROGRAM", default_value = "rlvs",
          value_parser = ["rlvs", "ipvsadm", "ipvsadm-save", "ipvsadm-restore"])]
    program: String,
}

/// Write the manual pages of all commands
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Where to: `man DIRECTORY/rlvs.8` shows one, /usr/local/share/man/man8 is where man looks
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// `rlvs` is the definition of its command line.
pub(crate) fn completions(arguments: &Completions, rlvs: Command) -> Result<()> {
    let shell: Shell = arguments.shell.parse().map_err(anyhow::Error::msg)?;
    let mut all = [rlvs].into_iter().chain(ipvsadm::all());
    let name = arguments.program.as_str();
    let found = all.find(|program| program.get_name() == name);
    let mut script = Vec::new();
    generate(
        shell,
        &mut found.context("no such program")?,
        name,
        &mut script,
    );
    Ok(io::stdout().write_all(&script)?)
}

pub(crate) fn manual(arguments: &Manual, rlvs: Command) -> Result<()> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let rlvs = rlvs.disable_help_subcommand(true);
    for program in [rlvs].into_iter().chain(ipvsadm::all()) {
        pages(program.get_name(), &program)
            .iter()
            .try_for_each(|page| write(page, directory))?;
    }
    Ok(())
}

/// The program's, and one for each of its commands: of `rlvs drain`, by the name `rlvs-drain`.
fn pages(typed: &str, command: &Command) -> Vec<Command> {
    let page = command
        .clone()
        .bin_name(typed)
        .display_name(typed.replace(' ', "-"));
    let commands = command.get_subcommands().flat_map(|inner| {
        let typed = format!("{typed} {}", inner.get_name());
        pages(&typed, inner)
    });
    [page].into_iter().chain(commands).collect()
}

fn write(page: &Command, directory: &Path) -> Result<()> {
    let name = page.get_display_name().unwrap_or(page.get_name());
    let path = directory.join(format!("{name}.{SECTION}"));
    std::fs::write(&path, render(page)?).with_context(|| path.display().to_string())
}

fn render(page: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(page.clone()).section(SECTION);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    match page.get_name() == ipvsadm::NAME {
        true => synopsis(ipvsadm::USAGE).to_writer(&mut text)?,
        false => man.render_synopsis_section(&mut text)?,
    }
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if page.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    if page.get_version().is_some() {
        man.render_version_section(&mut text)?;
    }
    Ok(text)
}

/// Of lines that are to stay as they are.
fn synopsis(lines: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff
}
