//! Connection synchronisation as IPVS does it (net/netfilter/ipvs/ip_vs_sync.c): a master tells
//! its connections and templates in datagrams to a multicast group, and backups keep them for the
//! day when they are asked. A kernel's IPVS understands us, and we understand it.
//!
//! * [`message`]: datagrams, built and read. Version 1, and version 0 read only.
//! * [`sender`]: when a connection is told, and how what is told becomes datagrams.
//! * [`peer`]: what directors of rlvs say to each other, encrypted.
//! * [`receiver`]: whose datagrams count, and what becomes of connections that they tell.
//!
//! A [`Record`] is what one datagram says of one connection or template, word for word;
//! [`State`] and [`Entry`](receiver::Entry) are what that means. Numbers of states are IPVS's, and
//! in its order, as the connection table's are.
//!
//! Nothing here waits, reads a clock or opens a socket. Times are counted from a moment of the
//! caller's choice. IPVS's protocol has no authentication: whoever reaches the group's port may tell
//! anything, so a receiver is told whom it may hear.
#![forbid(unsafe_code)]

pub mod flags;
pub mod message;
pub mod peer;
pub mod reason;
pub mod receiver;
pub mod record;
pub mod sender;
pub mod state;

#[cfg(test)]
mod examples;

pub use flags::{Flags, Forwarding};
pub use reason::{Reason, Scope};
pub use receiver::Receiver;
pub use record::{Addresses, Ends, Engine, LocalEnd, Ports, Record, Sequence, Sequences};
pub use sender::Sender;
pub use state::{Sctp, State, Tcp};
