//! The director daemon: the desired state, and the way from it to the installed one.
//!
//! * `daemon`: starts, runs and ends a director; `core` is its state
//! * [`metrics`]: the same for Prometheus
//! * `server`: requests come in; `report` is what they are shown
//! * `desired`: the services as they shall be; [`supported`]: what cannot be carried out yet
//! * `drains`: destinations that leave when nobody is left there
//! * `ending`: a director that ends when nobody is left
//! * `journal`: the same on disk
//! * `installed`: the services as records of the data plane's tables
//! * `attach`: the program on interfaces; `roles`: others there; `vlans`: what XDP has to know of
//!   VLAN interfaces
//! * `marks`: the way of packets with firewall marks; `parameter`: kernel parameters
//! * `vrrp`: which director has the virtual addresses
//! * `slow_start`: weights that rise
//! * `service_manager`: systemd
//! * `sysctls`: settings; `defence`: those for when memory is short
//! * `sweep`: ends connections whose time is over; `connections` lists them
//! * `sync`: synchronisation of connections with other directors
//! * `estimator`: present rates, every two seconds; `rates`: of what
#![forbid(unsafe_code)]

mod attach;
pub mod connections;
mod core;
mod daemon;
pub mod defence;
pub mod desired;
mod drains;
mod ending;
mod error;
pub mod estimator;
pub mod installed;
pub mod journal;
mod marks;
pub mod metrics;
pub mod news;
mod parameter;
mod rates;
mod real_path;
mod report;
mod roles;
pub mod server;
mod service_manager;
mod site;
mod slow_start;
pub mod supported;
pub mod sweep;
mod sync;
mod sysctls;
mod vlans;
mod vrrp;

pub use daemon::{down, is_present, run};
pub use error::Error;
pub use site::Configuration;
pub use vrrp::judge as judge_vrrp;
