//! What the bench's programs do each round: shared by them and by who runs them.

/// The packet that is made for every round, but for what stays the same in all of them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Plan {
    /// Where the walk over the flows stands; each round it is `state * factor + step`.
    pub(crate) state: u64,
    pub(crate) factor: u64,
    pub(crate) step: u64,
    /// How many flows there are.
    pub(crate) flows: u64,
    /// IPv4: time to live, protocol and checksum.
    pub(crate) fields: [u8; 4],
    /// Receiver's and sender's MAC addresses.
    pub(crate) ethernet: [u32; 3],
    /// The frame's length, and its headers behind Ethernet's, for rows that restore them all.
    pub(crate) length: u32,
    /// Follows `words`; of IPv6 alone.
    pub(crate) last: u32,
    pub(crate) words: [u64; 7],
    /// See [`client`].
    pub(crate) client: u64,
}

/// Where the client is in packets of rows that restore all headers.
pub(crate) mod client {
    pub(crate) const SENDER: u64 = 0;
    pub(crate) const RECEIVER: u64 = 1;
    /// The receiver of the packet in an ICMP error; of IPv4.
    pub(crate) const INSIDE: u64 = 2;
}

/// What tells a flow's client from others'.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The lowest two bytes of its address.
    pub(crate) low: [u8; 2],
    pub(crate) port: [u8; 2],
}

const PORT_BITS: u32 = 14;
const FIRST_PORT: u32 = 1 << PORT_BITS;

impl Client {
    /// The client of a flow, of which there are at most 2^30.
    #[inline(always)]
    pub(crate) const fn of(flow: u32) -> Self {
        let port = FIRST_PORT | flow & (FIRST_PORT - 1);
        Self {
            low: ((flow >> PORT_BITS) as u16).to_be_bytes(),
            port: (port as u16).to_be_bytes(),
        }
    }
}
