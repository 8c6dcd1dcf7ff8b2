//! The kernel's IPVS with the ipvsadm of the system, and a director with ours.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Director, Host, Lab};
use rlvs_plane::{Plane, bpffs};

use super::clock::{self, Measured};
use super::rules::Rules;
use super::{connections, sync};

/// What connections are to.
const SERVICE: &str = "192.0.2.1:53";
pub(super) const VIRTUAL: [u8; 4] = [192, 0, 2, 1];
pub(super) const PORT: u16 = 53;
/// From 10.0.0.1 on.
pub(super) const SERVERS: u32 = 20;
/// So that none ends meanwhile.
const TIMEOUT: &str = "86400";
/// As sites with a million connections set it: else each packet looks through hundreds of them.
const BUCKETS: &str = "conn_tab_bits=20";
const LISTING: &str = "/tmp/bench-listing";
const NOTHING: &str = "/dev/null";
/// For what is to end by itself.
pub(super) const LIMIT: Duration = Duration::from_secs(1800);

/// One of the two.
pub(super) trait Side {
    fn ipvsadm(&self) -> Command;

    /// Whose memory is watched.
    fn director(&self) -> Option<u32>;

    /// Makes connections of these clients.
    fn connect(&self, clients: Range<u32>) -> Result<()>;

    fn restore(&self, rules: &Rules) -> Result<Measured> {
        let mut command = self.ipvsadm();
        command.arg("-R");
        clock::run(
            &mut command,
            Some(&rules.file),
            Path::new(NOTHING),
            self.director(),
            LIMIT,
        )
    }

    /// An error unless the listing has so many lines, when it is whole.
    fn list(&self, words: &[&str], lines: usize, limit: Duration) -> Result<Measured> {
        let mut command = self.ipvsadm();
        command.args(words);
        let output = Path::new(LISTING);
        let measured = clock::run(&mut command, None, output, self.director(), limit)?;
        let listing = fs::read(LISTING)?;
        let found = listing.iter().filter(|&&byte| byte == b'\n').count();
        if measured.finished {
            ensure!(found == lines, "{words:?}: {found} lines, not {lines}");
        } else {
            println!(
                "ended after {} s: {found} of {lines} lines",
                limit.as_secs()
            );
        }
        Ok(measured)
    }

    fn clear(&self) -> Result<()> {
        self.tell("-C")
    }

    /// The one service that connections are made to.
    fn balance_connections(&self) -> Result<()> {
        self.tell(&format!("--set 0 0 {TIMEOUT}"))?;
        self.tell(&format!("-A -u {SERVICE} -s rr"))?;
        (1..=SERVERS)
            .try_for_each(|number| self.tell(&format!("-a -u {SERVICE} -r 10.0.0.{number}:53 -g")))
    }

    fn tell(&self, line: &str) -> Result<()> {
        let output = self.ipvsadm().args(line.split(' ')).output()?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{line}: {why}");
        Ok(())
    }
}

/// `ipvsadm` of the system, in a network namespace with nothing else.
#[derive(Debug)]
pub(super) struct Kernel {
    host: Host,
}

impl Kernel {
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        let loaded = Command::new("modprobe").args(["ip_vs", BUCKETS]).status()?;
        ensure!(loaded.success(), "no ip_vs");
        let host = Host::new(lab, "kernel")?;
        let interface = sync::INTERFACE;
        host.shell(&format!(
            "ip link add {interface} type veth peer name end
             ip link set end up
             ip link set {interface} up
             ip addr add {}/24 dev {interface}
             ip route add 224.0.0.0/8 dev {interface}",
            sync::SOURCE
        ))?;
        Ok(Self { host })
    }

    fn take_over(&self, clients: Range<u32>) -> Result<()> {
        let interface = sync::INTERFACE;
        self.tell(&format!(
            "--start-daemon backup --mcast-interface {interface} --syncid {}",
            sync::ID
        ))?;
        sync::send(&self.host, clients)?;
        self.tell("--stop-daemon backup")
    }
}

impl Side for Kernel {
    fn ipvsadm(&self) -> Command {
        self.host.command("/usr/sbin/ipvsadm")
    }

    fn director(&self) -> Option<u32> {
        None
    }

    fn connect(&self, clients: Range<u32>) -> Result<()> {
        let count = clients.end;
        self.take_over(clients)?;
        let listing = self.ipvsadm().arg("-Ln").output()?;
        let found = inactive(&String::from_utf8_lossy(&listing.stdout));
        ensure!(
            found == count,
            "the kernel has {found} of {count} connections"
        );
        Ok(())
    }
}

/// A director in another.
#[derive(Debug)]
pub(super) struct Ours {
    director: Director,
    pid: u32,
}

impl Ours {
    /// With room for the rules as often as they are restored, and for so many connections.
    pub(super) fn start(lab: &Lab, rules: &Rules, times: u32, connections: u32) -> Result<Self> {
        let host = Host::new(lab, "director")?;
        let mut director = Director::new(host)?;
        director.start_rlvs_with(&format!(
            "connections = {connections}\nconnections_ipv6 = 1\nservices = {}\ndestinations = {}\n\
             [interfaces]\nnames = [\"eth9\"]\nloopback = false\n",
            rules.services() * (times + 1) + 1,
            rules.destinations() * (times + 2) + SERVERS,
        ))?;
        let pid = director.daemon().context("no daemon")?.id();
        Ok(Self { director, pid })
    }
}

impl Side for Ours {
    fn ipvsadm(&self) -> Command {
        self.director.host.command("ipvsadm")
    }

    fn director(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn connect(&self, clients: Range<u32>) -> Result<()> {
        let tables = Plane::pinned(&bpffs::directory(self.director.host.cookie()?)?)?;
        connections::make(&tables, clients)
    }
}

/// The sum of the last column of a listing.
fn inactive(listing: &str) -> u32 {
    let servers = listing.lines().filter(|line| line.starts_with("  -> "));
    let last = servers.filter_map(|line| line.split_whitespace().last());
    last.filter_map(|word| word.parse::<u32>().ok()).sum()
}
