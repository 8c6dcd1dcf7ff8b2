//! A check and where it goes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spec::{Check, Connect, Kind, Via};

use super::Standing;

/// A check and where it goes: what is asked once for all who want to know.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Probe {
    pub check: Arc<Check>,
    pub target: SocketAddr,
    /// With [`Via::Vip`], where that makes a difference.
    pub through: Option<Through>,
}

/// The way of a virtual address's packets to the target.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Through {
    pub virtual_address: IpAddr,
    /// None: by direct routing. Else the packet path's word for the tunnel.
    pub tunnel: Option<u32>,
}

/// How a service's packets get to a real server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forwarding {
    /// They become packets to its own address, or it is this host: a check by this way is like a
    /// direct one.
    ToItself,
    Route,
    /// With the packet path's word for it.
    Tunnel(u32),
}

/// A check shall go to the virtual address, and there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoVip {
    pub server: SocketAddr,
}

/// What makes an answer worth remembering: it is the same question, whenever it is asked.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(super) struct Question {
    kind: Kind,
    connect: Connect,
    target: SocketAddr,
    through: Option<Through>,
}

impl Probe {
    /// Where a check of this real server goes. Direct routing and tunnels change no ports, so by those
    /// ways it goes to the virtual one.
    pub fn new(
        check: Arc<Check>,
        server: SocketAddr,
        forwarding: Forwarding,
        vip: Option<SocketAddr>,
    ) -> Result<Self, NoVip> {
        let connect = &check.connect;
        let tunnel = match (connect.via, forwarding) {
            (Via::Direct, _) | (Via::Vip, Forwarding::ToItself) => {
                let target = connect.target(server);
                return Ok(Self {
                    check,
                    target,
                    through: None,
                });
            }
            (Via::Vip, Forwarding::Route) => None,
            (Via::Vip, Forwarding::Tunnel(tunnel)) => Some(tunnel),
        };
        let vip = vip.ok_or(NoVip { server })?;
        let target = SocketAddr::new(server.ip(), connect.port.unwrap_or(vip.port()));
        let through = Through {
            virtual_address: vip.ip(),
            tunnel,
        };
        Ok(Self {
            check,
            target,
            through: Some(through),
        })
    }

    pub(super) fn question(&self) -> Question {
        Question {
            kind: self.check.kind.clone(),
            connect: self.check.connect.clone(),
            target: self.target,
            through: self.through,
        }
    }
}

/// What is known of questions, whenever they were asked.
pub(super) struct Memory(HashMap<Question, Standing>);

impl Memory {
    pub(super) fn new(remembered: Vec<(Question, Standing)>) -> Self {
        Self(remembered.into_iter().collect())
    }

    pub(super) fn extend(&mut self, known: impl Iterator<Item = (Question, Standing)>) {
        self.0.extend(known);
    }

    pub(super) fn get(&self, question: &Question) -> Option<Standing> {
        self.0.get(question).cloned()
    }
}

impl core::fmt::Display for NoVip {
    fn fmt(&self, formatter: &mut core::fmt::Formatter) -> core::fmt::Result {
        write!(
            formatter,
            "a check of {} goes by way of the virtual address, but the service is a firewall \
             mark's and has none: name another way, or check it directly",
            self.server
        )
    }
}

impl core::error::Error for NoVip {}
