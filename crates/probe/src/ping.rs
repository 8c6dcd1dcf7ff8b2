//! PING_CHECK: an ICMP echo is answered.

use rlvs_check::machine::Adjust;
use socket2::{Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::fault::Result;
use crate::target::Target;

/// Header, and data by which the answer is known as ours.
const LENGTH: usize = 8 + 16;

pub(crate) async fn run(target: &Target) -> Result<Adjust> {
    let (socket, raw) = open(target)?;
    let mut address = target.address;
    address.set_port(0);
    socket.connect(&address.into())?;
    // It carries ICMP, but it is read and written like any socket of datagrams.
    let socket = UdpSocket::from_std(socket.into())?;
    let echo = Echo::new(target.address.is_ipv4());
    socket.send(&echo.request()).await?;
    target
        .wait("the echo", answered(&socket, &echo, raw))
        .await?;
    Ok(Adjust::Keep)
}

/// Anyone may ping whose group is in net.ipv4.ping_group_range; else CAP_NET_RAW is needed.
fn open(target: &Target) -> Result<(Socket, bool)> {
    let protocol = match target.address.is_ipv4() {
        true => Protocol::ICMPV4,
        false => Protocol::ICMPV6,
    };
    match target.socket(Type::DGRAM, protocol) {
        Ok(socket) => Ok((socket, false)),
        Err(_) => Ok((target.socket(Type::RAW, protocol)?, true)),
    }
}

async fn answered(socket: &UdpSocket, echo: &Echo, raw: bool) -> Result<()> {
    let mut buffer = [0; 256];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if echo.is_answer(message(&buffer[..length], echo.v4 && raw)) {
            return Ok(());
        }
    }
}

/// A raw socket of IPv4 gives the IP header, too.
fn message(packet: &[u8], header: bool) -> &[u8] {
    let skip = match packet.first() {
        Some(first) if header => usize::from(first & 0xf) * 4,
        _ => 0,
    };
    packet.get(skip..).unwrap_or_default()
}

/// An echo request (RFC 792; RFC 4443, 4.1).
struct Echo {
    v4: bool,
    identifier: [u8; 4],
    data: [u8; 16],
}

impl Echo {
    fn new(v4: bool) -> Self {
        Self {
            v4,
            identifier: fastrand::u32(..).to_be_bytes(),
            data: fastrand::u128(..).to_be_bytes(),
        }
    }

    fn request(&self) -> [u8; LENGTH] {
        let mut message = [0; LENGTH];
        message[0] = if self.v4 { 8 } else { 128 };
        message[4..8].copy_from_slice(&self.identifier);
        message[8..].copy_from_slice(&self.data);
        // The kernel computes ICMPv6's checksum, which covers addresses.
        if self.v4 {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        message
    }

    /// The kernel has its own identifier on datagram sockets, so only the data tells.
    fn is_answer(&self, message: &[u8]) -> bool {
        let kind = if self.v4 { 0 } else { 129 };
        message.first() == Some(&kind) && message.get(8..) == Some(&self.data[..])
    }
}

/// RFC 1071.
fn checksum(message: &[u8; LENGTH]) -> u16 {
    let words = message
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
