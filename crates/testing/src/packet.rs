//! Frames, described and then built.
//!
//! A [`Packet`] is well-formed unless it [lies](Lie) or is [cut](Packet::cut); what else is odd
//! about it (options, extension headers, fragments, padding) is allowed on the wire.

use std::net::{IpAddr, SocketAddr};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const GRE: u8 = 47;
pub const ESP: u8 = 50;
pub const AH: u8 = 51;
pub const SCTP: u8 = 132;

/// Types of SCTP's chunks.
pub mod chunk {
    pub const DATA: u8 = 0;
    pub const INIT: u8 = 1;
    pub const INIT_ACK: u8 = 2;
    pub const SACK: u8 = 3;
    pub const HEARTBEAT: u8 = 4;
    pub const ABORT: u8 = 6;
    pub const SHUTDOWN: u8 = 7;
    pub const SHUTDOWN_ACK: u8 = 8;
    pub const ERROR: u8 = 9;
    pub const COOKIE_ECHO: u8 = 10;
    pub const COOKIE_ACK: u8 = 11;
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

const CRC32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

/// Length of an untagged Ethernet header.
pub const ETHERNET: usize = 14;

/// The director's own MAC address.
pub const DIRECTOR: [u8; 6] = [0x02, 0, 0, 0, 0, 0xd1];
/// The MAC address of the router or client before it.
pub const ROUTER: [u8; 6] = [0x02, 0, 0, 0, 0, 0xc1];

/// One frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    pub to: [u8; 6],
    pub from: [u8; 6],
    /// An 802.1Q tag.
    pub vlan: Option<u16>,
    /// Another ethertype than the IP version's.
    pub ethertype: Option<u16>,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    /// Time to live or hop limit.
    pub hops: u8,
    /// 32-bit words of IPv4 options, 0 to 10.
    pub options: u8,
    /// Between the IPv6 header and the upper layer.
    pub extensions: Vec<Extension>,
    pub fragment: Option<Fragment>,
    pub upper: Upper,
    /// Bytes behind the upper layer's header.
    pub payload: usize,
    /// What they begin with.
    pub message: &'static str,
    /// Bytes behind the IP packet, as short Ethernet frames have.
    pub padding: usize,
    pub lies: Vec<Lie>,
    /// Only so many bytes of the frame.
    pub cut: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Upper {
    /// 32-bit words of options, 0 to 10.
    Tcp {
        flags: u8,
        options: u8,
    },
    Udp,
    /// One chunk with the payload in it, or two and the payload in the first.
    Sctp {
        chunk: u8,
        second: Option<u8>,
        checksum: Crc,
    },
    /// Another protocol, without a header.
    Other(u8),
}

/// SCTP's checksum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crc {
    Right,
    /// Left to the device.
    Zero,
}

/// An IPv6 extension header and the 8-byte units (authentication: 4-byte words) behind its
/// shortest form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extension {
    HopByHop(u8),
    Routing(u8),
    DestinationOptions(u8),
    Authentication(u8),
}

/// The offset is in units of 8 bytes. In IPv6 offset 0 without more is an atomic fragment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    pub offset: u16,
    pub more: bool,
}

/// A header field that says something else than what is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    Version(u8),
    /// IPv4, in words.
    HeaderLength(u8),
    /// Added to IPv4's total length or IPv6's payload length.
    Length(i32),
    /// IPv4: a bit of the checksum is turned.
    HeaderChecksum(u8),
    /// TCP, in words.
    DataOffset(u8),
    UdpLength(u16),
    /// Of SCTP's first chunk.
    ChunkLength(u16),
    /// Of the last extension header, in its own units.
    ExtensionLength(u8),
}

impl Packet {
    pub fn tcp(source: SocketAddr, destination: SocketAddr, flags: u8) -> Self {
        Self::new(source, destination, Upper::Tcp { flags, options: 0 })
    }

    pub fn udp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self::new(source, destination, Upper::Udp)
    }

    /// With one chunk.
    pub fn sctp(source: SocketAddr, destination: SocketAddr, chunk: u8) -> Self {
        let upper = Upper::Sctp {
            chunk,
            second: None,
            checksum: Crc::Right,
        };
        Self::new(source, destination, upper)
    }

    pub fn other(source: SocketAddr, destination: SocketAddr, protocol: u8) -> Self {
        Self::new(source, destination, Upper::Other(protocol))
    }

    fn new(source: SocketAddr, destination: SocketAddr, upper: Upper) -> Self {
        assert_eq!(
            source.is_ipv4(),
            destination.is_ipv4(),
            "one IP version a packet"
        );
        Self {
            to: DIRECTOR,
            from: ROUTER,
            vlan: None,
            ethertype: None,
            source,
            destination,
            hops: 64,
            options: 0,
            extensions: Vec::new(),
            fragment: None,
            upper,
            payload: 0,
            message: "",
            padding: 0,
            lies: Vec::new(),
            cut: None,
        }
    }

    pub fn lying(mut self, lie: Lie) -> Self {
        self.lies.push(lie);
        self
    }

    /// Whether a host would take it for what it says it is.
    pub fn is_honest(&self) -> bool {
        self.lies.is_empty() && self.cut.is_none()
    }

    /// Length of the IP packet in bytes.
    pub fn ip_length(&self) -> usize {
        let header = match self.source {
            SocketAddr::V4(_) => 20 + 4 * usize::from(self.options),
            SocketAddr::V6(_) => 40 + self.extension_bytes().1.len(),
        };
        header + self.segment().len()
    }

    /// The frame.
    pub fn build(&self) -> Vec<u8> {
        let mut frame = self.ethernet();
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend(self.ipv4(source.octets(), destination.octets()));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend(self.ipv6(source.octets(), destination.octets()));
            }
            _ => unreachable!("checked when it was made"),
        }
        frame.resize(frame.len() + self.padding, 0);
        frame.truncate(self.cut.unwrap_or(usize::MAX));
        frame
    }

    /// The frame, with the transport checksum that is right.
    pub fn build_summed(&self) -> Vec<u8> {
        let mut frame = self.build();
        let end = ETHERNET + self.ip_length();
        let start = end - self.segment().len();
        let field = match self.upper.protocol() {
            TCP => start + 16,
            _ => start + 6,
        };
        frame[field..field + 2].fill(0);
        let addresses = match self.source {
            SocketAddr::V4(_) => &frame[ETHERNET + 12..ETHERNET + 20],
            SocketAddr::V6(_) => &frame[ETHERNET + 8..ETHERNET + 40],
        };
        let length = ((end - start) as u16).to_be_bytes();
        let protocol = [0, self.upper.protocol()];
        let sum = checksum(&[addresses, &protocol, &length, &frame[start..end]].concat());
        frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    fn ethernet(&self) -> Vec<u8> {
        let mut header = [self.to, self.from].concat();
        if let Some(tag) = self.vlan {
            header.extend(0x8100u16.to_be_bytes());
            header.extend(tag.to_be_bytes());
        }
        let right = if self.source.is_ipv4() {
            0x0800u16
        } else {
            0x86dd
        };
        header.extend(self.ethertype.unwrap_or(right).to_be_bytes());
        header
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let segment = self.segment();
        let words = 5 + self.options;
        let length = usize::from(words) * 4 + segment.len();
        let mut header = vec![0; usize::from(words) * 4];
        header[0] = self.version(4) << 4 | self.header_length(words);
        header[1] = 0x10;
        header[2..4].copy_from_slice(&self.length(length).to_be_bytes());
        header[4..6].copy_from_slice(&0xbeefu16.to_be_bytes());
        let fragment = self
            .fragment
            .map_or(0x4000, |it| it.offset | u16::from(it.more) << 13);
        header[6..8].copy_from_slice(&fragment.to_be_bytes());
        header[8] = self.hops;
        header[9] = self.upper.protocol();
        header[12..16].copy_from_slice(&source);
        header[16..20].copy_from_slice(&destination);
        // No-operations, and the end of the list.
        header[20..].fill(1);
        let sum = checksum(&header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        for lie in &self.lies {
            if let Lie::HeaderChecksum(bit) = lie {
                header[10 + usize::from(bit / 8 % 2)] ^= 1 << (bit % 8);
            }
        }
        [header, segment].concat()
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
        let (next, extensions) = self.extension_bytes();
        let segment = self.segment();
        let mut header = vec![0; 40];
        header[0] = self.version(6) << 4;
        header[3] = 7;
        let length = extensions.len() + segment.len();
        header[4..6].copy_from_slice(&self.length(length).to_be_bytes());
        header[6] = next;
        header[7] = self.hops;
        header[8..24].copy_from_slice(&source);
        header[24..40].copy_from_slice(&destination);
        [header, extensions, segment].concat()
    }

    /// The first next-header number and all extension headers.
    fn extension_bytes(&self) -> (u8, Vec<u8>) {
        let mut all: Vec<(u8, Vec<u8>)> = self.extensions.iter().map(Extension::bytes).collect();
        if let Some(length) = self.lies.iter().find_map(|lie| match lie {
            Lie::ExtensionLength(length) => Some(*length),
            _ => None,
        }) && let Some((_, bytes)) = all.last_mut()
        {
            bytes[1] = length;
        }
        if let Some(fragment) = self.fragment {
            let field = (fragment.offset << 3 | u16::from(fragment.more)).to_be_bytes();
            all.push((44, vec![0, 0, field[0], field[1], 0, 0, 0, 9]));
        }
        let mut next = self.upper.protocol();
        for (number, bytes) in all.iter_mut().rev() {
            bytes[0] = std::mem::replace(&mut next, *number);
        }
        (next, all.into_iter().flat_map(|(_, bytes)| bytes).collect())
    }

    /// The upper layer's header and payload.
    fn segment(&self) -> Vec<u8> {
        let mut segment = match self.upper {
            Upper::Tcp { flags, options } => self.tcp_header(flags, options),
            Upper::Udp => self.udp_header(),
            Upper::Sctp {
                chunk,
                second,
                checksum,
            } => return self.sctp_packet(chunk, second, checksum),
            Upper::Other(_) => Vec::new(),
        };
        segment.extend(self.payload());
        segment
    }

    fn payload(&self) -> impl Iterator<Item = u8> {
        let filler = (0..=u8::MAX).cycle().skip(self.message.len());
        self.message.bytes().chain(filler).take(self.payload)
    }

    fn tcp_header(&self, flags: u8, options: u8) -> Vec<u8> {
        let mut words = 5 + options;
        let mut header = vec![0; usize::from(words) * 4];
        for lie in &self.lies {
            if let Lie::DataOffset(lied) = lie {
                words = *lied;
            }
        }
        header[0..2].copy_from_slice(&self.source.port().to_be_bytes());
        header[2..4].copy_from_slice(&self.destination.port().to_be_bytes());
        header[4..8].copy_from_slice(&[1, 2, 3, 4]);
        header[12] = words << 4;
        header[13] = flags;
        header[14..16].copy_from_slice(&[0xfa, 0xf0]);
        header[16..18].copy_from_slice(&[0xab, 0xcd]);
        header[20..].fill(1);
        header
    }

    fn udp_header(&self) -> Vec<u8> {
        let mut length = 8 + self.payload as u16;
        for lie in &self.lies {
            if let Lie::UdpLength(lied) = lie {
                length = *lied;
            }
        }
        let (source, destination) = (self.source.port(), self.destination.port());
        [source, destination, length, 0xabcd]
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .collect()
    }

    fn sctp_packet(&self, chunk: u8, second: Option<u8>, checksum: Crc) -> Vec<u8> {
        let mut length = 4 + self.payload as u16;
        for lie in &self.lies {
            if let Lie::ChunkLength(lied) = lie {
                length = *lied;
            }
        }
        let mut packet = Vec::new();
        packet.extend(self.source.port().to_be_bytes());
        packet.extend(self.destination.port().to_be_bytes());
        packet.extend([1, 2, 3, 4, 0, 0, 0, 0]);
        packet.extend([chunk, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend(self.payload());
        packet.resize(packet.len().next_multiple_of(4), 0);
        if let Some(second) = second {
            packet.extend([second, 0, 0, 4]);
        }
        if checksum == Crc::Right {
            let sum = CRC32C.checksum(&packet).to_le_bytes();
            packet[8..12].copy_from_slice(&sum);
        }
        packet
    }

    fn version(&self, right: u8) -> u8 {
        let lied = self.lies.iter().find_map(|lie| match lie {
            Lie::Version(version) => Some(version & 15),
            _ => None,
        });
        lied.unwrap_or(right)
    }

    fn header_length(&self, right: u8) -> u8 {
        let lied = self.lies.iter().find_map(|lie| match lie {
            Lie::HeaderLength(words) => Some(words & 15),
            _ => None,
        });
        lied.unwrap_or(right)
    }

    fn length(&self, right: usize) -> u16 {
        let by = self.lies.iter().find_map(|lie| match lie {
            Lie::Length(by) => Some(*by),
            _ => None,
        });
        (right as i32 + by.unwrap_or(0)) as u16
    }
}

impl Upper {
    pub fn protocol(self) -> u8 {
        match self {
            Self::Tcp { .. } => TCP,
            Self::Udp => UDP,
            Self::Sctp { .. } => SCTP,
            Self::Other(number) => number,
        }
    }
}

impl Extension {
    /// Number and bytes, the next header still to be filled in.
    fn bytes(&self) -> (u8, Vec<u8>) {
        let (number, units, length) = match *self {
            Self::HopByHop(units) => (0, units, 8 + usize::from(units) * 8),
            Self::Routing(units) => (43, units, 8 + usize::from(units) * 8),
            Self::DestinationOptions(units) => (60, units, 8 + usize::from(units) * 8),
            // Its length field counts words not counting the first two (RFC 4302).
            Self::Authentication(words) => (51, words + 1, 12 + usize::from(words) * 4),
        };
        let mut bytes = vec![0; length];
        bytes[1] = units;
        (number, bytes)
    }
}

/// A frame to the director with an ICMP error: its type and code, what else is in its header, and
/// what it is about.
pub fn icmp_error(
    source: IpAddr,
    destination: IpAddr,
    header: [u8; 2],
    rest: [u8; 4],
    about: &[u8],
) -> Vec<u8> {
    let number = if source.is_ipv4() { 1 } else { 58 };
    let of = |address| SocketAddr::new(address, 0);
    let packet = Packet::other(of(source), of(destination), number);
    let packet = Packet {
        payload: 8 + about.len(),
        ..packet
    };
    let mut frame = packet.build();
    let start = frame.len() - packet.payload;
    let icmp = [&header[..], &[0, 0], &rest, about].concat();
    frame[start..].copy_from_slice(&icmp);
    let pseudo = match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let length = (icmp.len() as u16).to_be_bytes();
            let [source, destination] = [source.octets(), destination.octets()];
            [&source[..], &destination, &length, &[0, number]].concat()
        }
        _ => Vec::new(),
    };
    let sum = checksum(&[pseudo, icmp].concat());
    frame[start + 2..start + 4].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// The Internet checksum of `bytes`, whose own checksum field is zero.
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_what_a_capture_shows() {
        let mut syn = Packet::tcp(
            "192.168.1.2:54321".parse().unwrap(),
            "10.200.1.1:80".parse().unwrap(),
            SYN,
        );
        syn.hops = 0x40;
        let frame = syn.build();
        assert_eq!(frame.len(), 54);
        assert_eq!(
            frame[..14],
            [2, 0, 0, 0, 0, 0xd1, 2, 0, 0, 0, 0, 0xc1, 8, 0]
        );
        assert_eq!(
            frame[14..24],
            [0x45, 0x10, 0, 40, 0xbe, 0xef, 0x40, 0, 0x40, 6]
        );
        assert_eq!(frame[26..34], [192, 168, 1, 2, 10, 200, 1, 1]);
        assert_eq!(frame[34..38], [0xd4, 0x31, 0, 80]);
        assert_eq!((frame[46], frame[47]), (0x50, SYN));
        assert_eq!(
            checksum(&frame[14..34]),
            0,
            "a header with its checksum sums to nothing"
        );
    }

    #[test]
    fn an_sctp_packet_sums_up() {
        let mut packet = Packet::sctp(
            "192.168.1.2:54321".parse().unwrap(),
            "10.200.1.1:9899".parse().unwrap(),
            chunk::INIT,
        );
        packet.payload = 5;
        let mut segment = packet.build().split_off(34);
        assert_eq!(segment[..4], [0xd4, 0x31, 0x26, 0xab]);
        assert_eq!(segment[12..], [1, 0, 0, 9, 0, 1, 2, 3, 4, 0, 0, 0]);
        let stored = segment.splice(8..12, [0; 4]).collect::<Vec<_>>();
        assert_eq!(stored, CRC32C.checksum(&segment).to_le_bytes());
    }

    #[test]
    fn extension_headers_name_one_another() {
        let mut packet = Packet::udp(
            "[2001:db8::1]:5000".parse().unwrap(),
            "[2001:db8::2]:53".parse().unwrap(),
        );
        packet.extensions = vec![Extension::HopByHop(0), Extension::Authentication(3)];
        packet.fragment = Some(Fragment {
            offset: 1,
            more: true,
        });
        packet.payload = 4;
        let frame = packet.build();
        assert_eq!(
            frame[18..21],
            [0, 8 + 24 + 8 + 12, 0],
            "payload length, then hop by hop"
        );
        assert_eq!(frame[54..56], [51, 0]);
        assert_eq!(frame[62..64], [44, 4]);
        assert_eq!(frame[86..90], [17, 0, 0, 9]);
        assert_eq!(frame[94..102], [0x13, 0x88, 0, 53, 0, 12, 0xab, 0xcd]);
        assert_eq!(frame.len(), ETHERNET + packet.ip_length());
    }
}
