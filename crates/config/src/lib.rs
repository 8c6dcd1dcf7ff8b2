//! From configuration files to one model: rlvs.toml, keepalived.conf, ldirectord.cf and the rules
//! of ipvsadm.
//!
//! Pure: nothing is done but reading the files that a configuration includes.
#![forbid(unsafe_code)]

mod files;
pub mod keepalived;
pub mod problem;
pub mod source;
mod suggest;

pub use problem::{Failure, Problem, Problems, Severity};
