//! The backup: hears what masters tell, a thread for each port.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_plane::Store;
use rlvs_sync::Receiver;

use super::counts::Counts;
use super::learner::Learner;

/// A datagram has no more bytes.
const LONGEST: usize = 1 << 16;
/// After an error: the interface may be down.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Backup<T> {
    pub(super) gate: Receiver,
    pub(super) learner: Mutex<Learner<T>>,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Arc<AtomicBool>,
}

impl<T: Store> Backup<T> {
    /// Hears what comes by one socket, until it is told to stop.
    pub(super) fn run(&self, socket: &UdpSocket) {
        let mut bytes = vec![0; LONGEST];
        while !self.stop.load(Ordering::Relaxed) {
            match socket.recv_from(&mut bytes) {
                Ok((length, from)) => {
                    self.counts.messages.add(1);
                    self.hear(from.ip(), &bytes[..length]);
                }
                Err(error) => {
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                        self.counts.drop_for("socket-error", 1);
                        thread::sleep(PAUSE);
                    }
                    let (mut learner, now) = (self.learner(), Instant::now());
                    learner.follow(now);
                    learner.age(now);
                }
            }
        }
    }

    pub(super) fn hear(&self, from: std::net::IpAddr, datagram: &[u8]) {
        let records = match self.gate.read(from, datagram) {
            Ok(records) => records,
            Err(reason) => return self.counts.drop_for(reason.name(), 1),
        };
        let (mut learner, now) = (self.learner(), Instant::now());
        for record in records {
            match record {
                Ok(record) => learner.hear(record, 0, now),
                Err(reason) => self.counts.drop_for(reason.name(), 1),
            }
        }
    }

    fn learner(&self) -> std::sync::MutexGuard<'_, Learner<T>> {
        self.learner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
