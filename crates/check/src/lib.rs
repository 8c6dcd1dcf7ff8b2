//! Health checks of real servers: what is asked, and what follows from the answers.
//!
//! `spec` says what one check is, with keepalived's names and defaults; `machine` is what follows
//! for real servers and virtual servers from what a probe found.
//!
//! Nothing here waits, reads a clock or opens a socket.
#![forbid(unsafe_code)]

pub mod machine;
pub mod spec;
