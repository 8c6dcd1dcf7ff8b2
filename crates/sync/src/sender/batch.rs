//! Records become datagrams, which wait until they are sent.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::rule::{Rules, Seen, Told};
use crate::message::Builder;
use crate::record::Record;

/// A datagram that is not full goes out this long after its first record at the latest.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Settings {
    /// `--syncid`
    pub id: u8,
    /// Bytes of a datagram, see [`largest`](crate::message::largest).
    pub largest: usize,
    /// `sync_ports`
    pub ports: u16,
    /// `sync_qlen_max`: datagrams that wait, of each port.
    pub queue: usize,
}

/// What is to be sent, and to which of the ports: 0 is the daemon's first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    pub port: u16,
    pub bytes: Vec<u8>,
}

/// Records on their way.
#[derive(Debug)]
pub struct Sender {
    settings: Settings,
    rules: Rules,
    channels: Vec<Channel>,
    /// The channel whose turn it is.
    turn: usize,
    dropped: u64,
}

/// One port's: a connection has its port, so that what is told of it stays in order.
#[derive(Debug, Default)]
struct Channel {
    open: Option<Open>,
    queue: VecDeque<Vec<u8>>,
}

/// A datagram that has room.
#[derive(Debug)]
struct Open {
    builder: Builder,
    since: Duration,
}

impl Sender {
    pub fn new(settings: Settings, rules: Rules) -> Self {
        let channels = (0..settings.ports.max(1)).map(|_| Channel::default());
        Self {
            channels: channels.collect(),
            settings,
            rules,
            turn: 0,
            dropped: 0,
        }
    }

    /// From now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Records that were not sent: their datagrams found no room in the queue.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A connection was seen, of which backups know `told`: it is told if the rules want that.
    pub fn see(
        &mut self,
        seen: &Seen,
        told: &mut Told,
        now: Duration,
        record: impl FnOnce() -> Record,
    ) {
        if let Some(after) = told.after(seen, &self.rules, now) {
            *told = after;
            self.tell(&record(), now);
        }
    }

    /// Tells a connection, whatever was told before.
    pub fn tell(&mut self, record: &Record, now: Duration) {
        let number = place(record, self.channels.len());
        let has_room = |open: &mut Open| open.builder.push(record);
        if self.channels[number].open.as_mut().is_some_and(has_room) {
            return;
        }
        self.close(number);
        let mut builder = Builder::new(self.settings.id, self.settings.largest);
        // The first always finds room.
        let _ = builder.push(record);
        let since = now;
        self.channels[number].open = Some(Open { builder, since });
    }

    /// The next datagram to send, if one is full or has waited for long enough.
    pub fn take(&mut self, now: Duration) -> Option<Datagram> {
        for number in 0..self.channels.len() {
            let open = self.channels[number].open.as_ref();
            if open.is_some_and(|open| open.since + PATIENCE <= now) {
                self.close(number);
            }
        }
        let count = self.channels.len();
        let mut turns = (0..count).map(|step| (self.turn + step) % count);
        let number = turns.find(|&it| !self.channels[it].queue.is_empty())?;
        self.turn = number + 1;
        Some(Datagram {
            port: number as u16,
            bytes: self.channels[number].queue.pop_front()?,
        })
    }

    /// When [`Sender::take`] has something again: a time that has passed if it has now.
    pub fn deadline(&self) -> Option<Duration> {
        let deadlines = self.channels.iter().filter_map(Channel::deadline);
        deadlines.min()
    }

    /// What was told up to now need not wait.
    pub fn flush(&mut self) {
        (0..self.channels.len()).for_each(|number| self.close(number));
    }

    /// The datagram that has room takes its place in the queue. If that is full it is dropped, for what
    /// others wait for was told before.
    fn close(&mut self, number: usize) {
        let channel = &mut self.channels[number];
        let Some(Open { builder, .. }) = channel.open.take() else {
            return;
        };
        if channel.queue.len() < self.settings.queue {
            channel.queue.push_back(builder.finish());
        } else {
            self.dropped += u64::from(builder.count());
        }
    }
}

impl Channel {
    fn deadline(&self) -> Option<Duration> {
        match self.queue.is_empty() {
            false => Some(Duration::ZERO),
            true => self.open.as_ref().map(|open| open.since + PATIENCE),
        }
    }
}

/// Which of so many channels is the connection's.
fn place(record: &Record, channels: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    (record.protocol, record.addresses, record.ports).hash(&mut hasher);
    (hasher.finish() % channels as u64) as usize
}

#[cfg(test)]
mod tests;
