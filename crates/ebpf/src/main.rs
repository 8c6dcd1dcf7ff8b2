//! The data plane in the kernel: the engine over XDP frames and eBPF maps.
//!
//! Nothing is decided here. [`frame`] has the only pointer arithmetic, [`maps`] the tables.
#![no_std]
#![no_main]

mod frame;
mod maps;

use aya_ebpf::{
    bindings::xdp_action, helpers::generated::bpf_redirect, macros::xdp, programs::XdpContext,
};
use rlvs_engine::{Verdict, process::process};

use crate::{frame::XdpFrame, maps::Maps};

/// Every frame that an interface of the director receives.
#[xdp]
fn rlvs_xdp(context: XdpContext) -> u32 {
    match process(&mut XdpFrame::new(context), &Maps) {
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Transmit => xdp_action::XDP_TX,
        // SAFETY: the helper takes numbers only.
        Verdict::Redirect(interface) => unsafe { bpf_redirect(interface, 0) as u32 },
    }
}

/// What the bench measures others against: a program that does nothing.
#[xdp]
fn rlvs_empty(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The engine has no panic left; if one were, the object would not load.
    loop {}
}

/// The helpers called (`bpf_ktime_get_coarse_ns` among them) are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
