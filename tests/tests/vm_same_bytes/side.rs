//! The directors.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use rlvs_control::Status;
use rlvs_control::status::NextHop;
use rlvs_lab::{Host, Lab, Process, command, director, wait};
use rlvs_tests::place::Place;
use rlvs_tests::scene::Mode;

use crate::case::Case;

/// The real one, not rlvs by that name.
const IPVSADM: &str = "/usr/sbin/ipvsadm";
const LIMIT: Duration = Duration::from_secs(240);
/// Both make no more than so many ICMP errors in a time; a millisecond of rlvs's clock is four of
/// the machine's.
const REST: Duration = Duration::from_millis(10);

pub(crate) struct Side {
    // Ends before its namespace does.
    daemon: Option<(Process, Mode)>,
    place: Place,
}

impl Side {
    pub(crate) fn kernel(lab: &Lab, servers: u8) -> Result<Self> {
        for module in ["ip_vs", "ip_vs_rr"] {
            command::finish(Command::new("modprobe").arg(module), LIMIT)?.success()?;
        }
        let place = place(lab, "kernel", servers)?;
        Ok(Self {
            daemon: None,
            place,
        })
    }

    /// Does not wait until the daemon is ready.
    pub(crate) fn rlvs(lab: &Lab, servers: u8, mode: Mode) -> Result<Self> {
        lab.install_rlvs(&director::rlvs_binary())?;
        let name = match mode {
            Mode::Generic => "generic",
            Mode::Native => "native",
            Mode::Tc => "tc",
        };
        let place = place(lab, name, servers)?;
        let file = place.host.directory()?.join("rlvs.toml");
        fs::write(&file, mode.configuration() + "loopback = false\n")?;
        let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
        let daemon = place.host.spawn("rlvs", "rlvs", words)?;
        Ok(Self {
            daemon: Some((daemon, mode)),
            place,
        })
    }

    pub(crate) fn wait_attached(&mut self) -> Result<()> {
        let Some((daemon, mode)) = &mut self.daemon else {
            return Ok(());
        };
        let host = &self.place.host;
        daemon.wait_until(LIMIT, |_| {
            let attached = |status: Status| {
                let mut interfaces = status.interfaces.iter();
                interfaces.any(|it| it.name == "eth0" && it.attachment == mode.attachment())
            };
            Ok(status(host).is_ok_and(attached))
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.place.host.name()
    }

    /// Adds the rules of all cases, and waits until the way to all real servers is known.
    pub(crate) fn apply(&self, cases: &[Case]) -> Result<()> {
        let program = match self.daemon {
            Some(_) => "ipvsadm",
            None => IPVSADM,
        };
        let rules = cases.iter().map(|case| case.rules()).collect::<String>();
        let host = &self.place.host;
        host.shell(&format!("{program} -R <<'END'\n{rules}END"))?;
        let sysctl = match self.daemon {
            Some(_) => "rlvs sysctl",
            None => "sysctl",
        };
        let settings = "net.ipv4.vs.nat_icmp_send=1 net.ipv4.vs.schedule_icmp=1";
        host.shell(&format!("{sysctl} -qw {settings}"))?;
        if self.daemon.is_none() {
            return Ok(());
        }
        wait::until("next hops are known", LIMIT, || {
            let services = status(host)?.services;
            let mut all = services.iter().flat_map(|service| &service.destinations);
            Ok(all.all(|it| matches!(it.next_hop, NextHop::Resolved { .. })))
        })
    }

    /// Sends a frame; the IP packets that come back for it.
    pub(crate) fn exchange(&mut self, frame: &[u8], rests: bool) -> Result<Vec<Vec<u8>>> {
        if rests {
            sleep(REST);
        }
        self.place.wire.send(frame)?;
        let mut frames = Vec::new();
        self.place.wire.settle(|frame| {
            let is_neighbours = frame[12..14] == [0x86, 0xdd]
                && (frame[20] == 0 && frame[54] == 58 || frame[20] == 58 && frame[54] > 127);
            let is_ip = matches!(frame[12..14], [0x08, 0x00] | [0x86, 0xdd]);
            if is_ip && !is_neighbours {
                frames.push(frame.to_vec());
            }
        })?;
        Ok(frames)
    }
}

fn status(host: &Host) -> Result<Status> {
    Ok(serde_json::from_str(
        &host.run("rlvs", ["status", "--json"])?,
    )?)
}

/// A place that forwards, and sends frames as they are to be on a cable.
fn place(lab: &Lab, name: &str, servers: u8) -> Result<Place> {
    let place = Place::new(lab, name, servers)?;
    let offloads = format!(
        "set -e
         ethtool -K to-{name} tx off gro on
         sysctl -qw net.ipv6.conf.to-{name}.disable_ipv6=1"
    );
    command::finish(Command::new("bash").args(["-c", &offloads]), LIMIT)?.success()?;
    place.host.shell(
        "set -e
         ethtool -K eth0 tx off
         sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \\
            net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0 \\
            net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv6.auto_flowlabels=0",
    )?;
    // ICMPv6 errors come from a virtual address only if an interface has it.
    let vips = Case::all().into_iter().map(|case| case.vip().ip());
    for vip in vips.filter(IpAddr::is_ipv6) {
        place.host.add_address(vip, "lo")?;
    }
    Ok(place)
}
