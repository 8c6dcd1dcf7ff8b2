//! The kernel's IPVS.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::Change;
use rlvs_lab::{Lab, command, wait};
use rlvs_tests::place::Place;

use crate::generate::SCHEDULERS;
use crate::scenario::SERVERS;
use crate::side::{Connection, Side, mark_packets};
use crate::words::line;

/// The real one, not rlvs by that name.
const IPVSADM: &str = "/usr/sbin/ipvsadm";
const SOON: Duration = Duration::from_secs(30);

/// The kernel's own director, with one `ipvsadm -R` that goes on reading: a process for every
/// change would take most of the time.
#[derive(Debug)]
pub(crate) struct Kernel {
    place: Place,
    ipvsadm: Child,
    lines: ChildStdin,
    /// Whether the service that marks the end of changes is there.
    marked: bool,
}

impl Kernel {
    pub(crate) fn start(lab: &Lab) -> Result<Self> {
        let schedulers = SCHEDULERS.map(|name| format!("ip_vs_{name}"));
        let mut modprobe = Command::new("modprobe");
        modprobe.args(["-a", "ip_vs"]).args(schedulers);
        command::finish(&mut modprobe, Duration::from_secs(60))?.success()?;
        let place = Place::new(lab, "kernel", SERVERS)?;
        mark_packets(&place)?;
        let mut ipvsadm = place
            .host
            .command(IPVSADM)
            .arg("-R")
            .stdin(Stdio::piped())
            .spawn()
            .context(IPVSADM)?;
        let lines = ipvsadm.stdin.take().context("no pipe to ipvsadm")?;
        Ok(Self {
            place,
            ipvsadm,
            lines,
            marked: false,
        })
    }

    /// Waits until all lines are read, by one more that shows.
    fn settle(&mut self) -> Result<()> {
        self.marked = !self.marked;
        let mark = if self.marked {
            "-A -f 1 -s rr"
        } else {
            "-D -f 1"
        };
        writeln!(self.lines, "{mark}")?;
        let (ipvsadm, marked) = (&mut self.ipvsadm, self.marked);
        self.place.within(|| {
            wait::until("ipvsadm has made all changes", SOON, || {
                ensure!(ipvsadm.try_wait()?.is_none(), "ipvsadm has ended");
                let services = fs::read_to_string("/proc/thread-self/net/ip_vs")?;
                Ok(services
                    .lines()
                    .any(|line| line.starts_with("FWM  00000001 "))
                    == marked)
            })
        })
    }
}

impl Side for Kernel {
    fn place(&mut self) -> &mut Place {
        &mut self.place
    }

    fn apply(&mut self, changes: &[Change]) -> Result<()> {
        for change in changes {
            writeln!(self.lines, "{}", line(change))?;
        }
        self.settle()
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<()> {
        let file = Path::new("/proc/sys/net/ipv4/vs").join(setting);
        self.place.within(|| Ok(fs::write(&file, value)?))
    }

    fn connections(&mut self) -> Result<Vec<Connection>> {
        let table = self.file("ip_vs_conn")?;
        table
            .lines()
            .skip(1)
            .map(|line| parse(line).with_context(|| line.to_owned()))
            .collect()
    }

    fn file(&mut self, name: &str) -> Result<String> {
        let file = Path::new("/proc/thread-self/net").join(name);
        self.place.within(|| Ok(fs::read_to_string(file)?))
    }

    fn listing(&mut self, options: &str) -> Result<String> {
        if self.marked {
            self.settle()?;
        }
        self.place.listing(Path::new(IPVSADM), options)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.ipvsadm.kill();
        let _ = self.ipvsadm.wait();
    }
}

/// `TCP 0A600001 0401 0A630001 0050 0A620001 0050 ESTABLISHED 897`
fn parse(line: &str) -> Option<Connection> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let endpoint = |at: usize| {
        let port = u16::from_str_radix(words.get(at + 1)?, 16).ok()?;
        Some(SocketAddr::new(address(words.get(at)?)?, port))
    };
    Some(Connection {
        protocol: (*words.first()?).to_owned(),
        client: endpoint(1)?,
        virtual_address: endpoint(3)?,
        destination: endpoint(5)?,
        state: (*words.get(7)?).to_owned(),
        expires: words.get(8)?.parse().ok()?,
    })
}

fn address(word: &str) -> Option<IpAddr> {
    if word.contains(':') {
        return word.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    }
    let bits = u32::from_str_radix(word, 16).ok()?;
    Some(Ipv4Addr::from_bits(bits).into())
}

#[test]
fn lines_of_the_connection_table_are_understood() {
    let entry = parse("TCP 0A600001 0401 0A630001 0050 0A620001 0050 ESTABLISHED     897").unwrap();
    assert_eq!(entry.client, "10.96.0.1:1025".parse().unwrap());
    assert_eq!((entry.state.as_str(), entry.expires), ("ESTABLISHED", 897));
    let entry = parse(
        "UDP fd60:0000:0000:0000:0000:0000:0000:0001 0401 fd99:0000:0000:0000:0000:0000:0000:0001 \
         0051 fd98:0000:0000:0000:0000:0000:0000:0001 0051 UDP             299",
    );
    assert_eq!(entry.unwrap().destination, "[fd98::1]:81".parse().unwrap());
}
