//! Frames on a wire, counted by tcpdump: how many, and of how many bytes.

use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Host, Process, wait};

const READY: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_millis(300);
const ETHERNET: u64 = 14;

/// A count that goes on.
#[derive(Debug)]
pub struct Frames {
    tcpdump: Process,
}

impl Frames {
    /// Counts frames on `eth0` of `host` that match `filter`, in tcpdump's words.
    pub fn count(host: &Host, filter: &str) -> Result<Self> {
        let line = "-e -n -l --immediate-mode --snapshot-length 96 --buffer-size 16384 -i eth0";
        let words = line.split(' ').chain([filter]);
        let mut tcpdump = host.spawn("frames", "tcpdump", words)?;
        tcpdump.wait_until(READY, |it| Ok(it.log().contains("listening on")))?;
        Ok(Self { tcpdump })
    }

    /// Ends the count once `expected` frames were seen and no more come: packets, and their bytes
    /// without the Ethernet header.
    pub fn finish(mut self, expected: u64) -> Result<(u64, u64)> {
        let seen = wait::until("the frames are seen", READY, || {
            Ok(frames(&self.tcpdump.log()).count() as u64 >= expected)
        });
        seen.with_context(|| format!("{expected} frames"))?;
        let mut seen = 0;
        wait::until("no more frames come", READY, || {
            std::thread::sleep(QUIET);
            let before = std::mem::replace(&mut seen, self.tcpdump.log().len());
            Ok(before == seen)
        })?;
        self.tcpdump.stop()?;
        let log = self.tcpdump.log();
        frames(&log)
            .map(length)
            .try_fold((0, 0), |(packets, bytes), length| {
                Ok((packets + 1, bytes + length? - ETHERNET))
            })
    }
}

fn frames(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter(|line| line.contains(", ethertype "))
}

/// The number in `TIME MAC > MAC, ethertype IPv4, length 74: ...`.
fn length(line: &str) -> Result<u64> {
    let number = line
        .split_once(", length ")
        .and_then(|(_, rest)| rest.split_once(':'))
        .and_then(|(number, _)| number.parse().ok());
    number.with_context(|| format!("no length: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_measured_not_the_payload() -> Result<()> {
        let line = "1.2 02:00:0a:00:00:02 > 02:00:0a:00:00:05, ethertype IPv4 (0x0800), \
                    length 74: 10.0.0.2.4000 > 10.0.0.100.80: Flags [S], length 0";
        assert_eq!(length(line)?, 74);
        assert!(length("12 packets captured").is_err());
        Ok(())
    }
}
