//! Questions to the kernel, and its answers: the only netlink I/O.
//!
//! Two sockets: one for what the kernel tells by itself, one for requests, so that a flood of
//! news overruns the first and never costs an answer on the second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{Stream, StreamExt, stream};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use rtnetlink::{Handle, MulticastGroup};
use rustix::io::Errno;
use tokio::task::JoinSet;

use crate::Link;
use crate::care::Action;
use crate::neighbour::{Key, Neighbour, PROTOCOL};
use crate::route::{self, Route};

type Message = NetlinkMessage<RouteNetlinkMessage>;

/// What the kernel tells by itself.
pub(crate) type News = UnboundedReceiver<(Message, SocketAddr)>;

/// Requests under way at once.
const CONCURRENCY: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Room for news, in bytes: some ten thousand messages.
const NEWS_BUFFER: usize = 8 << 20;

const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// The request socket.
#[derive(Debug)]
pub(crate) struct Kernel {
    handle: Handle,
    /// Both sockets' pumps; they end with this.
    _pumps: JoinSet<()>,
}

impl Kernel {
    /// Opens the sockets in the network namespace of the calling thread.
    pub(crate) fn open() -> std::io::Result<(Self, News)> {
        let (mut listener, _, news) = rtnetlink::new_multicast_connection(&GROUPS)?;
        enlarge(listener.socket_mut().socket_ref());
        let (requester, handle, _) = rtnetlink::new_connection()?;
        let mut pumps = JoinSet::new();
        pumps.spawn(listener);
        pumps.spawn(requester);
        Ok((
            Self {
                handle,
                _pumps: pumps,
            },
            news,
        ))
    }

    pub(crate) async fn links(&self) -> Result<Vec<Link>, Errno> {
        let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let read = |message| match message {
            RouteNetlinkMessage::NewLink(link) => Link::read(&link),
            _ => None,
        };
        self.dump(message, read).await
    }

    pub(crate) async fn neighbours(&self) -> Result<HashMap<Key, Neighbour>, Errno> {
        let message = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let read = |message| match message {
            RouteNetlinkMessage::NewNeighbour(entry) => Neighbour::read(&entry),
            _ => None,
        };
        self.dump(message, read).await
    }

    /// Looks up the routes to all `addresses`.
    pub(crate) async fn routes(&self, addresses: Vec<IpAddr>) -> Vec<(IpAddr, Route)> {
        let look_up = |address| async move { (address, self.route(address).await) };
        stream::iter(addresses)
            .map(look_up)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await
    }

    /// Does all `actions`.
    pub(crate) async fn act(&self, actions: Vec<Action>) -> Vec<(Action, Result<(), Errno>)> {
        let act = |action| async move { (action, self.act_once(action).await) };
        stream::iter(actions)
            .map(act)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await
    }

    async fn route(&self, address: IpAddr) -> Route {
        let flags = NLM_F_REQUEST;
        let mut answers = self
            .request(look_up(address), flags)
            .map_err(route::refused)?;
        match next(&mut answers).await.map_err(route::refused)? {
            Some(RouteNetlinkMessage::NewRoute(message)) => route::read(address, &message),
            _ => Err(route::refused(Errno::PROTO)),
        }
    }

    async fn act_once(&self, action: Action) -> Result<(), Errno> {
        match action {
            Action::Manage(key) => self.acknowledged(manage(key), NLM_F_CREATE).await,
            Action::Release(key) => self.acknowledged(release(key), 0).await,
            Action::Probe(key) => {
                self.acknowledged(probe(key), 0).await?;
                // The kernel takes a state only together with the loss of the flag.
                self.acknowledged(manage(key), NLM_F_CREATE).await
            }
        }
    }

    async fn acknowledged(&self, entry: NeighbourMessage, flags: u16) -> Result<(), Errno> {
        let message = RouteNetlinkMessage::NewNeighbour(entry);
        let mut answers = self.request(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        next(&mut answers).await.map(|_| ())
    }

    async fn dump<T, C: Default + Extend<T>>(
        &self,
        message: RouteNetlinkMessage,
        read: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<C, Errno> {
        let mut answers = self.request(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut collected = C::default();
        while let Some(answer) = next(&mut answers).await? {
            collected.extend(read(answer));
        }
        Ok(collected)
    }

    fn request(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<impl Stream<Item = Message> + Unpin + use<>, Errno> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        self.handle
            .clone()
            .request(message)
            .map_err(|_| Errno::NOTCONN)
    }
}

/// The next part of an answer; none at its end.
async fn next(
    answers: &mut (impl Stream<Item = Message> + Unpin),
) -> Result<Option<RouteNetlinkMessage>, Errno> {
    let answer = tokio::time::timeout(PATIENCE, answers.next()).await;
    match answer
        .map_err(|_| Errno::TIMEDOUT)?
        .map(|message| message.payload)
    {
        None => Ok(None),
        Some(NetlinkPayload::InnerMessage(message)) => Ok(Some(message)),
        Some(NetlinkPayload::Error(error)) if error.code.is_none() => Ok(None),
        Some(NetlinkPayload::Error(error)) => Err(Errno::from_raw_os_error(-error.raw_code())),
        Some(_) => Err(Errno::NOBUFS),
    }
}

/// More than `rmem_max` allows where this process may; else what is allowed.
fn enlarge(socket: &rtnetlink::sys::Socket) {
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, NEWS_BUFFER).is_err() {
        // An overrun leads to a full resync, so a small buffer is slower, not wrong.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, NEWS_BUFFER);
    }
}

fn look_up(address: IpAddr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(address);
    message.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
    message
        .attributes
        .push(RouteAttribute::Destination(address.into()));
    RouteNetlinkMessage::GetRoute(message)
}

fn manage(key: Key) -> NeighbourMessage {
    let mut message = entry(key);
    message.header.flags = NeighbourFlags::ExtLearned;
    message
        .attributes
        .push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    message
        .attributes
        .push(NeighbourAttribute::Protocol(PROTOCOL));
    message
}

fn probe(key: Key) -> NeighbourMessage {
    let mut message = entry(key);
    message.header.flags = NeighbourFlags::ExtLearned;
    message.header.state = NeighbourState::Probe;
    message
}

/// Takes the flags away; "use" keeps the state and the address.
fn release(key: Key) -> NeighbourMessage {
    let mut message = entry(key);
    message.header.flags = NeighbourFlags::Use;
    message
}

fn entry(key: Key) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(key.address);
    message.header.ifindex = key.interface;
    message
        .attributes
        .push(NeighbourAttribute::Destination(key.address.into()));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
