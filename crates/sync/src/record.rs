//! What a message says of one connection or template.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::flags::Flags;
use crate::reason::Reason;
use crate::state::State;

/// One connection or template, as a datagram has it: nothing is judged yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// 0 for the template of a service by firewall mark.
    pub protocol: u8,
    pub flags: Flags,
    /// The number of a [`State`].
    pub state: u16,
    pub addresses: Addresses,
    pub ports: Ports,
    /// The firewall mark by which its service is known, or 0.
    pub mark: u32,
    /// Seconds that it lasts without another packet. 0: the backup's own (version 0 has none).
    pub timeout: u32,
    pub sequences: Option<Sequences>,
    pub engine: Option<Engine>,
    /// Between directors of rlvs: it is by full NAT.
    pub local: Option<LocalEnd>,
    /// Between directors of rlvs: the destination, if it is of the other IP version, by a tunnel. The one
    /// in `addresses` means nothing then.
    pub across: Option<IpAddr>,
}

/// What stands for the client of a connection by full NAT, towards the real server. IPVS has no full NAT,
/// and is told nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalEnd {
    /// Of the director's.
    pub address: IpAddr,
    pub port: u16,
    /// The sequence number of the first byte that the client sends.
    pub begins: u32,
    /// The real server knows who its client is.
    pub is_told: bool,
}

/// All of one IP version: IPVS tells nothing of a destination of the other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Addresses {
    V4(Ends<Ipv4Addr>),
    V6(Ends<Ipv6Addr>),
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ends<A> {
    pub client: A,
    /// Of a template of a service by firewall mark: the mark, as an address.
    pub virtual_address: A,
    pub destination: A,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ports {
    pub client: u16,
    pub virtual_port: u16,
    pub destination: u16,
}

/// By how much sequence numbers have moved, for what was made longer or shorter on the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequences {
    /// From the client.
    pub inward: Sequence,
    /// To the client.
    pub outward: Sequence,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sequence {
    /// From this number on they have moved by `delta`, before by `previous_delta`.
    pub initial: u32,
    pub delta: u32,
    pub previous_delta: u32,
}

/// What a persistence engine found in packets: of `sip` the Call-ID.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Engine {
    name: Vec<u8>,
    data: Vec<u8>,
}

impl Engine {
    /// Bytes of a name (`IP_VS_PENAME_MAXLEN`).
    pub const LONGEST_NAME: usize = 16;
    /// Bytes of data (`IP_VS_PEDATA_MAXLEN`).
    pub const LONGEST_DATA: usize = 255;

    /// `None` if one of them is empty or too long for a message.
    pub fn new(name: &[u8], data: &[u8]) -> Option<Self> {
        let is_right = (1..=Self::LONGEST_NAME).contains(&name.len())
            && (1..=Self::LONGEST_DATA).contains(&data.len());
        is_right.then(|| Self {
            name: name.to_vec(),
            data: data.to_vec(),
        })
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl Record {
    /// What the protocol and the number mean.
    pub fn state(&self) -> Result<State, Reason> {
        match self.flags.has(Flags::TEMPLATE) {
            true => State::of_template(self.state),
            false => State::of_connection(self.protocol, self.state),
        }
    }

    pub fn client(&self) -> SocketAddr {
        SocketAddr::new(self.ends().client, self.ports.client)
    }

    pub fn virtual_address(&self) -> SocketAddr {
        SocketAddr::new(self.ends().virtual_address, self.ports.virtual_port)
    }

    pub fn destination(&self) -> SocketAddr {
        let address = self.across.unwrap_or(self.ends().destination);
        SocketAddr::new(address, self.ports.destination)
    }

    fn ends(&self) -> Ends<IpAddr> {
        match self.addresses {
            Addresses::V4(ends) => ends.map(IpAddr::V4),
            Addresses::V6(ends) => ends.map(IpAddr::V6),
        }
    }
}

impl<A> Ends<A> {
    fn map<B>(self, f: impl Fn(A) -> B) -> Ends<B> {
        Ends {
            client: f(self.client),
            virtual_address: f(self.virtual_address),
            destination: f(self.destination),
        }
    }
}
