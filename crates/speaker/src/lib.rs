//! Speaks VRRP: what `rlvs-vrrp` decides is sent, heard and done here.
//!
//! * `settle`: what the configuration says of instances and groups, with all defaults: a [`Plan`]
//! * `runner`: the thread that has the machines and the sockets; it waits for nothing else, so that
//!   advertisements go out in time whatever the rest of the daemon does
//! * `unit`: a virtual router, or a group of them; `wire`: the sockets
//! * `hands`: the other thread: addresses, routes and rules come and go (`place`), neighbours are
//!   told (`tell`), interfaces, scripts, files and processes are watched (`links`, `watch`)
//! * `vmac`: interfaces with virtual MAC addresses
//! * `note`: what was put on this machine, for the next daemon
//! * `speaker`: what the daemon has of all this
#![deny(unsafe_code)]

mod hands;
mod links;
mod note;
mod place;
mod plan;
mod process;
mod runner;
mod settle;
mod speaker;
mod tell;
mod unit;
mod view;
mod vmac;
mod watch;
mod wire;

pub use note::take_away;
pub use plan::{Group, Instance, Plan, Subject, setting};
pub use settle::{Settled, name_of, settle};
pub use speaker::{HandedOver, Speaker, States, Told};
pub use view::{Counters, InstanceView};
