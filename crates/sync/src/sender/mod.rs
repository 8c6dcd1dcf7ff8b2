//! What a master does.
//!
//! [`Told`] decides when a connection is told; [`Sender`] makes datagrams of what is. The caller asks
//! about a connection whenever it saw a packet of it, or looked at it; then about its template, which
//! follows it. IPVS asks also when an entry is given more time at its end, as a template is by its
//! connections, and takes it for packet number `sync_threshold` then.

mod batch;
mod rule;

pub use batch::{Datagram, Sender, Settings};
pub use rule::{Rules, Seen, Told};
