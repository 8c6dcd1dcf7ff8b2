//! What a real server makes of a director's packets.
//!
//! * [`inspect`]: which packet is inside a tunnel's packet, and what is around it
//! * [`ecn`]: what becomes of congestion marks when the outer header goes
//! * [`toa`]: the client's address in a TCP option
//! * [`Settings`], [`Count`], [`Told`]: what user space says, and what it is told
//!
//! It only reads and decides; `crates/ebpf` changes the packet, as Linux's own tunnel devices
//! would (net/ipv4/ip_tunnel_core.c, net/ipv4/gre_demux.c, net/ipv4/fou_core.c). Checksums of GRE
//! and UDP are not looked at: the kernel looks at the inner packet's own.
#![no_std]
#![forbid(unsafe_code)]

pub mod address;
pub mod count;
pub mod ecn;
mod inner;
mod inspect;
mod outer;
pub mod remote;
mod settings;
mod shim;
pub mod toa;

pub use address::Address;
pub use count::{Count, Told};
pub use inspect::{Bytes, Found, IP, concerns, inspect};
pub use settings::{GUE_PORT, Kind, Settings};
