//! What is to be done, and what is to be told.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use crate::packet::Outgoing;

use super::Refusal;

/// What a virtual router does, in the order in which it is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Send(Outgoing),
    /// The virtual addresses, with routes and rules, are to be on this machine. They may be already.
    Acquire {
        /// Whether packets to them are taken.
        accept: bool,
    },
    /// They are not.
    Release,
    /// So many gratuitous ARPs or neighbour advertisements for each of the addresses.
    Announce {
        times: u32,
    },
    Tell(Event),
}

/// RFC 5798, 6.4, and keepalived's fault.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// It has not been started, or waits to know what it tracks.
    Initialize,
    Backup,
    Master,
    /// Something that it cannot do without is not there.
    Fault,
}

/// Something that a log, a notifier or a counter may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `notify_master`, `notify_backup`, `notify_fault`, `notify_stop`.
    State {
        from: State,
        to: State,
        why: Why,
        priority: u8,
    },
    /// `notify_priority_changes`
    Priority {
        from: u8,
        to: u8,
    },
    /// `notify_master_rx_lower_pri`
    LowerPriority {
        source: IpAddr,
        priority: u8,
    },
    /// It hears another master than before.
    Master {
        address: IpAddr,
        priority: u8,
    },
    /// The master has another interval than was known.
    Interval {
        from: Duration,
        to: Duration,
    },
    /// A master of lower priority is borne for so long (`preempt_delay`).
    Bears {
        address: IpAddr,
        time: Duration,
    },
    /// It would be master, but is not ready.
    Held {
        reason: String,
    },
    Refused {
        source: IpAddr,
        refusal: Refusal,
    },
}

/// Why a state changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    Started,
    Stopped,
    /// It goes on where the last daemon was.
    Resumed,
    /// No master was heard for long enough, or the last one has said that it goes.
    NoMaster,
    /// All of the group would be master.
    GroupAgrees,
    /// A master with better right was heard.
    HigherPriority {
        source: IpAddr,
        priority: u8,
    },
    /// Another of the group is not master any more.
    GroupLeft,
    /// It was told to (a planned hand-over).
    Resigned,
    Obstacle(Obstacle),
    /// There is no obstacle any more.
    Recovered,
}

/// What a virtual router cannot do with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// Its interface is down.
    Interface,
    /// Its interface has no address to send from.
    NoAddress,
    /// It is to speak to peers, and has none.
    NoPeer,
    /// What it tracks, by its place in the list.
    Tracked(usize),
    /// Another of its group is in fault.
    Group,
}

impl State {
    /// As notifiers have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initialize => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Started => formatter.write_str("it was started"),
            Self::Stopped => formatter.write_str("it was stopped"),
            Self::Resumed => formatter.write_str("it goes on where it was"),
            Self::NoMaster => formatter.write_str("no master was heard"),
            Self::GroupAgrees => formatter.write_str("no master was heard by any of its group"),
            Self::HigherPriority { source, priority } => {
                write!(formatter, "{source} is master with priority {priority}")
            }
            Self::GroupLeft => formatter.write_str("another of its group has a better master"),
            Self::Resigned => formatter.write_str("it hands over"),
            Self::Obstacle(obstacle) => obstacle.fmt(formatter),
            Self::Recovered => formatter.write_str("nothing is in its way any more"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Interface => formatter.write_str("its interface is down"),
            Self::NoAddress => formatter.write_str("its interface has no address to send from"),
            Self::NoPeer => formatter.write_str("it has no peer to speak to"),
            Self::Tracked(place) => write!(formatter, "number {place} of what it tracks is down"),
            Self::Group => formatter.write_str("another of its group is in fault"),
        }
    }
}
