//! What is read of a transport header.

use rlvs_wire::sctp::Chunk;
use rlvs_wire::{Ports, Sctp, Tcp, Udp, protocol, sctp, tcp, udp};

use crate::frame::{Frame, OFFSETS};
use crate::reason::Reason;

/// Ports in network byte order, and what else there is to a [`Tuple`](crate::tuple::Tuple).
pub(crate) struct Upper {
    pub(crate) source: [u8; 2],
    pub(crate) destination: [u8; 2],
    /// The connection's protocol, and the packet's own.
    pub(crate) protocol: u8,
    pub(crate) own: u8,
    pub(crate) flags: u8,
}

impl Upper {
    /// The same, of which the verifier knows nothing: it would read all that follows again for
    /// each protocol.
    #[inline(always)]
    pub(crate) fn forget<R: Frame>(self, frame: &R) -> Self {
        let forget = |byte| frame.offset(byte as usize) as u8;
        Self {
            protocol: forget(self.protocol),
            own: forget(self.own),
            flags: forget(self.flags),
            ..self
        }
    }

    /// `at` if it has ports there, or else 0.
    #[inline(always)]
    pub(crate) fn ports_at(&self, at: usize) -> u32 {
        if is_keyed(self.own) { 0 } else { at as u32 }
    }

    /// AH's and ESP's packets have no ports. IPVS takes them for packets of the connection in which
    /// their keys are agreed on, ISAKMP's (net/netfilter/ipvs/ip_vs_proto_ah_esp.c).
    const fn keyed(own: u8) -> Self {
        Self {
            source: 500u16.to_be_bytes(),
            destination: 500u16.to_be_bytes(),
            protocol: protocol::UDP,
            own,
            flags: 0,
        }
    }
}

/// Whether packets of this protocol follow the connection in which their keys were agreed on.
#[inline(always)]
pub(crate) fn is_keyed(number: u8) -> bool {
    matches!(number, protocol::ESP | protocol::AUTHENTICATION)
}

/// The header at `at`, of a segment of `length` bytes, or of a first fragment of it: of that one
/// the whole header must be there (RFC 1858).
#[inline(always)]
pub(crate) fn read<R: Frame>(
    frame: &R,
    number: u8,
    at: usize,
    length: usize,
    fragment: u8,
) -> Result<Upper, Reason> {
    let or_tiny = |reason| match fragment {
        0 => reason,
        _ => Reason::FragmentTiny,
    };
    match number {
        protocol::TCP => {
            let tcp = frame.header::<Tcp>(at);
            let tcp = tcp.ok_or_else(|| or_tiny(Reason::Truncated))?;
            if length < tcp::MIN_LENGTH {
                return Err(or_tiny(Reason::Truncated));
            }
            if tcp.header_length() < tcp::MIN_LENGTH {
                return Err(Reason::Malformed);
            }
            if tcp.header_length() > length {
                return Err(or_tiny(Reason::Malformed));
            }
            let (source, destination) = (tcp.source.to_bytes(), tcp.destination.to_bytes());
            Ok(Upper {
                source,
                destination,
                protocol: number,
                own: number,
                flags: tcp.flags,
            })
        }
        protocol::UDP => {
            let udp = frame.header::<Udp>(at);
            let udp = udp.ok_or_else(|| or_tiny(Reason::Truncated))?;
            if length < udp::LENGTH {
                return Err(or_tiny(Reason::Truncated));
            }
            let claimed = udp.length.get() as usize;
            // The rest of it is in later fragments.
            if claimed < udp::LENGTH || claimed > length && fragment == 0 {
                return Err(Reason::Malformed);
            }
            let (source, destination) = (udp.source.to_bytes(), udp.destination.to_bytes());
            Ok(Upper {
                source,
                destination,
                protocol: number,
                own: number,
                flags: 0,
            })
        }
        // What another port changes in its checksum depends on how much follows in other fragments.
        protocol::SCTP if fragment != 0 => Err(Reason::FragmentUnknown),
        protocol::SCTP => {
            let sctp = frame.header::<Sctp>(at).ok_or(Reason::Truncated)?;
            Ok(Upper {
                source: sctp.source,
                destination: sctp.destination,
                protocol: number,
                own: number,
                flags: deciding_chunk(frame, at, length)?,
            })
        }
        _ if is_keyed(number) => Ok(Upper::keyed(number)),
        _ => Err(Reason::Protocol),
    }
}

/// The ends of a packet that an ICMP error is about, which is seldom whole.
#[inline(always)]
pub(crate) fn ends<R: Frame>(frame: &R, number: u8, at: usize) -> Option<Upper> {
    if is_keyed(number) {
        return Some(Upper::keyed(number));
    }
    let ports = frame.header::<Ports>(at)?;
    Some(Upper {
        source: ports.source,
        destination: ports.destination,
        protocol: number,
        own: number,
        flags: 0,
    })
}

/// The type of the chunk that says what an SCTP packet is about: the first. An ABORT may come
/// behind a COOKIE ECHO or its answer, and then counts (RFC 9260, section 3.3.7).
#[inline(always)]
fn deciding_chunk<R: Frame>(frame: &R, at: usize, length: usize) -> Result<u8, Reason> {
    let Some(chunk) = frame.header::<Chunk>(at + sctp::LENGTH) else {
        // Packets in one, each in its piece: only data is sent so.
        return match frame.is_in_segments() {
            true => Ok(sctp::DATA),
            false => Err(Reason::Truncated),
        };
    };
    if length < sctp::LENGTH + sctp::CHUNK_LENGTH {
        return Err(Reason::Truncated);
    }
    let size = chunk.length.get() as usize;
    let second = sctp::LENGTH + ((size + 3) & !3);
    let is_followed = matches!(chunk.kind, sctp::COOKIE_ECHO | sctp::COOKIE_ACK)
        && size >= sctp::CHUNK_LENGTH
        && second + sctp::CHUNK_LENGTH <= length
        && at + second < OFFSETS;
    if !is_followed {
        return Ok(chunk.kind);
    }
    let aborts = frame
        .header::<Chunk>(frame.offset(at + second))
        .is_some_and(|chunk| chunk.kind == sctp::ABORT);
    Ok(if aborts { sctp::ABORT } else { chunk.kind })
}
