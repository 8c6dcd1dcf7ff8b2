//! Requests to the kernel that are answered before anything else is done.

use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::io::Errno;

type Message = NetlinkMessage<RouteNetlinkMessage>;

/// A socket for them, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Requests(Socket);

impl Requests {
    pub(crate) fn open() -> std::io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The same; the kernel lists only what is asked for.
    pub(crate) fn strict() -> std::io::Result<Self> {
        let Self(socket) = Self::open()?;
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self(socket))
    }

    /// Has the kernel make a change.
    pub(crate) fn change(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Errno> {
        self.ask(message, flags).map(drop)
    }

    /// What the kernel answers before it acknowledges.
    pub(crate) fn ask(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        self.send(message, NLM_F_ACK | flags)?;
        self.receive()
    }

    /// All that the kernel lists.
    pub(crate) fn list(
        &self,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        self.send(message, NLM_F_DUMP)?;
        self.receive()
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Errno> {
        let mut message = Message::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0).map(drop).map_err(errno)
    }

    /// Takes an answer to its end, which every request here has.
    fn receive(&self) -> Result<Vec<RouteNetlinkMessage>, Errno> {
        let mut answers = Vec::new();
        loop {
            let (bytes, _) = self.0.recv_from_full().map_err(errno)?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message = Message::deserialize(rest).map_err(|_| Errno::PROTO)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(message) => answers.push(message),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => {
                        return Err(Errno::from_raw_os_error(-error.raw_code()));
                    }
                    NetlinkPayload::Done(_) => return Ok(answers),
                    _ => return Err(Errno::PROTO),
                }
            }
        }
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
