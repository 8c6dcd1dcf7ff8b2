//! As many short requests as there can be, each in a connection of its own.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Process};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(180);
/// It ends by itself after so many requests, or seconds.
const REQUESTS: u32 = 2_000_000;
const SECONDS: u32 = 900;
/// Requests at a time.
const AT_ONCE: u32 = 10;

/// Requests that go on.
#[derive(Debug)]
pub struct Load(Process);

/// What became of them.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub requests: u64,
    /// Requests that were not answered yet.
    pub open: u64,
}

impl Load {
    /// Begins to send requests from `host` to port 80 of `vip`; the first connection that is refused
    /// or reset ends it.
    pub fn start(host: &Host, vip: IpAddr) -> Result<Self> {
        let url = format!("http://{}/", with_port(vip, 80));
        let line = format!("-q -l -s 30 -t {SECONDS} -n {REQUESTS} -c {AT_ONCE}");
        let words = line.split(' ').chain([url.as_str()]);
        Ok(Self(host.spawn("load", "ab", words)?))
    }

    /// Waits for something while it goes on.
    pub fn wait_until(&mut self, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        self.0.wait_until(LIMIT, |_| holds())
    }

    /// Ends it. All requests must have been answered.
    pub fn finish(mut self) -> Result<Answered> {
        self.0.signal(Signal::INT)?;
        self.0.wait(LIMIT)?;
        let log = self.0.log();
        let requests = number(&log, "Complete requests:")?;
        ensure!(number(&log, "Failed requests:")? == 0, "{log}");
        ensure!(!log.contains("Non-2xx responses:"), "{log}");
        let rate = log.lines().find(|line| line.starts_with("Requests per"));
        println!("{}", rate.unwrap_or_default());
        Ok(Answered {
            requests,
            open: AT_ONCE.into(),
        })
    }
}

fn number(log: &str, name: &str) -> Result<u64> {
    let line = log.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.with_context(|| format!("no {name} {log}"))
}
