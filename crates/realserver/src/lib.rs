//! The real server's side of LVS: what tutorials do by hand on each real server.
//!
//! With direct routing a real server must accept packets to the virtual address (VIP), yet never
//! say on its segment that it has that address: else clients reach it past the director.
//!
//! * The VIP goes on `lo` as /32 or /128, so it is local and makes no other address local. The
//!   kernel adds the route to it by itself, in the local table; the `route add -host VIP dev
//!   lo:0` of old tutorials does nothing more and is not needed.
//! * IPv4: Linux answers ARP for any of its addresses on any interface. `arp_ignore=1` makes it
//!   answer only for the addresses of the interface that was asked; `arp_announce=2` keeps the VIP
//!   out of its own questions. On `all` they hold for every interface, as the larger of the two
//!   values counts. With one exception: an interface of its own `arp_ignore=3` would answer for
//!   the VIP again, so such ones are set as well.
//! * IPv6: nothing else. Linux answers neighbour solicitations only for addresses of the interface
//!   that was asked (`ndisc_recv_ns` in net/ipv6/ndisc.c), also those sent to its own MAC
//!   address; it does no duplicate address detection on `lo`, and joins the VIP's multicast group
//!   there and not on the segment.
//!
//! What was there before is saved, per network namespace, before it is changed, and restored
//! with the last VIP: [`up`], [`down`], [`status`].
//!
//! `plan` and `report` decide over a [`present::Present`]; `kernel` and `sysctl` read and write.
#![forbid(unsafe_code)]

mod arrival;
mod decapsulator;
mod error;
mod hook;
mod kernel;
mod pins;
mod plan;
mod present;
mod report;
mod run;
mod saved;
mod sysctl;
mod teller;

pub use arrival::{Directors, Kind, Tunnels};
pub use error::Error;
pub use report::{Check, Report};
pub use rlvs_arrival::GUE_PORT;
pub use run::{Wanted, down, status, up};
