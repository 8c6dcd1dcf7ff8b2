//! Heads and records as they lie in datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::record::{Ends, LocalEnd, Sequence, Sequences};

pub(super) const VERSION: u8 = 1;
/// The kind of a record of IPv6: a bit, while 0 says IPv4 and all else nothing.
pub(super) const IPV6: u8 = 1;
/// Records begin at whole words.
pub(super) const WORD: usize = 4;

/// Of a record's size the part that is its version.
pub(super) const SIZE_BITS: u32 = 12;
pub(super) const SIZE_MASK: u16 = (1 << SIZE_BITS) - 1;

/// Kinds of parameters.
pub(super) const SEQUENCES: u8 = 1;
pub(super) const ENGINE_DATA: u8 = 2;
pub(super) const ENGINE_NAME: u8 = 3;
/// Set in the kind of one that a reader need not know.
pub(super) const OPTIONAL: u8 = 0x40;
/// rlvs's own.
pub(super) const LOCAL_END: u8 = 0x20;
/// rlvs's own: without it the rest means something else.
pub(super) const ACROSS: u8 = 0x21;

/// `struct ip_vs_sync_mesg`
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Head {
    pub(super) reserved: u8,
    pub(super) id: u8,
    pub(super) size: U16,
    pub(super) count: u8,
    pub(super) version: u8,
    pub(super) spare: U16,
}

/// What `struct ip_vs_sync_v4` and `ip_vs_sync_v6` begin with: all but the addresses.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Start {
    pub(super) kind: u8,
    pub(super) protocol: u8,
    /// Version and size.
    pub(super) size: U16,
    pub(super) flags: U32,
    pub(super) state: U16,
    pub(super) client_port: U16,
    pub(super) virtual_port: U16,
    pub(super) destination_port: U16,
    pub(super) mark: U32,
    pub(super) timeout: U32,
}

/// `struct ip_vs_sync_mesg_v0`
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct OldHead {
    pub(super) count: u8,
    pub(super) id: u8,
    pub(super) size: U16,
}

/// `struct ip_vs_sync_conn_v0`
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct OldRecord {
    reserved: u8,
    pub(super) protocol: u8,
    pub(super) client_port: U16,
    pub(super) virtual_port: U16,
    pub(super) destination_port: U16,
    pub(super) addresses: Three<4>,
    pub(super) flags: U16,
    pub(super) state: U16,
}

/// Client, virtual address and destination.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Three<const N: usize>([[u8; N]; 3]);

impl<const N: usize> Three<N> {
    pub(super) fn read<A: From<[u8; N]>>(self) -> Ends<A> {
        let [client, virtual_address, destination] = self.0.map(A::from);
        Ends {
            client,
            virtual_address,
            destination,
        }
    }
}

impl From<Ends<Ipv4Addr>> for Three<4> {
    fn from(ends: Ends<Ipv4Addr>) -> Self {
        Self([ends.client, ends.virtual_address, ends.destination].map(|it| it.octets()))
    }
}

impl From<Ends<Ipv6Addr>> for Three<16> {
    fn from(ends: Ends<Ipv6Addr>) -> Self {
        Self([ends.client, ends.virtual_address, ends.destination].map(|it| it.octets()))
    }
}

/// `struct ip_vs_sync_conn_options`, with numbers in network order or, in version 0, as the
/// sender's CPU has them.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Numbers([[u8; 4]; 6]);

impl Numbers {
    pub(super) fn read(self, number: fn([u8; 4]) -> u32) -> Sequences {
        let [a, b, c, d, e, f] = self.0.map(number);
        Sequences {
            inward: sequence(a, b, c),
            outward: sequence(d, e, f),
        }
    }
}

impl From<Sequences> for Numbers {
    fn from(sequences: Sequences) -> Self {
        let Sequences { inward, outward } = sequences;
        let numbers = [inward, outward].map(|it| [it.initial, it.delta, it.previous_delta]);
        let [[a, b, c], [d, e, f]] = numbers;
        Self([a, b, c, d, e, f].map(u32::to_be_bytes))
    }
}

/// A [`LocalEnd`], of an address of so many bytes.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Local<const N: usize> {
    address: [u8; N],
    port: U16,
    begins: U32,
    is_told: u8,
}

impl<const N: usize> Local<N> {
    pub(super) fn new(address: [u8; N], end: &LocalEnd) -> Self {
        Self {
            address,
            port: end.port.into(),
            begins: end.begins.into(),
            is_told: end.is_told.into(),
        }
    }

    pub(super) fn read(self) -> LocalEnd
    where
        IpAddr: From<[u8; N]>,
    {
        LocalEnd {
            address: self.address.into(),
            port: self.port.get(),
            begins: self.begins.get(),
            is_told: self.is_told != 0,
        }
    }
}

const fn sequence(initial: u32, delta: u32, previous_delta: u32) -> Sequence {
    Sequence {
        initial,
        delta,
        previous_delta,
    }
}

const _: () = assert!(size_of::<Head>() == 8);
const _: () = assert!(size_of::<Start>() + size_of::<Three<4>>() == 36);
const _: () = assert!(size_of::<Start>() + size_of::<Three<16>>() == 72);
const _: () = assert!(size_of::<OldHead>() == 4);
const _: () = assert!(size_of::<OldRecord>() == 24);
const _: () = assert!(size_of::<Numbers>() == 24);
