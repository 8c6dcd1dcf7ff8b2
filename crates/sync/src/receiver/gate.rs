//! Whose datagrams count.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::message::{Message, Records};
use crate::reason::Reason;

/// What datagrams a backup listens to.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// `--syncid`: 0 takes all.
    pub id: u8,
    /// This director's addresses. What it sent comes back where it is master and backup, and has its
    /// group's loop on.
    pub own: BTreeSet<IpAddr>,
    /// Who may tell; `None` for anybody, as in IPVS.
    pub peers: Option<BTreeSet<IpAddr>>,
}

impl Receiver {
    /// The records of a datagram.
    pub fn read<'d>(&self, from: IpAddr, datagram: &'d [u8]) -> Result<Records<'d>, Reason> {
        let from = from.to_canonical();
        if self.own.contains(&from) {
            return Err(Reason::Own);
        }
        let is_stranger = |peers: &BTreeSet<_>| !peers.contains(&from);
        if self.peers.as_ref().is_some_and(is_stranger) {
            return Err(Reason::Stranger);
        }
        let message = Message::read(datagram)?;
        if self.id != 0 && self.id != message.id {
            return Err(Reason::OtherId(message.id));
        }
        Ok(message.records)
    }
}

#[cfg(test)]
mod tests;
