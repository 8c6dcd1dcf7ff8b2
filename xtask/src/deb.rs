//! `cargo xtask deb`: a package for Debian.
//!
//! What it has is in `bin/rlvs/Cargo.toml`; what is made by the program itself (manual pages,
//! completions) is made here, in `packaging/made`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::command;

use crate::setup::{self, tool};
use crate::{progress, workspace};

const BUILD: Duration = Duration::from_secs(3600);
const QUESTION: Duration = Duration::from_secs(60);
/// By these names the program is ipvsadm.
const PROGRAMS: [&str; 3] = ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"];
const COMPLETIONS: [(&str, &str); 3] = [("bash", "rlvs"), ("zsh", "_rlvs"), ("fish", "rlvs.fish")];

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Take target/release/rlvs as it is
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::run(&[setup::BUILD])?;
    let mut asked = workspace::cargo();
    tool::install("cargo-deb", asked.args(["deb", "--version"]))?;
    if !arguments.no_build {
        let mut build = workspace::cargo();
        build.args(["build", "--release", "--package", "rlvs"]);
        progress::run("cargo build --release", &mut build, BUILD)?;
    }
    prepare(&workspace::target().join("release/rlvs"))?;
    let mut deb = workspace::cargo();
    deb.args(["deb", "--no-build", "--strip", "--package", "rlvs"]);
    Ok(match deb.status()?.success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What the program makes.
fn prepare(rlvs: &Path) -> Result<()> {
    // Where the manifest looks for it.
    let made = workspace::root().join("packaging/made");
    if made.exists() {
        fs::remove_dir_all(&made)?;
    }
    let (man, links) = (made.join("man"), made.join("links"));
    command::finish(Command::new(rlvs).arg("manual").arg(&man), QUESTION)?.success()?;
    // Debian's package has those.
    for program in PROGRAMS {
        fs::remove_file(man.join(format!("{program}.8")))?;
    }
    fs::create_dir_all(&links)?;
    for program in PROGRAMS {
        symlink("../../sbin/rlvs", links.join(program))?;
    }
    let completions = made.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, name) in COMPLETIONS {
        let mut print = Command::new(rlvs);
        let printed = command::finish(print.args(["completions", shell]), QUESTION)?.success()?;
        let path: PathBuf = completions.join(name);
        fs::write(&path, printed).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    /// What is in the package, as `bin/rlvs/Cargo.toml` has it.
    fn metadata() -> Table {
        let text = fs::read_to_string(package().join("Cargo.toml")).unwrap();
        let manifest: Table = text.parse().unwrap();
        let metadata = &manifest["package"]["metadata"]["deb"];
        metadata.as_table().unwrap().clone()
    }

    fn package() -> PathBuf {
        workspace::root().join("bin/rlvs")
    }

    fn texts(value: &Value) -> Vec<&str> {
        let all = value.as_array().unwrap().iter();
        all.map(|it| it.as_str().unwrap()).collect()
    }

    #[test]
    fn all_that_is_packed_is_there() {
        let metadata = metadata();
        for asset in metadata["assets"].as_array().unwrap() {
            let source = texts(asset)[0];
            let (directory, name) = source.rsplit_once('/').unwrap();
            let made = match directory {
                "target/release" => ["rlvs"].contains(&name),
                "../../packaging/made/man" => name == "*.8",
                "../../packaging/made/links" => PROGRAMS.contains(&name),
                "../../packaging/made/completions" => COMPLETIONS.iter().any(|(_, it)| *it == name),
                _ => match name.strip_prefix('*') {
                    Some(end) => fs::read_dir(package().join(directory))
                        .unwrap()
                        .any(|it| it.unwrap().file_name().to_string_lossy().ends_with(end)),
                    None => package().join(source).is_file(),
                },
            };
            assert!(made, "{source}");
        }
        let scripts = metadata["maintainer-scripts"].as_str().unwrap();
        for script in ["postinst", "prerm"] {
            let path = package().join(scripts).join(script);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("#DEBHELPER#"), "{script}");
            let mut check = Command::new("sh");
            command::finish(check.arg("-n").arg(&path), QUESTION)
                .unwrap()
                .success()
                .unwrap();
        }
        for unit in metadata["systemd-units"].as_array().unwrap() {
            let directory = unit["unit-scripts"].as_str().unwrap();
            let name = format!("{}.service", unit["unit-name"].as_str().unwrap());
            assert!(package().join(directory).join(&name).is_file(), "{name}");
        }
        let configured = texts(&metadata["conf-files"]);
        assert_eq!(configured, ["/etc/rlvs/rlvs.toml"]);
    }
}
