//! What all kinds of NAT have in common: an end of a packet becomes another one, and its transport
//! checksum is mended.
//!
//! SCTP's covers no addresses. If it is 0, it is left so: a stack that leaves the checksum to the
//! device writes 0, and whoever computes it at last expects that. A computed one is 0 once in four
//! billion packets; such a packet is lost, and sent again in another that sums up to something
//! else. AH's and ESP's packets get addresses only, as in IPVS.

use rlvs_wire::{Checksum, Ports, Sctp, crc32c, protocol, tcp, udp};

use crate::frame::{Brief, Change, Frame};
use crate::tuple::{IP, Packet, Side};
use crate::upper::is_keyed;

/// What was changed under a packet's transport checksum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changed {
    pub(super) addresses: Checksum,
    pub(super) header: Checksum,
    /// Ports before exclusive or after, as both lie in the packet.
    pub(super) ports: u32,
}

impl Changed {
    /// In one register: what was changed in the header (32 bits) above what in addresses (16). Not
    /// of ports: before those.
    #[inline(always)]
    pub(super) fn packed(self) -> u64 {
        let [a, b] = self.addresses.to_sum();
        (self.header.to_word() as u64) << 16 | u16::from_ne_bytes([a, b]) as u64
    }

    #[inline(always)]
    pub(super) fn unpacked(word: u64) -> Self {
        Self {
            addresses: Checksum::default().plus((word as u16).to_ne_bytes()),
            header: Checksum::default().plus4(((word >> 16) as u32).to_ne_bytes()),
            ports: 0,
        }
    }

    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            addresses: self.addresses.and(other.addresses),
            header: self.header.and(other.header),
            ports: self.ports ^ other.ports,
        }
    }
}

/// Gives one end of a packet another address and port: what `port` makes of the one it has.
#[inline(always)]
pub(super) fn replace_end<F: Packet, R: Frame>(
    frame: &mut R,
    brief: Brief,
    side: Side,
    address: F::Address,
    port: impl FnOnce([u8; 2]) -> [u8; 2],
) -> Option<Changed> {
    let addresses = F::replace_address(frame, IP, side, address)?;
    if is_keyed(brief.protocol()) {
        return Some(Changed {
            addresses,
            ..Changed::default()
        });
    }
    let ports = frame.header_mut::<Ports>(frame.offset(brief.transport()))?;
    let field = match side {
        Side::Source => &mut ports.source,
        Side::Destination => &mut ports.destination,
    };
    let port = port(*field);
    let [a, b] = [field[0] ^ port[0], field[1] ^ port[1]];
    let header = Checksum::default().replace(*field, port);
    *field = port;
    Some(Changed {
        addresses,
        header,
        ports: u32::from_ne_bytes(match side {
            Side::Source => [a, b, 0, 0],
            Side::Destination => [0, 0, a, b],
        }),
    })
}

/// Gives one end of a packet another address, and leaves its port.
#[inline(always)]
pub(crate) fn readdress<F: Packet, R: Frame>(
    frame: &mut R,
    brief: Brief,
    side: Side,
    address: F::Address,
) -> Option<()> {
    let changed = replace_end::<F, R>(frame, brief, side, address, |port| port)?;
    mend::<F, R>(frame, brief, changed)
}

/// Carries the changes over to the checksum.
#[inline(always)]
pub(super) fn mend<F: Packet, R: Frame>(
    frame: &mut R,
    brief: Brief,
    changed: Changed,
) -> Option<()> {
    let (transport, number) = (frame.offset(brief.transport()), brief.protocol());
    if number == protocol::SCTP || is_keyed(number) {
        // An IPv4 header sums up to the same always.
        frame.account(match F::INDEX {
            0 => changed.header,
            _ => changed.header.and(changed.addresses),
        });
        return match number {
            protocol::SCTP => frame.mend_sctp::<F>(transport, changed.ports),
            _ => Some(()),
        };
    }
    let is_udp = number == protocol::UDP;
    frame.mend(Change {
        field: match is_udp {
            true => transport + udp::CHECKSUM,
            false => transport + tcp::CHECKSUM,
        },
        addresses: changed.addresses,
        header: changed.header,
        is_udp,
        is_ipv6: F::INDEX == 1,
    })
}

/// Mends the checksum of an SCTP packet, whose header is at `at` and whose ports have become others
/// by exclusive or with `difference`.
#[inline(always)]
pub fn mend_sctp<F: Packet, R: Frame>(frame: &mut R, at: usize, difference: u32) -> Option<()> {
    if difference == 0 {
        return Some(());
    }
    let at = frame.offset(at);
    let end = F::inner(frame)?.bytes as usize + IP;
    let sctp = frame.header_mut::<Sctp>(at)?;
    let before = sctp.checksum;
    if before == [0; 4] {
        return Some(());
    }
    let length = end.wrapping_sub(at) as u16;
    let change = crc32c::change(difference.to_ne_bytes(), length);
    let after = (u32::from_le_bytes(before) ^ change).to_le_bytes();
    sctp.checksum = after;
    frame.account(Checksum::default().replace4(before, after));
    Some(())
}
