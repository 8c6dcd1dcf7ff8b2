//! A DNS query each millisecond, all of one socket, and which of them were answered.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Host, Process};

const PERIOD: Duration = Duration::from_millis(1);
/// Each has a number of 16 bits.
const MOST: usize = 60_000;
/// Answers to the last ones.
const LAST: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(70);

/// What is run in the client's network namespace.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    server: SocketAddr,
    /// It ends when this file is there
    stop: PathBuf,
}

/// A probe at work.
#[derive(Debug)]
pub(super) struct Probe {
    process: Process,
    stop: PathBuf,
}

/// What it has seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) sent: u32,
    pub(super) lost: u32,
    /// From the first of those lost in a row to the next that was answered, in milliseconds.
    pub(super) longest_ms: u32,
}

impl Probe {
    /// Begins to ask the DNS service of `vip`.
    pub(super) fn start(host: &Host, vip: IpAddr) -> Result<Self> {
        let stop = host.directory()?.join("probe.stop");
        let server = SocketAddr::new(vip, 53).to_string();
        let program = std::env::current_exe()?.display().to_string();
        let words = ["ha-probe".as_ref(), server.as_ref(), stop.as_os_str()];
        let process = host.spawn("probe", &program, words)?;
        Ok(Self { process, stop })
    }

    /// Waits until so many queries in a row were answered.
    pub(super) fn wait_answered(&mut self, count: u32) -> Result<()> {
        let answered = |log: &str| {
            let last = log.lines().rev().find_map(|it| it.strip_prefix("row "));
            last.and_then(|it| it.parse::<u32>().ok()).unwrap_or(0)
        };
        self.process
            .wait_until(LIMIT, |it| Ok(answered(&it.log()) >= count))
    }

    pub(super) fn finish(mut self) -> Result<Seen> {
        fs::write(&self.stop, "")?;
        let status = self.process.wait(LIMIT)?;
        let log = self.process.log();
        ensure!(status.success(), "{status}: {log}");
        let number = |name: &str| {
            let found = log.lines().find_map(|line| line.strip_prefix(name));
            let found = found.and_then(|it| it.trim().parse().ok());
            found.with_context(|| format!("no {name}: {log}"))
        };
        Ok(Seen {
            sent: number("sent")?,
            lost: number("lost")?,
            longest_ms: number("longest")?,
        })
    }
}

/// Asks until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let any: SocketAddr = match arguments.server {
        SocketAddr::V4(_) => "0.0.0.0:0".parse()?,
        SocketAddr::V6(_) => "[::]:0".parse()?,
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(arguments.server)?;
    socket.set_read_timeout(Some(LAST / 5))?;
    let asked = Arc::new(Asked::default());
    let hearing = {
        let (asked, socket) = (Arc::clone(&asked), socket.try_clone()?);
        thread::spawn(move || asked.hear(&socket))
    };
    let sent_at = asked.ask(&socket, &arguments.stop);
    thread::sleep(LAST);
    asked.ends.store(true, Ordering::Relaxed);
    let answered = hearing.join().unwrap_or_default();
    let seen = seen(&sent_at, &answered);
    println!(
        "sent {}\nlost {}\nlongest {}",
        seen.sent, seen.lost, seen.longest_ms
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Asked {
    ends: AtomicBool,
}

impl Asked {
    /// When each was sent.
    fn ask(&self, socket: &UdpSocket, stop: &Path) -> Vec<Instant> {
        let begun = Instant::now();
        let mut sent = Vec::with_capacity(MOST);
        while sent.len() < MOST && !(sent.len() % 50 == 0 && stop.exists()) {
            // An error is one of an earlier query, or of a link that is down: this one is lost.
            let _ = socket.send(&query(sent.len() as u16));
            sent.push(Instant::now());
            let next = begun + PERIOD * sent.len() as u32;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        sent
    }

    /// Which were answered; says now and then how many were in a row.
    fn hear(&self, socket: &UdpSocket) -> Vec<bool> {
        let mut answered = vec![false; MOST];
        let (mut row, mut last) = (0u32, 0usize);
        let mut message = [0; 512];
        while !self.ends.load(Ordering::Relaxed) {
            let number = match socket.recv(&mut message) {
                Ok(length) if length >= 2 => u16::from_be_bytes([message[0], message[1]]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    row = 0;
                    continue;
                }
                _ => continue,
            };
            let number = usize::from(number);
            if let Some(place) = answered.get_mut(number) {
                *place = true;
            }
            row = if number <= last + 1 { row + 1 } else { 0 };
            last = last.max(number);
            if row % 100 == 0 {
                println!("row {row}");
            }
        }
        answered
    }
}

/// TXT of who.lab, as RFC 1035 has it.
fn query(number: u16) -> Vec<u8> {
    let mut query = number.to_be_bytes().to_vec();
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend(b"\x03who\x03lab\x00\x00\x10\x00\x01");
    query
}

fn seen(sent: &[Instant], answered: &[bool]) -> Seen {
    let mut seen = Seen {
        sent: sent.len() as u32,
        ..Seen::default()
    };
    let mut since = None;
    let gap = |since: Instant, until: Instant, longest: &mut u32| {
        let gap = until.duration_since(since).as_millis() as u32;
        *longest = gap.max(*longest);
    };
    for (at, was_answered) in sent.iter().zip(answered) {
        match (was_answered, since) {
            (true, Some(begun)) => {
                gap(begun, *at, &mut seen.longest_ms);
                since = None;
            }
            (false, None) => since = Some(*at),
            _ => {}
        }
        seen.lost += u32::from(!was_answered);
    }
    if let (Some(begun), Some(last)) = (since, sent.last()) {
        gap(begun, *last, &mut seen.longest_ms);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts() {
        let begun = Instant::now();
        let sent: Vec<_> = (0..10).map(|n| begun + PERIOD * n).collect();
        let answered = [
            true, false, true, false, false, false, true, true, true, false,
        ];
        let expected = Seen {
            sent: 10,
            lost: 5,
            longest_ms: 3,
        };
        assert_eq!(seen(&sent, &answered), expected);
    }
}
