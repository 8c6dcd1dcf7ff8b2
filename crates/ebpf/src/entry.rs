//! What every object here begins with: a frame given to the engine, and what the kernel and the
//! compiler want of an object.

use aya_ebpf::{bindings::xdp_action, helpers::generated::bpf_redirect, programs::XdpContext};
use rlvs_engine::{Verdict, process::process};

use crate::{frame::XdpFrame, maps::Maps};

/// The engine's verdict on a frame as an XDP code.
#[inline(always)]
pub(crate) fn verdict(context: XdpContext) -> u32 {
    match process(&mut XdpFrame::new(context), &Maps) {
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Transmit => xdp_action::XDP_TX,
        // SAFETY: the helper takes numbers only.
        Verdict::Redirect(interface) => unsafe { bpf_redirect(interface, 0) as u32 },
    }
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
