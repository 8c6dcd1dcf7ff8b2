//! The end of a lab, whatever became of its owner.
//!
//! A lab is removed by a small process of its own, which waits until the pipe from its owner
//! closes. So there is one way out for all: a lab that is dropped, a panic, Ctrl-C, `kill -9`.
//! What it cannot outlive, such as a power cut for containers, the next lab clears away.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::host::Host;

const SCRIPT: &str = include_str!("warden.sh");
const NAMESPACES: &str = "/run/netns";
const LIMIT: Duration = Duration::from_secs(600);

/// Removes a lab when dropped, or when this process ends in any way.
#[derive(Debug)]
pub(crate) struct Warden {
    child: Child,
}

impl Warden {
    /// Watches over the lab `name`.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let child = Command::new("setsid")
            .args([
                "sh",
                "-c",
                SCRIPT,
                "warden",
                name,
                &directory(name).to_string_lossy(),
                "wait",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("setsid")?;
        Ok(Self { child })
    }

    /// Leaves the lab as it is, for [`remove`] to end it.
    pub(crate) fn dismiss(&mut self) -> Result<()> {
        let pipe = self.child.stdin.as_mut().context("the warden has ended")?;
        Ok(pipe.write_all(b"keep\n")?)
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("the lab's warden: {error}");
        }
    }
}

/// Where a lab keeps its files: logs, configurations, links to the programs under test.
pub(crate) fn directory(name: &str) -> PathBuf {
    Path::new("/run/rlvs-lab").join(name)
}

/// Whether there is anything of the lab `name`.
pub fn exists(name: &str) -> bool {
    directory(name).exists() || namespaces().iter().any(|space| belongs(space, name))
}

/// Removes a lab that has no owner any more.
pub fn remove(name: &str) -> Result<()> {
    let mut script = Command::new("sh");
    script.args([
        "-c",
        SCRIPT,
        "warden",
        name,
        &directory(name).to_string_lossy(),
    ]);
    command::finish(&mut script, LIMIT)?.success().map(drop)
}

/// Removes labs named after a process that is gone, as `rlvs-PID-NUMBER`.
pub fn remove_stale() -> Result<()> {
    let files = fs::read_dir("/run/rlvs-lab")
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.extend(namespaces());
    let mut stale: Vec<String> = names.iter().filter_map(|name| stale_lab(name)).collect();
    stale.sort();
    stale.dedup();
    stale.iter().try_for_each(|name| remove(name))
}

/// Lists a host of which more than its namespace is to be removed (pins, files), for the warden to
/// undo: among the `directors`, the `director-hosts` (`rlvs director up`), or the `real-servers`.
pub fn tell(host: &Host, list: &str) -> Result<()> {
    let list = host.lab().directory().join(list);
    let known = fs::read_to_string(&list).unwrap_or_default();
    let namespace = host.namespace();
    if known.lines().all(|line| line != namespace) {
        let mut file = OpenOptions::new().create(true).append(true).open(list)?;
        writeln!(file, "{namespace}")?;
    }
    Ok(())
}

fn namespaces() -> Vec<String> {
    let entries = fs::read_dir(NAMESPACES).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn belongs(namespace: &str, lab: &str) -> bool {
    namespace
        .strip_prefix(lab)
        .is_some_and(|rest| rest.starts_with('-'))
}

/// The lab in `rlvs-PID-NUMBER` or `rlvs-PID-NUMBER-HOST`, if that process is gone.
fn stale_lab(name: &str) -> Option<String> {
    let mut parts = name.strip_prefix("rlvs-")?.splitn(3, '-');
    let process: u32 = parts.next()?.parse().ok()?;
    let number: u32 = parts.next()?.parse().ok()?;
    let alive = Path::new("/proc").join(process.to_string()).exists();
    (!alive).then(|| format!("rlvs-{process}-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labs_of_dead_processes_are_stale() {
        let dead = u32::MAX; // beyond any pid_max
        assert_eq!(
            stale_lab(&format!("rlvs-{dead}-3-rs1")),
            Some(format!("rlvs-{dead}-3"))
        );
        assert_eq!(
            stale_lab(&format!("rlvs-{dead}-3")),
            Some(format!("rlvs-{dead}-3"))
        );
        assert_eq!(
            stale_lab(&format!("rlvs-{}-0-client", std::process::id())),
            None
        );
        assert_eq!(stale_lab("rlvs-demo-client"), None);
        assert_eq!(stale_lab("another-1-2"), None);
    }

    #[test]
    fn a_namespace_belongs_to_one_lab() {
        assert!(belongs("rlvs-7-1-client", "rlvs-7-1"));
        assert!(!belongs("rlvs-7-11-client", "rlvs-7-1"));
    }
}
