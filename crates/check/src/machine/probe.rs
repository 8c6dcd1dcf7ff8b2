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
    /// With [`Via::Vip`]: the real server that packets to the target shall be forwarded to.
    pub through: Option<IpAddr>,
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
    through: Option<IpAddr>,
}

impl Probe {
    /// Where a check of this real server goes.
    pub fn new(
        check: Arc<Check>,
        server: SocketAddr,
        vip: Option<SocketAddr>,
    ) -> Result<Self, NoVip> {
        let (target, through) = match check.connect.via {
            Via::Direct => (check.connect.target(server), None),
            Via::Vip => (vip.ok_or(NoVip { server })?, Some(server.ip())),
        };
        Ok(Self {
            check,
            target,
            through,
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
