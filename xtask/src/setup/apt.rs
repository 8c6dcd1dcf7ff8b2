//! Debian packages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, id};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::command;

use super::{Group, LIMIT};
use crate::progress;

const QUERY_LIMIT: Duration = Duration::from_secs(20);

/// Installs the packages of `groups` that are missing.
pub(super) fn install(groups: &[Group]) -> Result<()> {
    let wanted: Vec<&str> = groups
        .iter()
        .flat_map(|group| group.packages)
        .copied()
        .collect();
    let missing = missing(&wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    ensure!(
        command::finish(Command::new("id").arg("-u"), QUERY_LIMIT)?
            .stdout
            .trim()
            == "0",
        "missing: {}\ninstall them as root: apt-get install {0}",
        missing.join(" ")
    );
    progress::run("apt-get update", apt_get().arg("update"), LIMIT)?;
    let quiet = NoServices::begin()?;
    let what = format!("apt-get install {}", missing.join(" "));
    let install = ["install", "--yes", "--no-install-recommends"];
    progress::run(&what, apt_get().args(install).args(&missing), LIMIT)?;
    drop(quiet);
    let begun = SERVICES
        .iter()
        .filter(|(package, _)| missing.contains(package));
    begun.map(|(_, service)| *service).try_for_each(keep_off)
}

fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(wanted);
    // It fails where a package is unknown, and lists the others all the same.
    let listed = command::finish(&mut query, QUERY_LIMIT)?.stdout;
    let installed = |package: &str| {
        listed
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    Ok(wanted
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args([
        "--quiet",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    command
}

/// Packages whose services would begin at every boot: a lab starts its own. nginx would take port 80
/// of this machine, ldirectord find no configuration.
const SERVICES: [(&str, &str); 2] = [("nginx-light", "nginx"), ("ldirectord", "ldirectord")];

fn keep_off(service: &str) -> Result<()> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    let mut disable = Command::new("systemctl");
    disable.args(["disable", "--quiet", service]);
    command::finish(&mut disable, QUERY_LIMIT)?
        .success()
        .map(drop)
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// While this lives, packages that are installed start no services.
struct NoServices;

impl NoServices {
    /// Nothing to do where the machine has a policy of its own.
    fn begin() -> Result<Option<Self>> {
        if Path::new(POLICY).exists() {
            return Ok(None);
        }
        // Without effect once we are gone, should the file be left behind.
        let id = id();
        let script = format!("#!/bin/sh\n# cargo xtask setup\n[ ! -d /proc/{id} ] || exit 101\n");
        fs::write(POLICY, script).context(POLICY)?;
        let this = Self;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Some(this))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(POLICY) {
            eprintln!("cannot remove {POLICY}: {error}");
        }
    }
}
