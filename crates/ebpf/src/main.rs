//! The data plane in the kernel: the engine over XDP frames and eBPF maps.
//!
//! Nothing is decided here. [`window`] has the only pointer arithmetic, [`maps`] the tables.
#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod maps;
mod object;
mod outcome;
mod route;
mod tc;
mod window;
mod xdp;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

/// Every frame that an interface of the director receives, in one piece or in several.
#[xdp(frags)]
fn rlvs_xdp(context: XdpContext) -> u32 {
    xdp::verdict(context)
}

/// Every packet that an interface of the director receives, where XDP cannot serve: virtual
/// devices, whose packets may be larger than frames and lack checksums.
#[classifier]
fn rlvs_tc(context: TcContext) -> i32 {
    tc::verdict(context)
}
