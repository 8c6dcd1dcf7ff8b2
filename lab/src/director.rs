//! The director: a host that runs the program under test.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::Finished;
use crate::host::Host;
use crate::process::Process;
use crate::warden;

const READY: Duration = Duration::from_secs(240);

/// A small table: a lab has no million of connections.
pub const CONFIGURATION: &str = "connections = 65536\n\n[interfaces]\nnames = [\"eth0\"]\n";

/// A host with a director daemon, once it is started.
#[derive(Debug)]
pub struct Director {
    daemon: Option<Process>,
    pub host: Host,
}

impl Director {
    /// Links the program under test into the lab. What a daemon leaves in the kernel is removed with
    /// the lab, whoever starts it and however that ends.
    pub fn new(host: Host) -> Result<Self> {
        let binary = rlvs_binary();
        ensure!(
            binary.is_file(),
            "no {}: cargo build --release -p rlvs",
            binary.display()
        );
        host.lab().install_rlvs(&binary)?;
        warden::tell(&host, "directors")?;
        Ok(Self { daemon: None, host })
    }

    /// Runs the daemon with the lab's configuration, until it answers.
    pub fn start_rlvs(&mut self) -> Result<()> {
        self.start_rlvs_with(CONFIGURATION)
    }

    /// Runs the daemon with a configuration, until it answers.
    pub fn start_rlvs_with(&mut self, configuration: &str) -> Result<()> {
        self.spawn_rlvs(configuration)?;
        self.wait_ready()
    }

    /// Runs another version's daemon with a configuration, until it answers.
    pub fn start_other_with(&mut self, program: &Path, configuration: &str) -> Result<()> {
        self.spawn(program, configuration)?;
        self.wait_ready()
    }

    /// Starts the daemon, and does not wait.
    pub fn spawn_rlvs(&mut self, configuration: &str) -> Result<()> {
        self.spawn("rlvs".as_ref(), configuration)
    }

    fn spawn(&mut self, program: &Path, configuration: &str) -> Result<()> {
        let file = self.configuration_file()?;
        fs::write(&file, configuration)?;
        let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
        self.daemon = Some(self.host.spawn("rlvs", program, words)?);
        Ok(())
    }

    /// Waits until the daemon answers.
    pub fn wait_ready(&mut self) -> Result<()> {
        let host = &self.host;
        let daemon = self
            .daemon
            .as_mut()
            .context("the director is not started")?;
        daemon.wait_until(READY, |_| {
            Ok(host.try_run("ipvsadm", ["-Ln"])?.status.success())
        })
    }

    /// Where the daemon's configuration lies.
    pub fn configuration_file(&self) -> Result<PathBuf> {
        Ok(self.host.directory()?.join("rlvs.toml"))
    }

    /// The daemon, if it is started.
    pub fn daemon(&mut self) -> Option<&mut Process> {
        self.daemon.as_mut()
    }

    /// Kills the daemon as a crash would; what it installed in the kernel goes on.
    pub fn kill9(&mut self) -> Result<()> {
        self.daemon
            .take()
            .map_or(Ok(()), |mut daemon| daemon.kill9())
    }

    /// Asks the daemon to end; what it installed in the kernel goes on.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon
            .take()
            .map_or(Ok(()), |mut daemon| daemon.stop())
    }

    /// `ipvsadm` with the words of a line; its output.
    pub fn ipvsadm(&self, line: &str) -> Result<String> {
        self.try_ipvsadm(line)?.success()
    }

    /// `ipvsadm` with the words of a line, which may be refused.
    pub fn try_ipvsadm(&self, line: &str) -> Result<Finished> {
        self.host.try_run("ipvsadm", line.split_whitespace())
    }

    /// `rlvs` with the words of a line; its output.
    pub fn rlvs(&self, line: &str) -> Result<String> {
        self.host.run("rlvs", line.split_whitespace())
    }

    /// Makes the host answer for virtual addresses.
    pub fn add_vips(&self, vips: &[IpAddr]) -> Result<()> {
        vips.iter()
            .try_for_each(|&vip| self.host.add_address(vip, "eth0"))
    }
}

/// The program under test: `$RLVS_BIN`, or what `cargo build --release` has built here.
pub fn rlvs_binary() -> PathBuf {
    if let Some(binary) = env::var_os("RLVS_BIN") {
        return binary.into();
    }
    workspace().join(target()).join("release/rlvs")
}

/// `rlvs` whose tables lie otherwise: `$RLVS_OTHER_LAYOUT_BIN`, or built now.
pub fn other_layout() -> Result<PathBuf> {
    if let Some(binary) = env::var_os("RLVS_OTHER_LAYOUT_BIN") {
        return Ok(binary.into());
    }
    let root = workspace();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(OTHER_LAYOUT)
        .status()?;
    ensure!(status.success(), "rlvs with another layout: {status}");
    Ok(root.join(target()).join("debug/rlvs-other-layout"))
}

/// How cargo builds it.
pub const OTHER_LAYOUT: [&str; 7] = [
    "build",
    "--package",
    "rlvs",
    "--features",
    "other-layout",
    "--bin",
    "rlvs-other-layout",
];

fn workspace() -> &'static Path {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.parent().unwrap_or(lab)
}

fn target() -> OsString {
    env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())
}
