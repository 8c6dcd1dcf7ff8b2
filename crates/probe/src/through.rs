//! Probes that go by way of the virtual address: somebody else changes their packets on the way, by
//! the socket that sends them.

use core::fmt::Debug;
use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rlvs_check::machine::{Adjust, Through};
use socket2::{Protocol, Socket, Type};

use crate::fault::{Fault, Result};
use crate::target::Target;

/// Who sends packets by way of virtual addresses.
pub trait Ways: Debug + Send + Sync {
    /// From now on the packets of the socket with this cookie make this journey.
    fn open(&self, cookie: u64, journey: &Journey) -> io::Result<()>;

    /// The socket is done with; whether it had an answer from the virtual address.
    fn close(&self, cookie: u64) -> bool;
}

/// Where the packets of a socket go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Journey {
    /// Whom the socket is connected with: the real server.
    pub server: SocketAddr,
    pub through: Through,
    /// As IP headers have it.
    pub protocol: u8,
}

/// What a segment may carry where packets go in others: then they fit any link that carries IPv6
/// (1280 bytes), with the largest headers of both packets and GUE's.
pub(crate) const SEGMENT: u32 = 1280 - 40 - 12 - 40 - 40;

/// The sockets of one probe that is being made.
#[derive(Debug)]
pub(crate) struct Crossing {
    ways: Arc<dyn Ways>,
    through: Through,
    open: Mutex<Vec<u64>>,
}

impl Crossing {
    pub(crate) fn new(ways: Arc<dyn Ways>, through: Through) -> Self {
        Self {
            ways,
            through,
            open: Mutex::default(),
        }
    }

    /// Has a socket's packets go so. It gets a port that no other socket has: answers come from the
    /// virtual address, whichever real server's they are.
    pub(crate) fn take(
        &self,
        socket: &Socket,
        kind: Type,
        protocol: Protocol,
        (peer, bind): (SocketAddr, Option<SocketAddr>),
    ) -> io::Result<()> {
        if bind.is_none() {
            let any = match peer {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            socket.bind(&SocketAddr::new(any, 0).into())?;
        }
        if kind == Type::STREAM {
            // The port is free at once.
            socket.set_linger(Some(Duration::ZERO))?;
            if self.through.tunnel.is_some() {
                socket.set_tcp_mss(SEGMENT)?;
            }
        }
        let journey = Journey {
            server: peer,
            through: self.through,
            protocol: i32::from(protocol) as u8,
        };
        let cookie = socket.cookie()?;
        self.ways.open(cookie, &journey)?;
        self.lock().push(cookie);
        Ok(())
    }

    /// What the probe came to, in words that say which way it went.
    pub(crate) fn judge(&self, target: &Target, result: Result<Adjust>) -> Result<Adjust> {
        let by = match self.through.tunnel {
            Some(_) => "by tunnel",
            None => "by direct routing",
        };
        let words = |reason| format!("through {} {by}: {reason}", target.address);
        match result {
            // That it succeeds by another way proves nothing.
            Ok(_) if !self.close() => Err(Fault::Here(words(
                "the answer did not come by an interface of the director".to_owned(),
            ))),
            Ok(adjust) => Ok(adjust),
            Err(Fault::Target(reason)) => Err(Fault::Target(words(reason))),
            Err(Fault::Here(reason)) => Err(Fault::Here(words(reason))),
        }
    }

    /// Whether every socket had an answer from the virtual address, and there was one.
    fn close(&self) -> bool {
        let open = core::mem::take(&mut *self.lock());
        let answered: Vec<bool> = open.iter().map(|&cookie| self.ways.close(cookie)).collect();
        !answered.is_empty() && answered.into_iter().all(|it| it)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crossing {
    /// Also of a probe that is broken off.
    fn drop(&mut self) {
        self.close();
    }
}
