//! Asks real servers how they are.
//!
//! [`Prober`] makes checks when they are due, each in a task of its own that is bounded in time,
//! memory and what it reads, and reports what becomes of them. One file a kind of check.
#![forbid(unsafe_code)]

mod dns;
mod exchange;
mod fault;
mod file;
mod ftp;
mod grpc;
mod http;
mod http1;
mod http2;
mod ldap;
mod mailbox;
mod mysql;
mod patient;
mod ping;
mod postgresql;
mod prober;
mod ready;
mod redis;
mod regex;
mod schedule;
mod script;
mod security;
mod smtp;
mod stream;
mod talk;
mod target;
mod tcp;
mod through;
mod tls;
mod tools;
mod udp;
mod validate;

pub use prober::{Prober, Report, Task};
pub use through::{Journey, Ways};

use core::time::Duration;

use rlvs_check::spec::Script;

/// Runs a script as a check would, for those who are told of what checks find; why it failed.
pub async fn run_script(script: &Script, limit: Duration) -> Result<(), String> {
    let ended = script::run(script, limit).await;
    ended.map(drop).map_err(|fault| fault.to_string())
}

/// Runs a script until it ends, or until `ended` is there: then it is made to end, and None is the
/// answer.
pub async fn run_until<T>(
    script: &Script,
    ended: impl Future<Output = T>,
) -> Option<Result<(), String>> {
    let ended = async { drop(ended.await) };
    let outcome = script::run_until(script, ended).await?;
    Some(outcome.map(drop).map_err(|fault| fault.to_string()))
}
pub use validate::validate;
