//! The master: goes through the connection tables once a second and tells what is due.
//!
//! It has a thread of its own, as the sweep has. What is more than may be told in a second waits where
//! it is, in the tables: no queue grows, nothing is dropped, and no network is flooded.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rlvs_engine::connection::WAYS;
use rlvs_engine::table::Seat;
use rlvs_engine::tables::Context;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, V4, V6};
use rlvs_plane::Store;
use rlvs_sync::Sender;
use rlvs_sync::sender::Datagram;

use super::counts::Counts;
use super::teller::{Due, Teller};
use crate::sweep;

/// How often it goes through the tables.
const PERIOD: Duration = Duration::from_secs(1);
/// At least this much rest between two times.
const REST: Duration = Duration::from_millis(100);
/// Buckets with one look at the clock.
const CHUNK: u32 = 4096;

pub(super) struct Master<T> {
    pub(super) tables: Arc<T>,
    pub(super) teller: Teller,
    pub(super) sender: Sender,
    /// One for each port.
    pub(super) sockets: Vec<UdpSocket>,
    pub(super) pace: Pace,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Arc<AtomicBool>,
}

impl<T: Store> Master<T> {
    /// Until it is told to stop.
    pub(super) fn run(mut self) {
        let first = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let tables = Arc::clone(&self.tables);
            let [four, six] = sweep::in_use(&*tables);
            let now = first.elapsed();
            let mut tell = |due: Option<Due>| {
                if let Some(due) = due {
                    self.sender.tell(&due.record, now);
                    while let Some(datagram) = self.sender.take(now) {
                        self.pace.wait(count(&datagram), &self.stop);
                        send(&self.sockets, &self.counts, &datagram);
                    }
                }
                !self.stop.load(Ordering::Relaxed)
            };
            let went = (!four || walk::<V4, T>(&tables, &self.teller, &mut tell))
                && (!six || walk::<V6, T>(&tables, &self.teller, &mut tell));
            self.sender.flush();
            while let Some(datagram) = self.sender.take(now) {
                send(&self.sockets, &self.counts, &datagram);
            }
            if went {
                thread::park_timeout(PERIOD.saturating_sub(begun.elapsed()).max(REST));
            }
        }
    }
}

/// Shows `tell` what is due of one IP version, for as long as it says true; what it said last.
pub(super) fn walk<F: Packet, T: Store + FamilyTables<F>>(
    tables: &T,
    teller: &Teller,
    tell: &mut dyn FnMut(Option<Due>) -> bool,
) -> bool {
    let buckets = tables
        .settings()
        .map_or(0, |it| it.buckets[F::INDEX].load());
    (0..buckets).step_by(CHUNK as usize).all(|first| {
        let Some(context) = Context::new(tables) else {
            return false;
        };
        let ways = WAYS as u32;
        let seats = first * ways..(first + CHUNK).min(buckets) * ways;
        for due in seats.filter_map(|seat| teller.due::<F, T>(context, Seat(seat))) {
            if !tell(Some(due)) {
                return false;
            }
        }
        tell(None)
    })
}

fn send(sockets: &[UdpSocket], counts: &Counts, datagram: &Datagram) {
    let Some(socket) = sockets.get(usize::from(datagram.port)) else {
        return;
    };
    match socket.send(&datagram.bytes) {
        Ok(_) => {
            counts.messages.add(1);
            counts.records.add(count(datagram));
        }
        Err(_) => counts.drop_for("not-sent", count(datagram)),
    }
}

fn count(datagram: &Datagram) -> u64 {
    // Where version 1 has it.
    datagram.bytes.get(4).copied().unwrap_or_default().into()
}

/// So many connections a second, evenly.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    /// When all that was let through would have been, evenly.
    due: Instant,
}

impl Pace {
    /// Lag that may be made up for.
    const SLACK: Duration = Duration::from_millis(20);

    pub(super) fn new(rate: u32) -> Self {
        Self {
            each: Duration::from_secs(1) / rate.max(1),
            due: Instant::now(),
        }
    }

    /// Waits until so many more may be told.
    pub(super) fn wait(&mut self, count: u64, stop: &AtomicBool) {
        let now = Instant::now();
        self.due = self.due.max(now - Self::SLACK) + self.each * count as u32;
        while let Some(early) = self.due.checked_duration_since(Instant::now())
            && !early.is_zero()
            && !stop.load(Ordering::Relaxed)
        {
            thread::park_timeout(early);
        }
    }
}
