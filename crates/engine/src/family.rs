//! IPv4 and IPv6: what differs between them, so that one path serves both.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rlvs_word::Shared64;

use crate::connection::{Key, Words};
use crate::service::load_octets;

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

    /// The key with its ends exchanged: of a packet, the other way.
    fn turned(key: &<Self::Key as Key>::Value) -> <Self::Key as Key>::Value;

    /// Whether this is a key's virtual end: an address as a record has it, and a port in network
    /// byte order.
    fn is_virtual_end(
        key: &<Self::Key as Key>::Value,
        address: &[Shared64; 2],
        port: [u8; 2],
    ) -> bool;

    /// Whether two keys have the same client half and protocol.
    fn same_client(a: &<Self::Key as Key>::Value, b: &<Self::Key as Key>::Value) -> bool;

    /// The client's and the virtual address as four words each, an IPv4 address in the first.
    fn words(key: &<Self::Key as Key>::Value) -> [[u32; 4]; 2];

    /// An address as a record has it: see [`Self::octets`].
    fn address(words: &[Shared64; 2]) -> Self::Address;

    /// The address under a persistence mask.
    fn masked(address: Self::Address, mask: &[u8; 16]) -> Self::Address;

    /// What stands for a virtual address in keys of firewall marks, as in IPVS: the mark, and zeros.
    fn marked(mark: u32) -> Self::Address;

    /// What stands for a client in keys of Call-IDs.
    fn called(call: u64) -> Self::Address;

    /// The call of such a key, by its client's address and port; of IPv4 as much as there is room for.
    fn call(client: Self::Address, port: [u8; 2]) -> u64;

    /// 32 bits of an address for filters.
    fn folded(address: Self::Address) -> u32;

    /// 32 bits of an address as IPVS's schedulers hash it: of IPv6 the four words, xored.
    fn word(address: Self::Address) -> u32;

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

    #[inline(always)]
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
    fn turned(&[client, virtual_address]: &[u64; 2]) -> [u64; 2] {
        const END: u64 = 0x0000_ffff_ffff_ffff;
        [virtual_address | client & !END, client & END]
    }

    #[inline(always)]
    fn is_virtual_end(key: &[u64; 2], address: &[Shared64; 2], of: [u8; 2]) -> bool {
        let [a, b, c, d] = Self::address(address);
        key[1] == u32::from_ne_bytes([a, b, c, d]) as u64 | port(of) << 32
    }

    #[inline(always)]
    fn same_client(a: &[u64; 2], b: &[u64; 2]) -> bool {
        a[0] == b[0]
    }

    #[inline(always)]
    fn words(&[client, virtual_address]: &[u64; 2]) -> [[u32; 4]; 2] {
        [[client as u32, 0, 0, 0], [virtual_address as u32, 0, 0, 0]]
    }

    #[inline(always)]
    fn address(words: &[Shared64; 2]) -> [u8; 4] {
        let [a, b, c, d, ..] = words[0].load().to_ne_bytes();
        [a, b, c, d]
    }

    #[inline(always)]
    fn masked(address: [u8; 4], mask: &[u8; 16]) -> [u8; 4] {
        let mask = u32::from_ne_bytes([mask[0], mask[1], mask[2], mask[3]]);
        (u32::from_ne_bytes(address) & mask).to_ne_bytes()
    }

    #[inline(always)]
    fn marked(mark: u32) -> [u8; 4] {
        mark.to_be_bytes()
    }

    #[inline(always)]
    fn called(call: u64) -> [u8; 4] {
        (call as u32).to_ne_bytes()
    }

    #[inline(always)]
    fn call(client: [u8; 4], of: [u8; 2]) -> u64 {
        u32::from_ne_bytes(client) as u64 | port(of) << 32
    }

    #[inline(always)]
    fn folded(address: [u8; 4]) -> u32 {
        u32::from_ne_bytes(address)
    }

    #[inline(always)]
    fn word(address: [u8; 4]) -> u32 {
        u32::from_be_bytes(address)
    }

    #[inline(always)]
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

    #[inline(always)]
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
        mix(mix(mix(key[0] ^ seed) ^ key[1]) ^ (key[2] & CLIENT))
    }

    #[inline(always)]
    fn turned(&[cl, ch, ports, vl, vh]: &[u64; 5]) -> [u64; 5] {
        let turned = ports & !0xffff_ffff | (ports & 0xffff) << 16 | (ports >> 16) & 0xffff;
        [vl, vh, turned, cl, ch]
    }

    #[inline(always)]
    fn is_virtual_end(key: &[u64; 5], address: &[Shared64; 2], of: [u8; 2]) -> bool {
        let &[_, _, ports, low, high] = key;
        address[0].load() == high && address[1].load() == low && (ports >> 16) & 0xffff == port(of)
    }

    #[inline(always)]
    fn same_client(a: &[u64; 5], b: &[u64; 5]) -> bool {
        a[0] == b[0] && a[1] == b[1] && (a[2] ^ b[2]) & CLIENT == 0
    }

    #[inline(always)]
    fn words(&[cl, ch, _, vl, vh]: &[u64; 5]) -> [[u32; 4]; 2] {
        let four = |high: u64, low: u64| {
            let [a, b] = if cfg!(target_endian = "little") {
                [high, low]
            } else {
                [high.rotate_left(32), low.rotate_left(32)]
            };
            [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32]
        };
        [four(ch, cl), four(vh, vl)]
    }

    #[inline(always)]
    fn address(words: &[Shared64; 2]) -> [u8; 16] {
        load_octets(words)
    }

    #[inline(always)]
    fn masked(address: [u8; 16], mask: &[u8; 16]) -> [u8; 16] {
        let ([ah, al], [mh, ml]) = (halves(address), halves(*mask));
        joined(ah & mh, al & ml)
    }

    #[inline(always)]
    fn marked(mark: u32) -> [u8; 16] {
        let [a, b, c, d] = mark.to_be_bytes();
        [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    #[inline(always)]
    fn called(call: u64) -> [u8; 16] {
        joined(call, 0)
    }

    #[inline(always)]
    fn call(client: [u8; 16], _: [u8; 2]) -> u64 {
        let [call, _] = halves(client);
        call
    }

    #[inline(always)]
    fn folded(address: [u8; 16]) -> u32 {
        let [high, low] = halves(address);
        let both = high ^ low.rotate_left(7);
        (both ^ (both >> 32)) as u32
    }

    #[inline(always)]
    fn word(address: [u8; 16]) -> u32 {
        let [high, low] = halves(address);
        let both = high ^ low;
        // The halves are in memory's order, and so is what is left of them.
        u32::from_be_bytes(((both ^ (both >> 32)) as u32).to_ne_bytes())
    }

    #[inline(always)]
    fn octets(address: [u8; 16]) -> [u8; 16] {
        address
    }

    fn ip(address: [u8; 16]) -> IpAddr {
        Ipv6Addr::from(address).into()
    }
}

/// What of an IPv6 key's third word is the client's port and the protocol.
const CLIENT: u64 = 0x0000_00ff_0000_ffff;

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
    fn words_are_the_addresses() {
        let six = Endpoints::<V6> {
            client: core::array::from_fn(|i| i as u8),
            virtual_address: core::array::from_fn(|i| 0xf0 + i as u8),
            client_port: [0xd4, 0x31],
            virtual_port: [0, 80],
            protocol: 17,
        };
        let words = V6::words(&V6::key(&six));
        let bytes = words.map(|words| words.map(u32::to_ne_bytes).concat());
        assert_eq!(bytes[0], six.client);
        assert_eq!(bytes[1], six.virtual_address);
    }

    #[test]
    fn turned_keys_have_their_ends_exchanged() {
        fn check<F: Family + PartialEq>(client: F::Address, server: F::Address) {
            let packet = Endpoints::<F> {
                client,
                virtual_address: server,
                client_port: [0xd4, 0x31],
                virtual_port: [0, 80],
                protocol: 6,
            };
            let answer = Endpoints {
                client: server,
                virtual_address: client,
                client_port: [0, 80],
                virtual_port: [0xd4, 0x31],
                ..packet
            };
            assert_eq!(F::endpoints(&F::turned(&F::key(&packet))), answer);
            let record: [Shared64; 2] = Default::default();
            crate::service::store_octets(&record, F::octets(server));
            let key = F::key(&packet);
            assert!(F::is_virtual_end(&key, &record, [0, 80]));
            assert!(!F::is_virtual_end(&key, &record, [80, 0]));
            assert!(!F::is_virtual_end(&F::turned(&key), &record, [0, 80]));
        }
        check::<V4>([192, 0, 2, 1], [198, 51, 100, 7]);
        check::<V6>([7; 16], core::array::from_fn(|i| i as u8));
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
