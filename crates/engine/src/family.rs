//! IPv4 and IPv6: what differs between them, so that one path serves both.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::connection::{Key, Words};

/// One of the two IP versions.
pub trait Family: Copy + fmt::Debug + 'static {
    /// 0 for IPv4, 1 for IPv6: the place in tables that keep both.
    const INDEX: usize;

    /// An address, as on the wire.
    type Address: Copy + Eq + fmt::Debug + Default;

    /// The key of a connection in its slot.
    type Key: Key;

    fn key(tuple: &Endpoints<Self>) -> <Self::Key as Key>::Value;

    fn endpoints(key: &<Self::Key as Key>::Value) -> Endpoints<Self>;

    /// Hashes the client's half of a key: a reply, in which the client is the receiver, hashes
    /// the same, as in IPVS.
    fn hash(key: &<Self::Key as Key>::Value, seed: u64) -> u64;

    /// The address under a persistence mask.
    fn masked(address: Self::Address, mask: &[u8; 16]) -> Self::Address;

    /// 32 bits of an address for filters.
    fn folded(address: Self::Address) -> u32;

    /// In 16 bytes, IPv4 first in them.
    fn octets(address: Self::Address) -> [u8; 16];

    fn ip(address: Self::Address) -> IpAddr;
}

/// Who talks to whom: a connection of a client with a virtual service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoints<F: Family> {
    pub client: F::Address,
    pub virtual_address: F::Address,
    /// Ports in network byte order, as the wire has them.
    pub client_port: [u8; 2],
    pub virtual_port: [u8; 2],
    pub protocol: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct V4;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct V6;

impl Family for V4 {
    const INDEX: usize = 0;
    type Address = [u8; 4];
    type Key = Words<2, 0>;

    #[inline(always)]
    fn key(t: &Endpoints<Self>) -> [u64; 2] {
        let client = u32::from_ne_bytes(t.client) as u64;
        let virtual_address = u32::from_ne_bytes(t.virtual_address) as u64;
        [
            client | port(t.client_port) << 32 | (t.protocol as u64) << 48,
            virtual_address | port(t.virtual_port) << 32,
        ]
    }

    fn endpoints(&[client, virtual_address]: &[u64; 2]) -> Endpoints<Self> {
        Endpoints {
            client: (client as u32).to_ne_bytes(),
            virtual_address: (virtual_address as u32).to_ne_bytes(),
            client_port: ((client >> 32) as u16).to_ne_bytes(),
            virtual_port: ((virtual_address >> 32) as u16).to_ne_bytes(),
            protocol: (client >> 48) as u8,
        }
    }

    #[inline(always)]
    fn hash(key: &[u64; 2], seed: u64) -> u64 {
        mix(key[0] ^ seed)
    }

    #[inline(always)]
    fn masked(address: [u8; 4], mask: &[u8; 16]) -> [u8; 4] {
        let mask = u32::from_ne_bytes([mask[0], mask[1], mask[2], mask[3]]);
        (u32::from_ne_bytes(address) & mask).to_ne_bytes()
    }

    #[inline(always)]
    fn folded(address: [u8; 4]) -> u32 {
        u32::from_ne_bytes(address)
    }

    fn octets([a, b, c, d]: [u8; 4]) -> [u8; 16] {
        [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    fn ip(address: [u8; 4]) -> IpAddr {
        Ipv4Addr::from(address).into()
    }
}

impl Family for V6 {
    const INDEX: usize = 1;
    type Address = [u8; 16];
    type Key = Words<5, 1>;

    /// The client's lower half first: it tells most clients apart.
    #[inline(always)]
    fn key(t: &Endpoints<Self>) -> [u64; 5] {
        let [client_high, client_low] = halves(t.client);
        let [virtual_high, virtual_low] = halves(t.virtual_address);
        let ports = port(t.client_port) | port(t.virtual_port) << 16 | (t.protocol as u64) << 32;
        [client_low, client_high, ports, virtual_low, virtual_high]
    }

    fn endpoints(&[cl, ch, ports, vl, vh]: &[u64; 5]) -> Endpoints<Self> {
        Endpoints {
            client: joined(ch, cl),
            virtual_address: joined(vh, vl),
            client_port: (ports as u16).to_ne_bytes(),
            virtual_port: ((ports >> 16) as u16).to_ne_bytes(),
            protocol: (ports >> 32) as u8,
        }
    }

    #[inline(always)]
    fn hash(key: &[u64; 5], seed: u64) -> u64 {
        const CLIENT: u64 = 0x0000_00ff_0000_ffff;
        mix(mix(mix(key[0] ^ seed) ^ key[1]) ^ (key[2] & CLIENT))
    }

    #[inline(always)]
    fn masked(address: [u8; 16], mask: &[u8; 16]) -> [u8; 16] {
        let ([ah, al], [mh, ml]) = (halves(address), halves(*mask));
        joined(ah & mh, al & ml)
    }

    #[inline(always)]
    fn folded(address: [u8; 16]) -> u32 {
        let [high, low] = halves(address);
        let both = high ^ low.rotate_left(7);
        (both ^ (both >> 32)) as u32
    }

    fn octets(address: [u8; 16]) -> [u8; 16] {
        address
    }

    fn ip(address: [u8; 16]) -> IpAddr {
        Ipv6Addr::from(address).into()
    }
}

#[inline(always)]
fn port(bytes: [u8; 2]) -> u64 {
    u16::from_ne_bytes(bytes) as u64
}

#[inline(always)]
fn halves(address: [u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address;
    [
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
    ]
}

#[inline(always)]
fn joined(high: u64, low: u64) -> [u8; 16] {
    let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) =
        (high.to_ne_bytes(), low.to_ne_bytes());
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Spreads a word over all 64 bits: every bit of the result depends on every bit of it.
#[inline(always)]
pub fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let word = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^ (word >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_survive_the_key() {
        let four = Endpoints::<V4> {
            client: [192, 0, 2, 1],
            virtual_address: [198, 51, 100, 7],
            client_port: [0xd4, 0x31],
            virtual_port: [0, 80],
            protocol: 6,
        };
        assert_eq!(V4::endpoints(&V4::key(&four)), four);
        let six = Endpoints::<V6> {
            client: core::array::from_fn(|i| i as u8),
            virtual_address: core::array::from_fn(|i| 0xf0 + i as u8),
            client_port: [0xd4, 0x31],
            virtual_port: [0, 80],
            protocol: 17,
        };
        assert_eq!(V6::endpoints(&V6::key(&six)), six);
    }

    #[test]
    fn only_the_clients_half_is_hashed() {
        let a = Endpoints::<V6> {
            client: [1; 16],
            virtual_address: [2; 16],
            client_port: [3, 3],
            virtual_port: [4, 4],
            protocol: 6,
        };
        let b = Endpoints {
            virtual_address: [9; 16],
            virtual_port: [9, 9],
            ..a
        };
        let c = Endpoints {
            client_port: [9, 9],
            ..a
        };
        let hash = |t| V6::hash(&V6::key(t), 42);
        assert_eq!(hash(&a), hash(&b));
        assert_ne!(hash(&a), hash(&c));
    }

    #[test]
    fn masks_keep_the_leading_bits() {
        let mut mask = [0; 16];
        mask[..3].fill(255);
        assert_eq!(V4::masked([10, 1, 2, 3], &mask), [10, 1, 2, 0]);
        assert_eq!(V6::masked([7; 16], &mask)[..4], [7, 7, 7, 0]);
    }
}
