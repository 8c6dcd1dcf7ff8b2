//! What follows from the answers: state machines without clock or socket.
//!
//! [`Checker`] is one check of one target: when it is asked next, and whether it counts as up.
//! [`Server`] is a real server of one service, with several of them; [`Service`] a virtual server
//! with its quorum and sorry server; [`Board`] knows which checks serve whom. Times are counted
//! from a moment of the caller's choice; the machine's start suits, for states outlive the daemon.

pub mod board;
pub mod checker;
pub mod event;
pub mod name;
pub mod probe;
pub mod server;
pub mod service;

pub use board::{Board, BoardState, Member, ProbeId, Reload, ServiceSpec, Start};
pub use checker::{Adjust, Checker, Heard, Outcome, Standing};
pub use event::Event;
pub use probe::{Forwarding, NoVip, Probe, Through};
pub use server::Server;
pub use service::{ServerState, Service, ServiceState, Wanted};
