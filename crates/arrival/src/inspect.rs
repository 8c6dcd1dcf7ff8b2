//! A packet as an interface received it: is it a tunnel's, and what is inside?

use rlvs_wire::{Header, ethernet};

use crate::address::Address;
use crate::count::Count;
use crate::settings::Settings;
use crate::{inner, outer, shim};

/// Where the outer IP header is.
pub const IP: usize = ethernet::LENGTH;

/// The memory of a packet, from its Ethernet header on.
pub trait Bytes {
    /// The header at an offset; none if the packet ends before.
    fn header<H: Header>(&self, offset: usize) -> Option<&H>;

    /// The offset, of which the verifier is to forget how it came about.
    fn offset(&self, offset: usize) -> usize;

    /// Length of the packet, which may be larger than what can be read of it.
    fn length(&self) -> usize;
}

/// A packet for us in one of a tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    pub outer_is_six: bool,
    pub inner_is_six: bool,
    pub outer_class: u8,
    pub inner_class: u8,
    /// Who sent the outer packet.
    pub source: Address,
    /// Whom the inner one is for.
    pub destination: Address,
    /// Where the inner packet begins and ends.
    pub begin: usize,
    pub end: usize,
    /// Where the tunnel's own header begins and its content ends.
    pub shim: usize,
    pub shim_end: usize,
    /// 0, or where the sum of its transport checksum starts, and where it goes, see
    /// [`Found::remote_checksum`].
    pub remote: u32,
}

impl Found {
    /// Offsets of where the sum starts and where its result goes.
    #[inline(always)]
    pub fn remote_checksum(&self) -> Option<(usize, usize)> {
        let (start, field) = (self.remote >> 16, self.remote & 0xffff);
        (self.remote != 0).then_some((self.begin + start as usize, self.begin + field as usize))
    }

    /// Bytes of headers around the inner packet.
    #[inline(always)]
    pub fn room(&self) -> usize {
        self.begin - IP
    }
}

/// Whether this may be a packet of a tunnel that ends here: a quick look.
#[inline(always)]
pub fn concerns<B: Bytes>(bytes: &B, settings: Settings) -> bool {
    outer::walk(bytes).is_some_and(|walk| shim::takes(bytes, settings, &walk))
}

/// What is inside. `is_merged` says that the packet stands for several, which the interface made
/// one: then they must be several of the inner packet, not of the tunnel's.
#[inline(always)]
pub fn inspect<B: Bytes>(bytes: &B, is_merged: bool) -> Result<Found, Count> {
    let walk = outer::walk(bytes).ok_or(Count::Malformed)?;
    let outer = outer::read(bytes, &walk)?;
    let shim = shim::read(bytes, &walk, outer.end)?;
    let inner = inner::read(bytes, &shim)?;
    if is_merged && (inner.end != outer.end || shim.remote != 0) {
        return Err(Count::Merged);
    }
    let found = Found {
        outer_is_six: walk.is_six,
        inner_is_six: shim.is_six,
        outer_class: outer.class,
        inner_class: inner.class,
        source: outer.source,
        destination: inner.destination,
        begin: shim.at,
        end: inner.end,
        shim: walk.at,
        shim_end: shim.end,
        remote: shim.remote,
    };
    match found.remote_checksum() {
        Some((_, field)) if field + 2 > found.end => Err(Count::Malformed),
        _ => Ok(found),
    }
}
