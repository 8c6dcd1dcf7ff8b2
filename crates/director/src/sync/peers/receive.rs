//! What peers tell this director.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use rlvs_plane::Store;
use rlvs_sync::peer::Frame;
use socket2::{Domain, Socket, Type};

use super::Peer;
use super::channel::{Channel, LOOK, Secret};
use crate::sync::herald::Herald;
use crate::sync::learner::Learner;

/// Peers that wait to be heard.
const BACKLOG: i32 = 16;
/// Connections of one peer that are being made, or are left of a peer that is gone.
const MOST: usize = 4;

pub(super) struct Receive<T> {
    pub(super) tables: Arc<T>,
    pub(super) peers: Vec<Arc<Peer>>,
    pub(super) secret: Secret,
    pub(super) changes: Arc<AtomicU64>,
    pub(super) herald: Arc<Herald>,
    pub(super) stop: Arc<AtomicBool>,
}

/// A socket for them.
pub(super) fn listen(own: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(own), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&own.into())?;
    socket.listen(BACKLOG)?;
    // For `accept`.
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket.into())
}

impl<T: Store + Send + Sync + 'static> Receive<T> {
    /// Until it is told to stop.
    pub(super) fn run(self: Arc<Self>, listener: &TcpListener) {
        while !self.stop.load(Ordering::Relaxed) {
            let (stream, from) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => {
                    thread::sleep(LOOK);
                    continue;
                }
            };
            let from = from.ip().to_canonical();
            // Others are not answered.
            let Some(peer) = self.peers.iter().find(|it| it.address.ip() == from) else {
                self.herald.refuse(from, "stranger");
                continue;
            };
            if Arc::strong_count(&peer.attendance) > MOST {
                peer.counts.drop_for("too-many-connections", 1);
                continue;
            }
            let (receive, peer) = (Arc::clone(&self), Arc::clone(peer));
            let attendance = Arc::clone(&peer.attendance);
            thread::spawn(move || {
                let ended = receive.attend(stream, &peer);
                if let Err(error) = ended
                    && error.kind() == io::ErrorKind::PermissionDenied
                {
                    peer.counts.drop_for("wrong-secret", 1);
                    receive.herald.refuse(from, "wrong-secret");
                }
                drop(attendance);
            });
        }
    }

    /// Hears a peer until it, or a later connection of it, ends that.
    fn attend(&self, stream: TcpStream, peer: &Arc<Peer>) -> io::Result<()> {
        let mut channel = Channel::answer(stream, &self.secret, &self.stop)?;
        let turn = peer.turns.fetch_add(1, Ordering::Relaxed) + 1;
        peer.caught_up.store(false, Ordering::Relaxed);
        let learner = Learner::new(
            Arc::clone(&self.tables),
            Arc::clone(&peer.memory),
            Arc::clone(&peer.counts),
            Arc::clone(&self.changes),
        );
        let others = self.peers.iter().filter(|it| !Arc::ptr_eq(it, peer));
        let others = others.map(|it| Arc::clone(&it.memory)).collect();
        let mut learner = learner.comparing(others);
        let is_present = || peer.turns.load(Ordering::Relaxed) == turn;
        let ended = loop {
            match channel.receive() {
                Ok(frame) if is_present() => hear(&frame, peer, &mut learner)?,
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if is_present() {
            peer.caught_up.store(false, Ordering::Relaxed);
        }
        ended
    }
}

fn hear<T: Store>(frame: &[u8], peer: &Peer, learner: &mut Learner<T>) -> io::Result<()> {
    peer.counts.messages.add(1);
    let now = Instant::now();
    match Frame::read(frame) {
        None => return Err(io::Error::other("the peer speaks something else")),
        Some(Frame::CaughtUp) => peer.note_caught_up(),
        Some(Frame::Alive) => {
            learner.follow(now);
            learner.age(now);
        }
        Some(Frame::Connections(all)) => {
            for (record, idle) in all {
                match record {
                    Ok(record) => learner.hear(record, idle, now),
                    Err(reason) => peer.counts.drop_for(reason.name(), 1),
                }
            }
        }
    }
    Ok(())
}
