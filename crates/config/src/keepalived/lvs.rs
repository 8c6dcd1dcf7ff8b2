//! Virtual and real servers, and their checks.

mod checker;
mod forwarding;
mod group;
mod http;
mod kinds;
mod options;
mod real;
mod settle;
mod virtual_server;

pub(super) use group::{Group, group};
pub(super) use settle::{Surroundings, settle};
pub(super) use virtual_server::{VirtualDraft, virtual_server};
