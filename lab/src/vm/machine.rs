//! One machine from its start to its end, with the files it needs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::kernel::Kernel;
use super::qemu::{CONSOLE, Qemu};
use super::{Vm, initramfs, relay};
use crate::interrupt;

const TICK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Machine {
    qemu: Qemu,
    directory: TempDir,
    /// Ends what the command prints.
    token: String,
}

impl Machine {
    pub(super) fn start<S: AsRef<str>>(vm: &Vm, kernel: &Kernel, command: &[S]) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("rlvs-vm-").tempdir()?;
        let token = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let token = token.trim().to_owned();
        let initramfs = initramfs::build(kernel, &vm.job(command, &token)?)?;
        fs::write(directory.path().join("initrd"), initramfs)?;
        let qemu = Qemu::start(vm, kernel, directory.path())?;
        Ok(Self {
            qemu,
            directory,
            token,
        })
    }

    /// Waits for the command to begin, or for the machine to end; false if there is neither.
    pub(super) fn begins(&mut self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.qemu.begun()? || self.qemu.exited()?.is_some() {
                return Ok(true);
            }
            interrupt::check()?;
            thread::sleep(TICK);
        }
        Ok(false)
    }

    /// See [`relay::relay`].
    pub(super) fn relay(
        &mut self,
        deadline: Instant,
        stdout: &mut (impl Write + Send),
        stderr: &mut (impl Write + Send),
    ) -> Result<i32> {
        relay::relay(&mut self.qemu, &self.token, deadline, stdout, stderr)
    }

    pub(super) fn save_console(&self, file: &Path) -> Result<()> {
        fs::copy(self.directory.path().join(CONSOLE), file)
            .with_context(|| format!("cannot keep the kernel log in {}", file.display()))?;
        Ok(())
    }

    pub(super) fn last_words(&self) -> String {
        self.qemu.last_words()
    }
}
