//! The data plane in the kernel: the engine over XDP frames and eBPF maps.
//!
//! Nothing is decided here. [`frame`] has the only pointer arithmetic, [`maps`] the tables.
#![no_std]
#![no_main]

mod entry;
mod frame;
mod maps;

use aya_ebpf::{macros::xdp, programs::XdpContext};

/// Every frame that an interface of the director receives.
#[xdp]
fn rlvs_xdp(context: XdpContext) -> u32 {
    entry::verdict(context)
}
