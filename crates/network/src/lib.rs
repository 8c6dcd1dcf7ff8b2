//! What the director must know from the kernel: the links, and the Ethernet next hop of every
//! real server.
//!
//! The data plane writes frames itself, so it needs for each real server what the kernel's own
//! output path would look up: which interface, which source and which destination MAC address.
//! [`Network`] asks the kernel (`RTM_GETROUTE`, so policy routing counts), has it resolve and
//! keep the neighbours (`NTF_EXT_MANAGED`, kernel 5.16 and later), and tells of every change.
//!
//! * [`Network`]: start, say which addresses to follow, leave
//! * [`Event`]: what it tells
//! * [`marks`]: the way of packets with firewall marks
//! * [`Link`], [`Features`], [`NextHop`], [`Unresolved`]: the model
#![deny(unsafe_code)]

mod allowance;
mod care;
mod change;
mod error;
pub mod features;
mod follower;
mod kernel;
mod link;
pub mod marks;
pub mod namespace;
mod neighbour;
mod network;
mod next_hop;
mod queue;
mod requests;
mod route;
mod snapshot;
mod stale;
mod task;

pub use error::Error;
pub use features::Features;
pub use link::{Link, Vlan};
pub use network::{Event, Network};
pub use next_hop::{NextHop, Unresolved};
