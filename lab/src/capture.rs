//! Frames seen on an interface, by tcpdump: whose MAC address sent them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::host::Host;
use crate::process::Process;
use crate::wait;

const READY: Duration = Duration::from_secs(60);
/// A capture ends by itself, however long its owner lives.
const MOST_FRAMES: &str = "100000";

/// A capture that goes on.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Process,
}

impl Capture {
    /// Looks at `interface` of `host` for frames that match `filter`, in tcpdump's words.
    pub fn start(host: &Host, interface: &str, filter: &str) -> Result<Self> {
        let arguments = [
            "-e",
            "-n",
            "-l",
            "--immediate-mode",
            "-c",
            MOST_FRAMES,
            "-i",
            interface,
            filter,
        ];
        let mut tcpdump = host.spawn("tcpdump", "tcpdump", arguments)?;
        tcpdump.wait_until(READY, |process| Ok(process.log().contains("listening on")))?;
        Ok(Self { tcpdump })
    }

    /// Ends the capture once no more frames come; how many there were from each MAC address.
    pub fn sources(mut self) -> Result<BTreeMap<String, u32>> {
        let mut seen = 0;
        wait::until("the capture is quiet", READY, || {
            std::thread::sleep(Duration::from_millis(200));
            let before = std::mem::replace(&mut seen, self.tcpdump.log().len());
            Ok(before == seen)
        })?;
        self.tcpdump.stop()?;
        Ok(count_sources(&self.tcpdump.log()))
    }
}

fn count_sources(log: &str) -> BTreeMap<String, u32> {
    let mut sources = BTreeMap::new();
    for mac in log.lines().filter_map(source) {
        *sources.entry(mac.to_owned()).or_default() += 1;
    }
    sources
}

/// The MAC address before the arrow in `12:00:00.000000 MAC > MAC, ethertype ...`.
fn source(line: &str) -> Option<&str> {
    let (mac, _) = line.split_once(' ')?.1.split_once(" > ")?;
    (mac.len() == "02:00:0a:00:00:11".len()).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_source() {
        let frame = |mac| format!("04:00:00.1 {mac} > 02:00:0a:00:00:02, ethertype IPv4, x > y\n");
        let frames = [frame("02:00:0a:00:00:11"), frame("02:00:0a:00:00:12")].concat();
        let log = format!(
            "listening on eth0\n{frames}{}2 packets captured",
            frame("02:00:0a:00:00:11")
        );
        let sources = count_sources(&log);
        assert_eq!(sources["02:00:0a:00:00:11"], 2);
        assert_eq!(sources.len(), 2);
    }
}
