//! What this director tells a peer: all that it has when they meet, then what changes.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_engine::{V4, V6};
use rlvs_plane::Store;
use rlvs_sync::peer::{Draft, Frame};
use socket2::{Domain, Socket, Type};

use super::Peer;
use super::channel::{Channel, PATIENCE, Secret};
use crate::sweep;
use crate::sync::master::{Pace, walk};
use crate::sync::portrait::Audience;
use crate::sync::teller::{Due, Manner, Teller};

const PERIOD: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(100);
/// A peer that is not there is looked for again after this.
const AGAIN: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(3);

pub(super) struct Push<T> {
    pub(super) tables: Arc<T>,
    pub(super) peer: Arc<Peer>,
    pub(super) own: IpAddr,
    pub(super) secret: Secret,
    pub(super) manner: Manner,
    pub(super) rate: u32,
    pub(super) stop: Arc<AtomicBool>,
}

impl<T: Store> Push<T> {
    /// Until it is told to stop.
    pub(super) fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let ended = self.meet();
            if !self.stop.load(Ordering::Relaxed) {
                self.peer
                    .set_problem(ended.err().map(|error| error.to_string()));
                thread::park_timeout(AGAIN);
            }
        }
    }

    /// As long as the peer listens.
    fn meet(&self) -> io::Result<()> {
        let stream = self.connect()?;
        let mut channel = Channel::begin(stream, &self.secret, &self.stop)?;
        self.peer.set_problem(None);
        // It may be new, and is told all.
        self.peer.memory.forget(|_| true);
        let manner = Manner {
            threshold: 0,
            ..self.manner.clone()
        };
        self.tell(&mut channel, &self.teller(&manner))?;
        channel.send(Frame::CAUGHT_UP)?;
        let teller = self.teller(&self.manner);
        while !self.stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            self.tell(&mut channel, &teller)?;
            channel.send(Frame::ALIVE)?;
            thread::park_timeout(PERIOD.saturating_sub(begun.elapsed()).max(REST));
        }
        Ok(())
    }

    fn teller(&self, manner: &Manner) -> Teller {
        let peer = &self.peer;
        let (memory, counts) = (Arc::clone(&peer.memory), Arc::clone(&peer.counts));
        Teller::new(memory, counts, manner, Audience::Peer)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let to = self.peer.address;
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        // By its address the peer knows this director.
        socket.bind(&SocketAddr::new(self.own, 0).into())?;
        socket.set_tcp_user_timeout(Some(PATIENCE))?;
        socket.connect_timeout(&to.into(), CONNECT)?;
        Ok(socket.into())
    }

    /// All that is due.
    fn tell(&self, channel: &mut Channel<'_>, teller: &Teller) -> io::Result<()> {
        let mut pace = Pace::new(self.rate);
        let (mut draft, mut ended) = (Draft::new(), Ok(()));
        let mut tell = |due: Option<Due>| {
            if let Some(due) = due
                && !draft.push(&due.record, due.idle)
            {
                let full = std::mem::replace(&mut draft, Draft::new());
                // There is always room for the first.
                let _ = draft.push(&due.record, due.idle);
                pace.wait(full.count().into(), &self.stop);
                ended = self.send(channel, full);
            }
            ended.is_ok() && !self.stop.load(Ordering::Relaxed)
        };
        let [four, six] = sweep::in_use(&*self.tables);
        let _ = (!four || walk::<V4, T>(&self.tables, teller, &mut tell))
            && (!six || walk::<V6, T>(&self.tables, teller, &mut tell));
        ended?;
        self.send(channel, draft)
    }

    fn send(&self, channel: &mut Channel<'_>, draft: Draft) -> io::Result<()> {
        let count = draft.count();
        if count == 0 {
            return Ok(());
        }
        channel.send(&draft.finish())?;
        self.peer.told.add(count.into());
        Ok(())
    }
}
