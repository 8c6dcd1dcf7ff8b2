//! Real parts in network namespaces: for the demo and for end-to-end tests.
//!
//! ```text
//!   client ──┐                      each a network namespace, one veth pair to the switch
//!   director ┤
//!   rs1 ─────┼── switch (a bridge)  10.0.0.0/24, fd00::/64
//!   rs2 ─────┤
//!   rs3 ─────┘                      VIP 10.0.0.100, fd00::100
//! ```
//!
//! [`DirectRouting::new`] builds that picture, the classical one of LVS-DR; [`Lab`], [`Segment`]
//! and [`Host`] build others. Programs in it are the real ones: nginx, dnsmasq, curl, `rlvs`.
//!
//! Everything that a lab has begun ends with it, whatever becomes of its owner: see [`warden`].
//! Namespaces are entered by `nsenter --net`, not by `ip netns exec`: that mounts another /sys,
//! and the pinned programs of rlvs would not be in it.
//!
//! Needs root, and what `cargo xtask setup` installs.
#![forbid(unsafe_code)]

pub mod address;
pub mod capture;
pub mod command;
pub mod counters;
pub mod curl;
pub mod direct_routing;
pub mod director;
pub mod host;
pub mod interrupt;
pub mod masquerading;
pub mod process;
pub mod real_server;
pub mod segment;
pub mod storage;
pub mod vm;
pub mod wait;
pub mod warden;
pub mod way;

mod lab;
mod two_directors;

pub use address::Address;
pub use curl::Get;
pub use direct_routing::DirectRouting;
pub use director::Director;
pub use host::Host;
pub use lab::Lab;
pub use masquerading::Masquerading;
pub use process::Process;
pub use real_server::RealServer;
pub use segment::Segment;
pub use storage::Storage;
pub use two_directors::TwoDirectors;
pub use vm::Vm;
pub use way::Way;
