//! Speaks VRRP: what `rlvs-vrrp` decides is sent, heard and done here.
//!
//! * `settle`: what the configuration says of instances and groups, with all defaults: a [`Plan`]
//! * `runner`: the thread that has the machines and the sockets; it waits for nothing else, so that
//!   advertisements go out in time whatever the rest of the daemon does
//! * `unit`: a virtual router, or a group of them; `wire`: the sockets
//! * `hands`: the other thread: addresses, routes and rules come and go (`place`), neighbours are
//!   told (`tell`), interfaces, scripts, files and processes are watched (`links`, `watch`)
//! * `vmac`, `ipvlan`: interfaces that instances have of their own
//! * `closed`: addresses that packets are not taken for
//! * `bounces`: interfaces that go up and down; `gone`: routes that somebody has taken away
//! * `note`: what was put on this machine, for the next daemon
//! * `speaker`: what the daemon has of all this
#![deny(unsafe_code)]

mod bounces;
mod closed;
mod gone;
mod hands;
mod ipvlan;
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
mod words;

pub use closed::Served;
pub use note::take_away;
pub use plan::{Group, Instance, Placement, Plan, Subject, setting};
pub use settle::{Settled, name_of, settle};
pub use speaker::{HandedOver, Speaker, States, Told};
pub use view::{Counters, InstanceView};
