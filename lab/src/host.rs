//! A machine of the lab: a network namespace, and commands in it.

use std::ffi::OsStr;
use std::io::Write;
use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use crate::address::Address;
use crate::command::{self, Finished};
use crate::lab::Lab;
use crate::process::Process;
use crate::segment::Segment;

/// What a command may take, unless it is told otherwise. The emulated kernel is slow.
pub const LIMIT: Duration = Duration::from_secs(120);

const COOKIE: &str = "import socket, struct
print(struct.unpack('Q', socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8))[0])";

/// A network namespace of a lab.
#[derive(Debug)]
pub struct Host {
    lab: Lab,
    name: String,
    addresses: Vec<Address>,
    processes: AtomicU32,
}

impl Host {
    /// A host with nothing but its loopback interface.
    pub fn new(lab: &Lab, name: &str) -> Result<Self> {
        let host = Self {
            lab: lab.clone(),
            name: name.to_owned(),
            addresses: Vec::new(),
            processes: AtomicU32::new(0),
        };
        let mut add = Command::new("ip");
        add.args(["netns", "add", &host.namespace()]);
        command::finish(&mut add, LIMIT)?.success()?;
        // Addresses are usable at once: nobody waits for duplicates of them.
        host.sysctl(&[
            ("net.ipv6.conf.all.accept_dad", "0"),
            ("net.ipv6.conf.default.accept_dad", "0"),
            ("net.ipv6.conf.default.accept_ra", "0"),
        ])?;
        ip_batch(&host, &["link set lo up".to_owned()])?;
        Ok(host)
    }

    /// Connects the next interface, `eth0` first, to a segment, as its host `number`.
    pub fn join(&mut self, segment: &Segment, number: u8) -> Result<&Address> {
        let interface = format!("eth{}", self.addresses.len());
        let address = Address::new(segment.number(), number);
        segment.plug(self, &interface, &address.mac)?;
        // As at the other end of the cable, see `Segment`.
        self.run("ethtool", ["-K", &interface, "tx", "off"])?;
        ip_batch(
            self,
            &[
                format!("addr add {}/24 dev {interface}", address.v4),
                format!("addr add {}/64 dev {interface} nodad", address.v6),
                format!("link set {interface} up"),
            ],
        )?;
        self.addresses.push(address);
        self.addresses.last().context("a host without address")
    }

    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// As `ip netns` lists it.
    pub fn namespace(&self) -> String {
        format!("{}-{}", self.lab.name(), self.name)
    }

    /// By which rlvs names what it keeps for this namespace (SO_NETNS_COOKIE).
    pub fn cookie(&self) -> Result<u64> {
        let cookie = self.run("python3", ["-c", COOKIE])?;
        cookie.trim().parse().with_context(|| cookie.clone())
    }

    /// What `nsenter --net=` takes.
    pub fn namespace_file(&self) -> String {
        format!("/run/netns/{}", self.namespace())
    }

    /// Address of the first interface.
    ///
    /// # Panics
    ///
    /// Where the host has not joined a segment.
    pub fn address(&self) -> &Address {
        self.addresses
            .first()
            .expect("a host that has joined a segment")
    }

    /// A directory for this host's programs; removed with the lab.
    pub fn directory(&self) -> Result<PathBuf> {
        let directory = self.lab.directory().join(&self.name);
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// `program` in this host; the lab's own programs come first in its PATH.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut path = self.lab.directory().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("nsenter");
        command.env("PATH", path);
        command
            .arg(format!("--net={}", self.namespace_file()))
            .arg(program);
        command
    }

    /// Runs a program; its standard output if it succeeds.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String> {
        self.try_run(program, arguments)?.success()
    }

    /// Runs a program, which may fail.
    pub fn try_run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Finished> {
        command::finish(self.command(program).args(arguments), LIMIT)
    }

    /// Runs a line of shell; its standard output if it succeeds.
    pub fn shell(&self, line: &str) -> Result<String> {
        self.run("bash", ["-c", line])
    }

    /// Starts a program in the background; `name` is for its log.
    pub fn spawn<S: AsRef<OsStr>>(
        &self,
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Process> {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let log = self.directory()?.join(format!("{name}-{number}.log"));
        let mut command = self.command(program);
        command.args(arguments);
        Process::start(
            &self.lab,
            &format!("{} on {}", name, self.name),
            command,
            log,
        )
    }

    /// Sets kernel parameters of this namespace.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        let words = settings.iter().map(|(key, value)| format!("{key}={value}"));
        let words = ["-q".to_owned(), "-w".to_owned()].into_iter().chain(words);
        self.run("sysctl", words).map(drop)
    }

    /// Has the host hand on packets that are not for it, as a router.
    pub fn forward(&self) -> Result<()> {
        self.sysctl(&[
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv6.conf.all.forwarding", "1"),
        ])
    }

    /// Has one CPU take all packets of a flow, as the queues of a network card do. What comes by a veth is
    /// taken by whatever CPU sent it. If that is two at a time, the second may find no connection where
    /// the first is just making one (`inet_ehash_insert`), and the kernel resets it: one of millions.
    pub(crate) fn keep_flows_together(&self) -> Result<()> {
        let cpus = thread::available_parallelism().map_or(1, NonZero::get);
        let all = (1_u64 << cpus.min(32)) - 1;
        let line = format!(
            "for queue in /sys/class/net/eth*/queues/rx-*; do echo {all:x} > $queue/rps_cpus; done"
        );
        // It mounts the /sys of the namespace.
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(), "bash", "-ec", &line]);
        command::finish(&mut command, LIMIT)?.success().map(drop)
    }

    /// Gives the first interface another MAC address, as a machine that was replaced has.
    pub fn set_mac(&mut self, mac: &str) -> Result<()> {
        ip_batch(self, &[format!("link set eth0 address {mac}")])?;
        let address = self
            .addresses
            .first_mut()
            .context("a host without address")?;
        mac.clone_into(&mut address.mac);
        Ok(())
    }

    /// Gives the host one more address on `interface`, as /32 or /128. An IPv6 one is not what it
    /// sends from by itself.
    pub fn add_address(&self, address: impl Into<IpAddr>, interface: &str) -> Result<()> {
        let address = address.into();
        let length = match address {
            IpAddr::V4(_) => "32",
            IpAddr::V6(_) => "128 nodad preferred_lft 0",
        };
        let line = format!("addr replace {address}/{length} dev {interface}");
        ip_batch(self, &[line])
    }
}

/// Runs commands of `ip` in `host`, all in one process.
pub(crate) fn ip_batch(host: &Host, lines: &[String]) -> Result<()> {
    let mut file = NamedTempFile::new_in(host.directory()?)?;
    file.write_all(lines.join("\n").as_bytes())?;
    host.run("ip", ["-batch".as_ref(), file.path().as_os_str()])
        .map(drop)
}
