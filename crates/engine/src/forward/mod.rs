//! How packets reach their destination; one file a forwarding method.

mod direct_route;

pub use direct_route::direct_route;

/// The forwarding methods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Method {
    /// The frame goes to the real server's MAC address.
    DirectRoute = 0,
    /// NAT: packets get the real server's address, replies the virtual one.
    Masquerade = 1,
    /// The packet goes in another to the real server.
    Tunnel = 2,
}

impl Method {
    /// Bits that were stored from a method; others count as direct routing.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            1 => Self::Masquerade,
            2 => Self::Tunnel,
            _ => Self::DirectRoute,
        }
    }
}
