//! The classical laboratory of LVS: director and real servers in one segment, direct routing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

/// Client, director and real servers at one switch, see the picture in [`crate`].
#[derive(Debug)]
pub struct DirectRouting {
    pub director: Director,
    pub real_servers: Vec<RealServer>,
    pub client: Host,
    pub switch: Segment,
    pub lab: Lab,
}

impl DirectRouting {
    /// The hosts, with servers running on the real ones, and no virtual address anywhere yet.
    pub fn new(real_servers: u8) -> Result<Self> {
        Self::build(Lab::new()?, real_servers)
    }

    /// As [`DirectRouting::new`], in a lab that is there.
    pub fn build(lab: Lab, real_servers: u8) -> Result<Self> {
        let switch = Segment::new(&lab, "switch", 0)?;
        let host = |name: &str, number| {
            let mut host = Host::new(&lab, name)?;
            host.join(&switch, number)?;
            anyhow::Ok(host)
        };
        let client = host("client", CLIENT)?;
        let director = Director::new(host("director", DIRECTOR)?)?;
        let real_servers = (0..real_servers)
            .map(|n| RealServer::start(host(&format!("rs{}", n + 1), FIRST_REAL_SERVER + n)?))
            .collect::<Result<_>>()?;
        Ok(Self {
            director,
            real_servers,
            client,
            switch,
            lab,
        })
    }

    /// A director that runs, all real servers up for the virtual addresses, no service yet.
    pub fn ready(real_servers: u8) -> Result<Self> {
        let mut lab = Self::new(real_servers)?;
        lab.director.add_vips(&lab.vips())?;
        lab.director.start_rlvs()?;
        lab.real_servers
            .iter()
            .try_for_each(|server| server.up(&lab.vips()))?;
        Ok(lab)
    }

    pub fn vip4(&self) -> Ipv4Addr {
        Address::new(self.switch.number(), VIP).v4
    }

    pub fn vip6(&self) -> Ipv6Addr {
        Address::new(self.switch.number(), VIP).v6
    }

    pub fn vips(&self) -> [IpAddr; 2] {
        [self.vip4().into(), self.vip6().into()]
    }
}
