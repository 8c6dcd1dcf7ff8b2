//! The packet inside.

use rlvs_wire::{Ipv4, Ipv6, ipv4, ipv6};

use crate::address::{Address, mapped};
use crate::count::Count;
use crate::inspect::Bytes;
use crate::shim::Shim;

#[derive(Clone, Copy)]
pub(crate) struct Inner {
    pub(crate) destination: Address,
    pub(crate) class: u8,
    /// Where the packet ends.
    pub(crate) end: usize,
}

#[inline(always)]
pub(crate) fn read<B: Bytes>(bytes: &B, shim: &Shim) -> Result<Inner, Count> {
    let inner = match shim.is_six {
        true => read6(bytes, shim.at)?,
        false => read4(bytes, shim.at)?,
    };
    match inner.end <= shim.end {
        true => Ok(inner),
        false => Err(Count::Malformed),
    }
}

#[inline(always)]
fn read4<B: Bytes>(bytes: &B, at: usize) -> Result<Inner, Count> {
    let ip = bytes
        .header::<Ipv4>(bytes.offset(at))
        .ok_or(Count::Malformed)?;
    let length = ip.total_length.get() as usize;
    let header = ip.header_length();
    if ip.version() != 4 || header < ipv4::MIN_LENGTH || length < header {
        return Err(Count::Malformed);
    }
    Ok(Inner {
        destination: mapped(ip.destination),
        class: ip.tos,
        end: at + length,
    })
}

#[inline(always)]
fn read6<B: Bytes>(bytes: &B, at: usize) -> Result<Inner, Count> {
    let ip = bytes
        .header::<Ipv6>(bytes.offset(at))
        .ok_or(Count::Malformed)?;
    if ip.version() != 6 {
        return Err(Count::Malformed);
    }
    Ok(Inner {
        destination: ip.destination,
        class: ip.class(),
        end: at + ipv6::LENGTH + ip.payload_length.get() as usize,
    })
}
