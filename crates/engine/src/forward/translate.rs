//! What all kinds of NAT have in common: an end of a packet becomes another one, and its transport
//! checksum is mended.

use rlvs_wire::{Checksum, Ports, protocol, tcp, udp};

use crate::frame::{Change, Frame};
use crate::tuple::{IP, Packet, Side};

/// What was changed under a packet's transport checksum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changed {
    pub(super) addresses: Checksum,
    pub(super) header: Checksum,
}

impl Changed {
    /// In one register: what was changed in the header (32 bits) above what in addresses (16).
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
        }
    }

    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            addresses: self.addresses.and(other.addresses),
            header: self.header.and(other.header),
        }
    }
}

/// Gives one end of a packet, whose transport header lies at `transport`, another address and port.
#[inline(always)]
pub(super) fn replace_end<F: Packet, R: Frame>(
    frame: &mut R,
    transport: usize,
    side: Side,
    address: F::Address,
    port: [u8; 2],
) -> Option<Changed> {
    let addresses = F::replace_address(frame, IP, side, address)?;
    let ports = frame.header_mut::<Ports>(transport)?;
    let field = match side {
        Side::Source => &mut ports.source,
        Side::Destination => &mut ports.destination,
    };
    let header = Checksum::default().replace(*field, port);
    *field = port;
    Some(Changed { addresses, header })
}

/// Carries the changes over to the checksum.
#[inline(always)]
pub(super) fn mend<F: Packet, R: Frame>(
    frame: &mut R,
    transport: usize,
    number: u8,
    changed: Changed,
) -> Option<()> {
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
