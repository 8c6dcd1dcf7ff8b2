//! VRRP (RFC 3768, RFC 5798): which of several directors has the virtual addresses.
//!
//! * `packet`: advertisements as they lie on the wire, of versions 2 and 3.
//! * `spec`: what one virtual router is, with keepalived's names and defaults.
//! * `signing`: how it signs what it says, and what it takes from others.
//! * `machine`: one virtual router: when it is master, and what it says and does then.
//! * `group`: virtual routers that are master together or not at all.
//!
//! Nothing here waits, reads a clock or opens a socket. Who has those gives a [`Machine`] (or
//! [`Group`]) what happens, with the time at which it does, and does what it answers with:
//!
//! ```
//! # use core::time::Duration;
//! # use rlvs_vrrp::{Action, Datagram, Machine, Spec};
//! let mut machine = Machine::new(Spec::new(51, vec!["192.0.2.100".parse().unwrap()])).unwrap();
//! let mut now = Duration::ZERO;
//! machine.address(now, Some("192.0.2.1".parse().unwrap()));
//! let mut actions = machine.start(now);
//! while !actions.iter().any(|action| matches!(action, Action::Acquire { .. })) {
//!     // Packets that have come in are given before timers are looked at: a master that was heard
//!     // has not gone. `machine.receive(now, &Datagram::ipv4(&bytes)?)`
//!     now = machine.deadline().expect("nobody else is there");
//!     actions = machine.poll(now);
//! }
//! assert_eq!(now, Duration::from_nanos(3_609_375_000));
//! ```
//!
//! Times are counted from a moment of the caller's choice, on a clock that never goes back. Where
//! advertisements are signed, the time of day counts, too: [`Machine::clock`].
#![forbid(unsafe_code)]

pub mod group;
pub mod machine;
pub mod packet;
pub mod signing;
pub mod spec;

pub use group::{Group, GroupAction, GroupSpec};
pub use machine::{Action, Event, Machine, Memory, Obstacle, Reading, Refusal, State, Why};
pub use packet::{Advertisement, Datagram, Malformed, Outgoing, Version};
pub use spec::{Family, Spec, Wrong};
