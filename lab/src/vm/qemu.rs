//! The emulator as a child process that does not outlive us.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use super::Vm;
use super::kernel::Kernel;

/// The file, in the machine's directory, that takes the kernel's console.
pub(super) const CONSOLE: &str = "console";
const MESSAGES: &str = "messages";
/// Printed there by the guest when it is up.
const BEGINS: &[u8] = b"rlvs vm: the command begins";
const LAST_LINES: usize = 80;

const KERNEL_PARAMETERS: &str = "console=ttyS0 panic=-1 oops=panic nowatchdog tsc=reliable \
    no_timer_check net.ifnames=0 random.trust_cpu=on rcupdate.rcu_cpu_stall_suppress=1 \
    mitigations=off";

/// A running virtual machine; killed when dropped.
#[derive(Debug)]
pub(super) struct Qemu {
    child: Child,
    directory: PathBuf,
    stdout: UnixListener,
    stderr: UnixListener,
}

impl Qemu {
    pub(super) fn start(vm: &Vm, kernel: &Kernel, directory: &Path) -> Result<Self> {
        let stdout = UnixListener::bind(directory.join("stdout"))?;
        let stderr = UnixListener::bind(directory.join("stderr"))?;
        let messages = File::create(directory.join(MESSAGES))?;
        File::create(directory.join(CONSOLE))?;
        // setpriv becomes qemu: the kernel kills it should this process die without a word.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(arguments(vm, kernel, directory))
            .stdin(Stdio::null())
            .stdout(messages.try_clone()?)
            .stderr(messages)
            .spawn()
            .context("cannot start qemu-system-x86_64")?;
        Ok(Self {
            child,
            directory: directory.to_owned(),
            stdout,
            stderr,
        })
    }

    /// The guest's standard output and standard error, once the emulator has opened them.
    pub(super) fn streams(&self) -> io::Result<Option<(UnixStream, UnixStream)>> {
        self.stdout.set_nonblocking(true)?;
        match self.stdout.accept() {
            Ok((stdout, _)) => {
                stdout.set_nonblocking(false)?;
                Ok(Some((stdout, self.stderr.accept()?.0)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the guest is up and has begun with its command.
    pub(super) fn begun(&self) -> io::Result<bool> {
        let console = fs::read(self.directory.join(CONSOLE))?;
        Ok(console.windows(BEGINS.len()).any(|part| part == BEGINS))
    }

    pub(super) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    pub(super) fn kill(&mut self) {
        // Both fail only where the child has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of the emulator's messages and of the kernel's console.
    pub(super) fn last_words(&self) -> String {
        [MESSAGES, CONSOLE]
            .map(|file| last_lines(&self.directory.join(file)))
            .concat()
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
    }
}

fn arguments(vm: &Vm, kernel: &Kernel, directory: &Path) -> Vec<OsString> {
    let mut arguments = Arguments(Vec::new());
    arguments.add("-nodefaults -no-user-config -display none -no-reboot");
    arguments.pair("-cpu", vm.processor);
    arguments.pair("-m", vm.memory_mib.to_string());
    arguments.pair("-kernel", &kernel.image);
    arguments.pair("-initrd", directory.join("initrd"));
    arguments.pair("-append", kernel_parameters(vm));
    arguments.clock(vm);
    arguments.pair(
        "-chardev",
        option("file,id=console,path=", &directory.join(CONSOLE)),
    );
    arguments.add("-serial chardev:console -device virtio-serial-pci");
    for port in ["stdout", "stderr"] {
        let socket = option(&format!("socket,id={port},path="), &directory.join(port));
        arguments.pair("-chardev", socket);
        arguments.add(&format!(
            "-device virtserialport,chardev={port},name={port}"
        ));
    }
    arguments.file_system("root", Path::new("/"), ",readonly=on");
    for (number, share) in vm.shares.iter().enumerate() {
        arguments.file_system(&format!("share{number}"), &share.host, "");
    }
    arguments.0
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, words: &str) {
        self.0.extend(words.split_whitespace().map(OsString::from));
    }

    fn pair(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.extend([name.into(), value.into()]);
    }

    fn clock(&mut self, vm: &Vm) {
        if vm.icount {
            self.add("-accel tcg,thread=single -smp 1 -icount shift=0,sleep=off");
            self.add("-seed 1 -rtc clock=vm");
        } else {
            self.add(&format!("-accel tcg,thread=multi -smp {}", vm.smp));
        }
    }

    fn file_system(&mut self, tag: &str, path: &Path, more: &str) {
        let mut device = option(&format!("local,id={tag},path="), path);
        device.push(",security_model=none,multidevs=remap");
        device.push(more);
        self.pair("-fsdev", device);
        self.add(&format!(
            "-device virtio-9p-pci,fsdev={tag},mount_tag={tag}"
        ));
    }
}

/// `name` and a path, whose commas qemu wants doubled.
fn option(name: &str, path: &Path) -> OsString {
    format!("{name}{}", path.display().to_string().replace(',', ",,")).into()
}

fn kernel_parameters(vm: &Vm) -> String {
    let repeatable = if vm.icount { " nokaslr norandmaps" } else { "" };
    format!("{KERNEL_PARAMETERS}{repeatable}")
}

fn last_lines(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let start = lines.len().saturating_sub(LAST_LINES);
    lines[start..]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}
