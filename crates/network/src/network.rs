//! The follower's public face: start it, say what to follow, leave.

use std::collections::HashSet;
use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot, watch};

use crate::kernel::Kernel;
use crate::task::Task;
use crate::{Error, Link, NextHop, Unresolved};

/// How many events may wait for the reader before the follower pauses.
const EVENTS: usize = 1024;

/// What [`Network`] tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// All links, in the order of their indices: at the start and after any change.
    Links(Vec<Link>),
    /// The next hop of a watched address: the first time, and whenever it changed.
    NextHop {
        address: IpAddr,
        hop: Result<NextHop, Unresolved>,
    },
}

/// Follows the kernel's links, routes and neighbours of one network namespace.
///
/// Dropping it stops the following and leaves the neighbours managed by the kernel, as does the
/// death of the process; the next [`Network`] takes them over. [`Network::release`] hands them
/// back.
#[derive(Debug)]
pub struct Network {
    addresses: watch::Sender<HashSet<IpAddr>>,
    release: oneshot::Sender<oneshot::Sender<()>>,
}

impl Network {
    /// Starts to follow the network namespace of the calling thread. Must be called within a
    /// tokio runtime with I/O and time enabled. The receiver ends when following does: the
    /// network was released or dropped, or its socket failed.
    pub fn start() -> Result<(Self, mpsc::Receiver<Event>), Error> {
        let (kernel, news) = Kernel::open()?;
        let (addresses, watched) = watch::channel(HashSet::new());
        let (release, released) = oneshot::channel();
        let (events, receiver) = mpsc::channel(EVENTS);
        let task = Task {
            kernel,
            news,
            addresses: watched,
            release: released,
            events,
        };
        tokio::spawn(task.run());
        Ok((Self { addresses, release }, receiver))
    }

    /// Sets which addresses are followed, in place of those before. Never blocks.
    pub fn watch(&self, addresses: HashSet<IpAddr>) {
        self.addresses.send_replace(addresses);
    }

    /// Stops following and hands the managed neighbours back to the kernel's ordinary care.
    pub async fn release(self) {
        let (done, finished) = oneshot::channel();
        if self.release.send(done).is_ok() {
            // An error means that the follower is gone already.
            let _ = finished.await;
        }
    }
}
