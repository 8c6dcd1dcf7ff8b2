//! Destinations behind every kind of tunnel, and what clients see of them.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_control::Status;
use rlvs_control::status::NextHop;
use rlvs_lab::address::with_port;
use rlvs_lab::real_server::dig;
use rlvs_lab::{DirectRouting, Get, Host, wait};

/// Where GUE goes.
pub const GUE_PORT: u16 = 6080;
/// Enough for the emulated machine, too.
const SOON: Duration = Duration::from_secs(120);
/// HTTP, an upload, DNS, and large datagrams.
const SERVICES: [(&str, u16); 4] = [("-t", 80), ("-t", 9000), ("-u", 53), ("-u", DATAGRAMS)];
const DATAGRAMS: u16 = 9001;
/// Of one datagram.
const LARGE: usize = 8192;

/// Tunnels as `ipvsadm` knows them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Ipip,
    Gre,
    GreSummed,
    Gue,
    GueSummed,
    GueRemote,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Ipip,
        Self::Gre,
        Self::GreSummed,
        Self::Gue,
        Self::GueSummed,
        Self::GueRemote,
    ];
}

impl fmt::Display for Kind {
    /// As options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipip => f.write_str("--tun-type ipip"),
            Self::Gre => f.write_str("--tun-type gre --tun-nocsum"),
            Self::GreSummed => f.write_str("--tun-type gre --tun-csum"),
            Self::Gue => write!(f, "--tun-type gue --tun-port {GUE_PORT} --tun-nocsum"),
            Self::GueSummed => write!(f, "--tun-type gue --tun-port {GUE_PORT} --tun-csum"),
            Self::GueRemote => write!(f, "--tun-type gue --tun-port {GUE_PORT} --tun-remcsum"),
        }
    }
}

/// Services without destinations, at every virtual address.
pub fn add_services(lab: &DirectRouting) -> Result<()> {
    for vip in lab.vips() {
        for (protocol, port) in SERVICES {
            let service = with_port(vip, port);
            lab.director.ipvsadm(&format!("-A {protocol} {service}"))?;
        }
    }
    Ok(())
}

/// Has the services at `vip` go to one real server through a tunnel. A destination that is there is
/// edited, others take no new connections.
pub fn direct(lab: &DirectRouting, vip: IpAddr, kind: Kind, real: IpAddr) -> Result<()> {
    let rules = lab.director.ipvsadm("-Sn")?;
    let mut changes = String::new();
    for (protocol, port) in SERVICES {
        let (service, wanted) = (with_port(vip, port), with_port(real, port));
        let begin = format!("-a {protocol} {service} -r ");
        let there = rules.lines().filter_map(|line| line.strip_prefix(&begin));
        let there = there.filter_map(|line| line.split(' ').next());
        let (same, others): (Vec<_>, Vec<_>) = there.partition(|it| *it == wanted);
        for other in others {
            changes += &format!("-e {protocol} {service} -r {other} -i {kind} -w 0\n");
        }
        let verb = if same.is_empty() { "-a" } else { "-e" };
        changes += &format!("{verb} {protocol} {service} -r {wanted} -i {kind}\n");
    }
    let restore = format!("ipvsadm -R <<'END'\n{changes}END");
    lab.director.host.shell(&restore)?;
    wait::until("the next hop is known", SOON, || {
        let status = status(lab)?;
        let services = status.services.iter();
        let mut all = services.flat_map(|service| &service.destinations);
        Ok(all.all(|it| matches!(it.next_hop, NextHop::Resolved { .. })))
    })
}

/// A page and a name come from this real server.
pub fn answers(lab: &DirectRouting, vip: IpAddr, server: &str) -> Result<()> {
    let url = format!("http://{}/who", with_port(vip, 80));
    let answer = Get::new(url).limit(SOON).once(&lab.client)?;
    ensure!(answer.trim() == server, "{answer}");
    let name = dig(&lab.client, vip, "TXT")?;
    ensure!(name == server, "{name}");
    Ok(())
}

/// So many bytes for a real server, which says what the sum of them is.
#[derive(Debug)]
pub struct Upload {
    /// A command that prints them.
    content: String,
    sum: String,
}

impl Upload {
    pub fn new(lab: &DirectRouting, bytes: usize) -> Result<Self> {
        let big = lab.lab.directory().join("big");
        let content = format!("cat {0} {0} {0} {0} | head -c {bytes}", big.display());
        let sum = lab.client.shell(&format!("{content} | sha256sum"))?;
        Ok(Self { content, sum })
    }

    pub fn send(&self, lab: &DirectRouting, vip: IpAddr, server: &Host) -> Result<()> {
        let listen = "TCP6-LISTEN:9000,ipv6only=0,reuseaddr";
        let mut socat = server.spawn("socat", "socat", [listen, "EXEC:sha256sum"])?;
        wait::until("the server listens", SOON, || {
            Ok(!server.run("ss", ["-ltnH", "sport = :9000"])?.is_empty())
        })?;
        let (content, vip) = (&self.content, with_port(vip, 9000));
        let line = format!("{content} | timeout 50 socat -t 40 - TCP:{vip}");
        let got = lab.client.shell(&line)?;
        socat.stop()?;
        ensure!(got == self.sum, "the sum is {got}, not {}", self.sum);
        Ok(())
    }
}

/// Sends large datagrams until the real server has one: whole, though the first is in fragments that
/// do not go through the tunnel, before the client has been told what does.
pub fn datagram(lab: &DirectRouting, vip: IpAddr, server: &Host) -> Result<()> {
    let sent = lab.client.directory()?.join("datagram");
    let got = server.directory()?.join("datagram");
    lab.client.shell(&format!(
        "head -c {LARGE} /dev/urandom > {}",
        sent.display()
    ))?;
    // What other tunnels have left of the path is forgotten.
    lab.client
        .shell("ip route flush cache && ip -6 route flush cache")?;
    let before = dropped(lab, "too-long")?;
    let listen = format!("UDP6-RECVFROM:{DATAGRAMS},ipv6only=0");
    let create = format!("CREATE:{}", got.display());
    let mut socat = server.spawn("socat", "socat", ["-u", "-b65536", &listen, &create])?;
    let filter = format!("sport = :{DATAGRAMS}");
    wait::until("the server listens", SOON, || {
        Ok(!server.run("ss", ["-lunH", &filter])?.is_empty())
    })?;
    let (open, to) = (
        format!("OPEN:{}", sent.display()),
        with_port(vip, DATAGRAMS),
    );
    wait::until("a datagram has arrived", SOON, || {
        let words = ["-u", "-b65536", &open, &format!("UDP:{to}")];
        lab.client.run("socat", words)?;
        Ok(socat.exited()?.is_some())
    })?;
    ensure!(fs::read(&sent)? == fs::read(&got)?, "another datagram came");
    ensure!(dropped(lab, "too-long")? > before, "it was not too large");
    Ok(())
}

/// How many packets were dropped for a reason.
pub fn dropped(lab: &DirectRouting, reason: &str) -> Result<u64> {
    let dropped = status(lab)?.dropped;
    let counter = dropped.iter().find(|it| it.reason == reason);
    Ok(counter.map_or(0, |it| it.packets))
}

fn status(lab: &DirectRouting) -> Result<Status> {
    Ok(serde_json::from_str(&lab.director.rlvs("status --json")?)?)
}
