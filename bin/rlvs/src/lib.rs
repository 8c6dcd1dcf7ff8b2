//! The `rlvs` program: the director, its tools, and `ipvsadm` in one executable.
#![forbid(unsafe_code)]

mod cli;
mod configuration;
mod director;
mod doctor;
mod drain;
mod events;
mod handover;
pub mod ipvsadm;
mod log;
mod manual;
mod output;
pub mod proc;
mod realserver;
mod remote;
mod run;
mod site;
mod status;
mod stop;
pub mod sysctl;
mod token;

pub use cli::start;
