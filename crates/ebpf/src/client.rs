//! Unmodified servers get the address of the client whose connection a director opened in its own
//! name: it is read from a TCP option when the connection is established, kept with the socket, and
//! given to who asks for the peer's name.
//!
//! What the option says is read by `rlvs_arrival`. `bpf_load_hdr_opt` is no help: it takes kind 254
//! for the experiments of RFC 6994, which have a number behind it.
#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod established;
mod object;
mod peer_name;
#[expect(dead_code, reason = "here packets are only read")]
mod window;

use aya_ebpf::btf_maps::SkStorage;
use aya_ebpf::macros::{btf_map, cgroup_sock_addr, sock_ops};
use aya_ebpf::programs::{SockAddrContext, SockOpsContext};
use rlvs_arrival::toa::Client;

/// With each socket, whom it is connected with.
#[btf_map]
static CLIENTS: SkStorage<Client> = SkStorage::new();

#[sock_ops]
fn rlvs_established(context: SockOpsContext) -> u32 {
    established::hear(&context);
    1
}

#[cgroup_sock_addr(getpeername4)]
fn rlvs_peer_name4(context: SockAddrContext) -> i32 {
    peer_name::tell4(&context);
    1
}

#[cgroup_sock_addr(getpeername6)]
fn rlvs_peer_name6(context: SockAddrContext) -> i32 {
    peer_name::tell6(&context);
    1
}
