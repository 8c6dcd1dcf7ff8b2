//! LVS itself: what happens to one packet.
//!
//! Everything that decides about a packet is here, generic over two traits: [`Frame`] (packet
//! memory) and [`Tables`] (look-ups and counters). The same code is compiled into the eBPF
//! programs, the daemon's sweep and ordinary tests; no logic exists twice.
//!
//! One packet's way: [`process`](process::process) reads a [`tuple`], finds its [`connection`]
//! in the [`table`], moves its state ([`follow`]; [`tcp`], [`sctp`]) or lets [`schedule`] choose a
//! [`destination`] of its [`service`] ([`begin`]), and writes the packet ([`forward`]). It is read,
//! then decided, then written: nothing is looked up after the first byte has changed.
//!
//! Rules of this crate, because the kernel's verifier reads it too: no slices of packets, no
//! `dyn`, no panicking index, no `u128`, and functions that take a frame are inlined.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(not(target_arch = "bpf"))]
extern crate std;

pub mod answers;
pub mod begin;
pub mod by_error;
pub mod call;
pub mod call_id;
pub mod connection;
pub mod destination;
pub mod failure;
pub mod family;
pub mod follow;
pub mod forward;
pub mod fragment;
pub mod frame;
pub mod ftp;
pub mod lease;
pub mod locality;
pub mod marked;
#[cfg(not(target_arch = "bpf"))]
pub mod memory;
pub mod outcome;
pub mod path_mtu;
pub mod process;
pub mod real_path;
pub mod reason;
pub mod related;
pub mod respond;
pub mod schedule;
pub mod sctp;
pub mod service;
pub mod settings;
pub mod statistics;
pub mod sysctl;
pub mod table;
pub mod tables;
pub mod tcp;
pub mod template;
pub mod tunnelled;
pub mod tuple;
mod upper;
pub mod vlan;

pub use family::{Family, V4, V6};
pub use frame::Frame;
pub use process::Verdict;
pub use reason::Reason;
pub use tables::{FamilyTables, Tables};
