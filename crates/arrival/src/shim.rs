//! What is between the two IP headers.

use rlvs_wire::{Gre, Gue, Udp, ethernet, gre, gue, protocol, udp};

use crate::count::Count;
use crate::inspect::Bytes;
use crate::outer::Walk;
use crate::settings::{Kind, Settings};

#[derive(Clone, Copy)]
pub(crate) struct Shim {
    /// Where the inner packet begins.
    pub(crate) at: usize,
    /// Where it must end.
    pub(crate) end: usize,
    pub(crate) is_six: bool,
    /// Its transport checksum is to be filled in: where, counted from its begin, the sum starts
    /// (upper half) and where it goes (lower half).
    pub(crate) remote: u32,
}

/// Whether the header is one of a tunnel that ends here.
#[inline(always)]
pub(crate) fn takes<B: Bytes>(bytes: &B, settings: Settings, walk: &Walk) -> bool {
    match walk.protocol {
        protocol::IPV4 | protocol::IPV6 => settings.has(Kind::Ipip),
        protocol::GRE => settings.has(Kind::Gre),
        protocol::UDP if settings.has(Kind::Gue) => {
            let udp = bytes.header::<Udp>(bytes.offset(walk.at));
            udp.is_some_and(|udp| udp.destination.get() == settings.gue_port())
        }
        _ => false,
    }
}

#[inline(always)]
pub(crate) fn read<B: Bytes>(bytes: &B, walk: &Walk, end: usize) -> Result<Shim, Count> {
    match walk.protocol {
        protocol::GRE => read_gre(bytes, walk.at, end),
        protocol::UDP => read_gue(bytes, walk.at, end),
        inner => Ok(Shim {
            at: walk.at,
            end,
            is_six: inner == protocol::IPV6,
            remote: 0,
        }),
    }
}

/// No key and no sequence number: IPVS has none.
#[inline(always)]
fn read_gre<B: Bytes>(bytes: &B, at: usize, end: usize) -> Result<Shim, Count> {
    let gre = bytes
        .header::<Gre>(bytes.offset(at))
        .ok_or(Count::Malformed)?;
    let checksum = match gre.flags {
        [0, 0] => 0,
        gre::HAS_CHECKSUM => gre::CHECKSUM_LENGTH,
        _ => return Err(Count::Unsupported),
    };
    Ok(Shim {
        at: at + gre::LENGTH + checksum,
        end,
        is_six: match gre.protocol.get() {
            ethernet::IPV4 => false,
            ethernet::IPV6 => true,
            _ => return Err(Count::Unsupported),
        },
        remote: 0,
    })
}

#[inline(always)]
fn read_gue<B: Bytes>(bytes: &B, at: usize, end: usize) -> Result<Shim, Count> {
    let udp = bytes
        .header::<Udp>(bytes.offset(at))
        .ok_or(Count::Malformed)?;
    let length = udp.length.get() as usize;
    let is_summed = udp.checksum != [0, 0];
    if length < udp::LENGTH + gue::LENGTH || at + length > end {
        return Err(Count::Malformed);
    }
    let header = at + udp::LENGTH;
    let gue = bytes
        .header::<Gue>(bytes.offset(header))
        .ok_or(Count::Malformed)?;
    if !gue.is_data() {
        return Err(Count::Unsupported);
    }
    let is_six = match gue.protocol {
        protocol::IPV4 => false,
        protocol::IPV6 => true,
        _ => return Err(Count::Unsupported),
    };
    let options = gue.options_length();
    let remote = match gue.flags {
        [0, 0] => 0,
        gue::HAS_PRIVATE_FLAGS => read_private(bytes, header + gue::LENGTH, options)?,
        _ => return Err(Count::Unsupported),
    };
    // What is to be filled in was summed up by nobody: the outer checksum stands for it.
    if remote != 0 && !is_summed {
        return Err(Count::Malformed);
    }
    Ok(Shim {
        at: header + gue::LENGTH + options,
        end: at + length,
        is_six,
        remote,
    })
}

/// Private flags and the one field that Linux knows: remote checksum offload
/// (draft-herbert-remotecsumoffload).
#[inline(always)]
fn read_private<B: Bytes>(bytes: &B, at: usize, options: usize) -> Result<u32, Count> {
    let [flags, field] = *bytes
        .header::<[[u8; 4]; 2]>(bytes.offset(at))
        .ok_or(Count::Malformed)?;
    match flags {
        [0, 0, 0, 0] if options >= gue::PRIVATE_FLAGS_LENGTH => Ok(0),
        gue::REMOTE_CHECKSUM if options >= gue::PRIVATE_FLAGS_LENGTH + gue::REMOTE_LENGTH => {
            remote(u32::from_be_bytes(field))
        }
        [0, 0, 0, 0] | gue::REMOTE_CHECKSUM => Err(Count::Malformed),
        _ => Err(Count::Unsupported),
    }
}

/// The checksum lies in what it is the sum of.
#[inline(always)]
fn remote(field: u32) -> Result<u32, Count> {
    let (start, checksum) = (field >> 16, field & 0xffff);
    match start != 0 && checksum >= start {
        true => Ok(field),
        false => Err(Count::Malformed),
    }
}
