//! A second kernel: Debian's stock one, emulated, with the host's programs and files.
//!
//! The minimum kernel of rlvs is not the kernel of the machine it is built on, and only a kernel
//! with the real `ip_vs` can say what LVS does. So commands run in a virtual machine that needs
//! neither KVM nor a disk image:
//!
//! ```text
//!   host /  ── 9p, read-only ──►  overlay with a tmpfs = the guest's /
//!   --share ── 9p, writable  ──►  the same path in the guest
//!   stdout, stderr  ◄── one virtio serial port each ──  the command, as root, in our directory
//! ```
//!
//! What the guest writes is lost, except below a share. It has no network card: make namespaces.
//! `RLVS_VM=1` is set in it. Emulated code is 10 to 50 times slower than the host's: choose time
//! limits to match.

mod initramfs;
mod kernel;
mod machine;
mod qemu;
mod relay;

use std::env;
use std::io::{self, Write, stderr, stdout};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use initramfs::Job;
use machine::Machine;

/// Exit status for a command whose virtual machine died or ran out of time.
pub const VM_FAILED: u8 = 125;

/// What costs the least to emulate: three quarters of what the newest do.
const PROCESSOR: &str = "Nehalem";

/// A kernel is up in ten seconds; on a busy host in a minute.
const BOOT: Duration = Duration::from_secs(120);
/// Lines of a failed test that its error repeats, of each output.
const LAST_WORDS: usize = 60;

/// Whether this program runs in such a machine.
pub fn inside() -> bool {
    env::var_os("RLVS_VM").is_some()
}

/// Set in a guest whose clock skips idle time, see [`Vm::icount`].
const SKIPS_IDLE_TIME: &str = "RLVS_VM_SKIPS_IDLE_TIME";
const SKIPPED: u32 = 100;

/// How long to wait here for what may take `limit`, by the clock. While the host of a guest that
/// skips idle time reads a file for it, 30 ms are enough for its clock to advance half a minute.
pub(crate) fn patience(limit: Duration) -> Duration {
    match env::var_os(SKIPS_IDLE_TIME) {
        Some(_) => limit.saturating_mul(SKIPPED),
        None => limit,
    }
}

/// A virtual machine to be: it boots when a command is run in it.
#[derive(Clone, Debug)]
pub struct Vm {
    icount: bool,
    processor: &'static str,
    smp: u32,
    memory_mib: u32,
    limit: Duration,
    boot_limit: Duration,
    shares: Vec<Share>,
    environment: Vec<String>,
    kernel_log: Option<PathBuf>,
}

/// A directory of the host that the guest may write to.
#[derive(Clone, Debug)]
pub struct Share {
    pub host: PathBuf,
    pub guest: PathBuf,
}

/// What a command in the guest printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Default for Vm {
    fn default() -> Self {
        Self {
            icount: false,
            processor: PROCESSOR,
            smp: 2,
            memory_mib: 1024,
            limit: Duration::from_secs(300),
            boot_limit: BOOT,
            shares: Vec::new(),
            environment: binary_under_test().into_iter().collect(),
            kernel_log: None,
        }
    }
}

/// The guest sees the host's files: what is tested here is tested there.
fn binary_under_test() -> Option<String> {
    let binary = env::var("RLVS_BIN").ok()?;
    Some(format!("RLVS_BIN={binary}"))
}

impl Vm {
    pub fn new() -> Self {
        Self::default()
    }

    /// One CPU whose clock advances by 1 ns an executed instruction and by nothing else, idle time
    /// skipped: time-stamps count instructions, whatever else the host is doing. Waiting for the
    /// host to read a file is idle time too, see [`patience`].
    pub fn icount(mut self, icount: bool) -> Self {
        self.icount = icount;
        match icount {
            true => self.env(SKIPS_IDLE_TIME, "1"),
            false => self,
        }
    }

    /// Another processor, by its name in the emulator (`-cpu`).
    pub fn processor(mut self, name: &'static str) -> Self {
        self.processor = name;
        self
    }

    /// How many CPUs; one where instructions are counted.
    pub fn smp(mut self, cpus: u32) -> Self {
        self.smp = cpus;
        self
    }

    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// After this much of the host's time, boot included, the machine is killed.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A machine whose command has not begun after this much of the host's time is started once
    /// more.
    pub fn boot_limit(mut self, limit: Duration) -> Self {
        self.boot_limit = limit;
        self
    }

    /// Lets the guest write to `host`, which it sees as `guest`.
    pub fn share(mut self, host: impl Into<PathBuf>, guest: impl Into<PathBuf>) -> Self {
        self.shares.push(Share {
            host: host.into(),
            guest: guest.into(),
        });
        self
    }

    /// Sets an environment variable for the command. The host's are not handed on.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// Keeps the kernel's console there.
    pub fn kernel_log(mut self, file: impl Into<PathBuf>) -> Self {
        self.kernel_log = Some(file.into());
        self
    }

    /// Boots, runs `command`, and collects what it prints. An error is the machine's, not the
    /// command's.
    pub fn run<S: AsRef<str>>(&self, command: &[S]) -> Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = self.run_into(command, &mut stdout, &mut stderr)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
        })
    }

    /// As [`Vm::run`], but hands on what the command prints as it comes.
    pub fn run_into<S: AsRef<str>>(
        &self,
        command: &[S],
        stdout: &mut (impl Write + Send),
        stderr: &mut (impl Write + Send),
    ) -> Result<i32> {
        let deadline = Instant::now() + self.limit;
        let mut machine = self.boot(command)?;
        let ended = machine.relay(deadline, stdout, stderr);
        if let Some(file) = &self.kernel_log {
            machine.save_console(file)?;
        }
        ended.with_context(|| {
            let (words, limit) = (machine.last_words(), self.limit.as_secs());
            format!("{words}virtual machine with {limit} s")
        })
    }

    /// Once in about a thousand boots the emulator's CPUs wait for each other for ever while the
    /// kernel comes up: the second try is not for the command, which has not begun.
    fn boot<S: AsRef<str>>(&self, command: &[S]) -> Result<Machine> {
        let kernel = kernel::newest()?;
        let mut machine = Machine::start(self, &kernel, command)?;
        let limit = self.boot_limit;
        if !machine.begins(limit.min(self.limit))? && limit < self.limit {
            eprintln!("virtual machine: not up after {} s: again", limit.as_secs());
            machine = Machine::start(self, &kernel, command)?;
        }
        Ok(machine)
    }

    /// Runs a test of the running test program in the guest, alone; an error unless it passes.
    /// In the guest that test finds [`inside`] true.
    pub fn run_test(&self, name: &str) -> Result<()> {
        let output = self.run(&test_command(name)?)?;
        ensure!(
            has_passed(output.status, output.stdout.as_bytes()),
            "{name} in the virtual machine\n{}{}",
            output.stdout,
            output.stderr
        );
        Ok(())
    }

    /// As [`Vm::run_test`], but shows what the test prints as it comes. The error has the end of it.
    pub fn show_test(&self, name: &str) -> Result<()> {
        let mut shown = Shown::new(stdout());
        let mut complaints = Shown::new(stderr());
        let status = self.run_into(&test_command(name)?, &mut shown, &mut complaints)?;
        ensure!(
            has_passed(status, &shown.seen),
            "{name} in the virtual machine\n{}{}",
            shown.last_words(),
            complaints.last_words()
        );
        Ok(())
    }

    fn job<S: AsRef<str>>(&self, command: &[S], token: &str) -> Result<Job> {
        let directory = env::current_dir()?;
        Ok(Job {
            command: command
                .iter()
                .map(|word| word.as_ref().to_owned())
                .collect(),
            directory: directory
                .to_str()
                .context("current directory: not UTF-8")?
                .to_owned(),
            environment: self.environment.clone(),
            shares: self
                .shares
                .iter()
                .map(|share| share.guest.display().to_string())
                .collect(),
            token: token.to_owned(),
        })
    }
}

fn test_command(name: &str) -> Result<[String; 4]> {
    let program = env::current_exe()?;
    let program = program.to_str().context("test program: not UTF-8")?;
    Ok([program, "--exact", name, "--nocapture"].map(str::to_owned))
}

fn has_passed(status: i32, stdout: &[u8]) -> bool {
    status == 0 && String::from_utf8_lossy(stdout).contains("1 passed")
}

/// An output, and all that went there.
struct Shown<W> {
    output: W,
    seen: Vec<u8>,
}

impl<W> Shown<W> {
    fn new(output: W) -> Self {
        Self {
            output,
            seen: Vec::new(),
        }
    }

    fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.seen);
        let lines: Vec<_> = text.lines().collect();
        let first = lines.len().saturating_sub(LAST_WORDS);
        lines[first..]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seen.extend_from_slice(bytes);
        // A closed output does not end the test.
        let _ = self.output.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.output.flush();
        Ok(())
    }
}
