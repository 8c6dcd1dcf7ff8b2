//! keepalived on the kernel's IPVS, and a director.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Director, Host, Lab, Process};
use rustix::process::Signal;

use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(1200);
/// CPU time is counted in hundredths of a second.
const TICKS: f64 = 100.0;

/// What something took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) time: Duration,
    /// Seconds of CPU.
    own: f64,
}

impl Cost {
    pub(super) fn median(mut runs: Vec<Self>) -> Option<Self> {
        runs.sort_by_key(|run| run.time);
        runs.get(runs.len() / 2).copied()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2})", self.time.as_secs_f64(), self.own)
    }
}

/// One of the two.
pub(super) trait Side {
    /// Begins with the file.
    fn start(&mut self) -> Result<Cost>;

    fn process(&mut self) -> Result<&mut Process>;

    /// That of the system, or ours.
    fn ipvsadm(&self) -> Command;

    /// Reads the file again, until the last destination has this weight.
    fn reload(&mut self, site: Site, weight: u32) -> Result<Cost> {
        let service = site.last();
        let clock = Clock::start(Some(self.process()?));
        self.process()?.signal(Signal::HUP)?;
        self.wait(&["-Ln", "-t", &service], |listing| {
            weights(listing).any(|found| found == weight.to_string())
        })?;
        Ok(clock.stop(self.process()?))
    }

    fn wait(&mut self, words: &[&str], mut there: impl FnMut(&str) -> bool) -> Result<()> {
        let mut ipvsadm = self.ipvsadm();
        ipvsadm.args(words);
        self.process()?.wait_until(PATIENCE, |_| {
            let listing = ipvsadm.output()?.stdout;
            Ok(there(&String::from_utf8_lossy(&listing)))
        })
    }

    /// Until the last service is there, with all its destinations, and then all others.
    fn wait_for(&mut self, site: Site) -> Result<()> {
        let service = site.last();
        let count = site.count(site.services - 1) as usize;
        self.wait(&["-Ln", "-t", &service], |listing| {
            weights(listing).count() == count
        })?;
        self.wait(&["-Ln"], |listing| {
            weights(listing).count() == site.destinations as usize
        })
    }
}

/// keepalived, which only checks, on the kernel's IPVS.
#[derive(Debug)]
pub(super) struct Keepalived {
    host: Host,
    site: Site,
    process: Option<Process>,
}

impl Keepalived {
    pub(super) fn new(lab: &Lab, site: Site) -> Result<Self> {
        let loaded = Command::new("modprobe").arg("ip_vs").status()?;
        ensure!(loaded.success(), "no ip_vs");
        let host = Host::new(lab, "keepalived")?;
        let process = None;
        Ok(Self {
            host,
            site,
            process,
        })
    }
}

impl Side for Keepalived {
    fn start(&mut self) -> Result<Cost> {
        let directory = self.host.directory()?;
        let clock = Clock::start(None);
        let words = [
            "--dont-fork".to_owned(),
            "--log-console".to_owned(),
            "--check".to_owned(),
            format!("--use-file={}", self.site.write(1)?.display()),
            format!("--pid={}/pid", directory.display()),
            format!("--checkers_pid={}/checkers", directory.display()),
        ];
        self.process = Some(self.host.spawn("keepalived", "keepalived", words)?);
        self.wait_for(self.site)?;
        Ok(clock.stop(self.process()?))
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("keepalived is not started")
    }

    fn ipvsadm(&self) -> Command {
        self.host.command("/usr/sbin/ipvsadm")
    }
}

/// A director, which has the same file.
#[derive(Debug)]
pub(super) struct Ours {
    director: Director,
    site: Site,
}

impl Ours {
    /// The daemon runs, without a service.
    pub(super) fn new(lab: &Lab, site: Site) -> Result<Self> {
        let mut director = Director::new(Host::new(lab, "director")?)?;
        director.start_rlvs_with(&format!(
            "connections = 1024\nservices = {}\ndestinations = {}\n\
             [interfaces]\nnames = [\"eth9\"]\nloopback = false\n",
            site.services * 2,
            site.destinations * 2,
        ))?;
        Ok(Self { director, site })
    }
}

impl Side for Ours {
    fn start(&mut self) -> Result<Cost> {
        let file = self.site.write(1)?;
        let clock = Clock::start(Some(self.process()?));
        self.director.rlvs(&format!("apply {}", file.display()))?;
        self.wait_for(self.site)?;
        Ok(clock.stop(self.process()?))
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.director.daemon().context("no daemon")
    }

    fn ipvsadm(&self) -> Command {
        self.director.host.command("ipvsadm")
    }
}

/// From when on, and what the processes had taken then.
#[derive(Clone, Copy, Debug)]
struct Clock {
    begun: Instant,
    cpu: f64,
}

impl Clock {
    fn start(process: Option<&mut Process>) -> Self {
        Self {
            cpu: process.map_or(0.0, |process| cpu(process.id())),
            begun: Instant::now(),
        }
    }

    fn stop(self, process: &Process) -> Cost {
        Cost {
            time: self.begun.elapsed(),
            own: cpu(process.id()) - self.cpu,
        }
    }
}

/// Seconds of CPU that a process has taken, and its children (proc(5)).
fn cpu(pid: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    ticks(pid) / TICKS + children.map(cpu).sum::<f64>()
}

fn ticks(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may have blanks.
    let (_, fields) = text.rsplit_once(") ").unwrap_or_default();
    let times = fields.split(' ').skip(11).take(2);
    times.filter_map(|time| time.parse::<f64>().ok()).sum()
}

/// Of a listing's destinations.
fn weights(listing: &str) -> impl Iterator<Item = &str> {
    let servers = listing.lines().filter(|line| line.starts_with("  -> 10."));
    servers.filter_map(|line| line.split_whitespace().nth(3))
}
