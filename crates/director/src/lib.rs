//! The director daemon: the desired state, and the way from it to the installed one.
//!
//! * [`config`]: what is fixed for the life of a daemon
//! * [`server`]: requests come in
//! * [`desired`]: the services as they shall be
//! * [`supported`]: what of LVS cannot be carried out yet
//! * [`journal`]: the same on disk
#![forbid(unsafe_code)]

pub mod config;
pub mod desired;
pub mod journal;
pub mod server;
pub mod supported;
