//! Two directors for the same virtual addresses, of which one has them: the other takes over.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;

use crate::address::{Address, with_port};
use crate::director::Director;
use crate::host::Host;
use crate::lab::Lab;
use crate::real_server::RealServer;
use crate::segment::Segment;

const CLIENT: u8 = 2;
const FIRST_DIRECTOR: u8 = 5;
const FIRST_REAL_SERVER: u8 = 11;
const VIP: u8 = 100;
const NAMES: [&str; 2] = ["one", "two"];
/// High ones: a backup waits three intervals, and (256 - priority) / 256 of one (RFC 5798, 6.1).
const PRIORITIES: [u8; 2] = [254, 250];

/// Client, directors and real servers at one switch; web and DNS by direct routing.
#[derive(Debug)]
pub struct TwoDirectors {
    pub directors: [Director; 2],
    pub real_servers: Vec<RealServer>,
    pub client: Host,
    pub switch: Segment,
    pub lab: Lab,
}

impl TwoDirectors {
    /// The hosts, with servers running on the real ones, which have the virtual addresses; no daemon
    /// runs.
    pub fn build(lab: Lab, real_servers: u8) -> Result<Self> {
        let switch = Segment::new(&lab, "switch", 0)?;
        let host = |name: &str, number| {
            let mut host = Host::new(&lab, name)?;
            host.join(&switch, number)?;
            anyhow::Ok(host)
        };
        let client = host("client", CLIENT)?;
        let director =
            |place: usize| Director::new(host(NAMES[place], FIRST_DIRECTOR + place as u8)?);
        let directors = [director(0)?, director(1)?];
        let real_servers: Vec<_> = (0..real_servers)
            .map(|n| RealServer::start(host(&format!("rs{}", n + 1), FIRST_REAL_SERVER + n)?))
            .collect::<Result<_>>()?;
        let site = Self {
            directors,
            real_servers,
            client,
            switch,
            lab,
        };
        for server in &site.real_servers {
            server.up(&site.vips())?;
        }
        Ok(site)
    }

    pub fn vips(&self) -> [IpAddr; 2] {
        let address = Address::new(self.switch.number(), VIP);
        address.both()
    }

    /// The file of a director, whose advertisements come so often.
    pub fn configuration(&self, director: usize, interval: Duration) -> String {
        let mut text = String::from("connections = 65536\n[interfaces]\nnames = [\"eth0\"]\n");
        let interval = interval.as_secs_f64();
        let priority = PRIORITIES[director];
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[vrrp.defaults.sync_daemon]\ninterface = \"eth0\"\nid = 1\n\
             \n[[vrrp.sync_group]]\nname = \"site\"\ngroup = [\"four\", \"six\"]\n"
        );
        for (name, vip) in ["four", "six"].into_iter().zip(self.vips()) {
            let length = if vip.is_ipv4() { 32 } else { 128 };
            let _ = write!(
                text,
                "\n[[vrrp.instance]]\nname = \"{name}\"\ninterface = \"eth0\"\nversion = 3\n\
                 virtual_router_id = 51\npriority = {priority}\nadvert_int = {interval}\n\
                 virtual_ipaddress = [{{ address = \"{vip}/{length}\" }}]\n"
            );
            for (protocol, port) in [("tcp", 80), ("udp", 53)] {
                let addresses = self.real_servers.iter().map(|server| {
                    let address = server.host.address().like(vip);
                    format!("\"{}\"", with_port(address, port))
                });
                let real: Vec<_> = addresses.collect();
                let _ = write!(
                    text,
                    "\n[[service]]\n{protocol} = \"{}\"\nscheduler = \"rr\"\nreal = [{}]\n",
                    with_port(vip, port),
                    real.join(", ")
                );
            }
        }
        text
    }

    /// Which director has all virtual addresses, and the other none; `None` meanwhile.
    pub fn master(&self) -> Result<Option<usize>> {
        let [first, second] = [self.addresses(0)?, self.addresses(1)?];
        Ok(match (first, second) {
            (2, 0) => Some(0),
            (0, 2) => Some(1),
            _ => None,
        })
    }

    /// How many of the virtual addresses a director has.
    pub fn addresses(&self, director: usize) -> Result<usize> {
        let shown = self.directors[director]
            .host
            .run("ip", ["-o", "address", "show", "dev", "eth0"])?;
        let has = |vip: &IpAddr| shown.contains(&format!(" {vip}/"));
        Ok(self.vips().iter().filter(|vip| has(vip)).count())
    }
}
