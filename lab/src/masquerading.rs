//! A laboratory of two segments with the director between them: masquerading and tunnels.

use std::net::IpAddr;

use anyhow::Result;

use crate::address::Address;
use crate::director::Director;
use crate::host::Host;
use crate::lab::Lab;
use crate::real_server::RealServer;
use crate::segment::Segment;

const CLIENT: u8 = 2;
const DIRECTOR: u8 = 5;
const FIRST_REAL_SERVER: u8 = 11;
const VIP: u8 = 100;
const OUTSIDE: u8 = 0;
const INSIDE: u8 = 1;

/// The client outside, real servers inside, whose gateway the director is:
///
/// ```text
///   client ── outside ── director ── inside ─┬─ rs1     10.0.1.0/24, fd00:0:0:1::/64
///                                            └─ rs2     VIP 10.0.0.100, fd00::100
/// ```
#[derive(Debug)]
pub struct Masquerading {
    pub director: Director,
    pub real_servers: Vec<RealServer>,
    pub client: Host,
    pub outside: Segment,
    pub inside: Segment,
    pub lab: Lab,
}

impl Masquerading {
    /// The hosts, with servers running on the real ones; the director has the virtual addresses
    /// and forwards, but no daemon runs. All interfaces have the offloads that a veth has.
    pub fn new(real_servers: u8) -> Result<Self> {
        let lab = Lab::new()?;
        let outside = Segment::new(&lab, "outside", OUTSIDE)?;
        let inside = Segment::new(&lab, "inside", INSIDE)?;
        let mut client = Host::new(&lab, "client")?;
        client.join(&outside, CLIENT)?;
        let mut director = Host::new(&lab, "director")?;
        director.join(&outside, DIRECTOR)?;
        director.join(&inside, DIRECTOR)?;
        director.forward()?;
        let [gateway4, gateway6] = Address::new(INSIDE, DIRECTOR).both();
        let real_servers = (0..real_servers)
            .map(|n| {
                let mut host = Host::new(&lab, &format!("rs{}", n + 1))?;
                host.join(&inside, FIRST_REAL_SERVER + n)?;
                host.shell(&format!(
                    "ip route add default via {gateway4} && ip -6 route add default via {gateway6}"
                ))?;
                restore_offloads(&inside, &host, "eth0")?;
                RealServer::start(host)
            })
            .collect::<Result<_>>()?;
        let [outside4, outside6] = Address::new(OUTSIDE, DIRECTOR).both();
        client.shell(&format!(
            "ip route add 10.0.{INSIDE}.0/24 via {outside4} && \
             ip -6 route add fd00:0:0:{INSIDE}::/64 via {outside6}"
        ))?;
        restore_offloads(&outside, &client, "eth0")?;
        restore_offloads(&outside, &director, "eth0")?;
        restore_offloads(&inside, &director, "eth1")?;
        let director = Director::new(director)?;
        let lab = Self {
            director,
            real_servers,
            client,
            outside,
            inside,
            lab,
        };
        lab.director.add_vips(&lab.vips())?;
        Ok(lab)
    }

    pub fn vips(&self) -> [IpAddr; 2] {
        Address::new(OUTSIDE, VIP).both()
    }
}

/// Checksums and segments are left to whoever comes next, at both ends of the cable.
pub fn restore_offloads(segment: &Segment, host: &Host, interface: &str) -> Result<()> {
    let on = ["tx", "on", "tso", "on", "gso", "on"];
    host.run("ethtool", ["-K", interface].into_iter().chain(on))?;
    let port = segment.port(host, interface);
    segment
        .host()
        .run("ethtool", ["-K", &port].into_iter().chain(on))
        .map(drop)
}
