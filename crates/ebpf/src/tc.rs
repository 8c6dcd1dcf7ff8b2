//! tc: a packet in the kernel's general path, perhaps larger than any frame, in pieces, and with
//! a checksum that is still to be filled in; given to the engine.

use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT};
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::programs::TcContext;
use rlvs_engine::{Frame, Verdict, process::process};
use rlvs_wire::Header;

use crate::maps::Maps;
use crate::window::Window;

/// The engine's verdict on a packet as a tc code.
#[inline(always)]
pub(crate) fn verdict(context: TcContext) -> i32 {
    let mut frame = TcFrame::new(context);
    let interface = frame.interface();
    match process(&mut frame, &Maps) {
        Verdict::Drop => TC_ACT_SHOT as i32,
        Verdict::Pass => TC_ACT_OK as i32,
        Verdict::Transmit => redirect(interface),
        Verdict::Redirect(interface) => redirect(interface),
    }
}

#[inline(always)]
fn redirect(interface: u32) -> i32 {
    // SAFETY: the helper takes numbers only.
    unsafe { bpf_redirect(interface, 0) as i32 }
}

/// Ethernet, IPv6 and TCP without options: as much must lie in the packet's first piece.
const HEADERS: usize = 74;
/// So much is brought there if it is not.
const PULLED: u32 = 192;

struct TcFrame {
    context: TcContext,
    window: Window,
    length: usize,
}

impl TcFrame {
    #[inline(always)]
    fn new(context: TcContext) -> Self {
        let length = context.len();
        if context.data() + HEADERS > context.data_end() {
            let wanted = if length < PULLED { length } else { PULLED };
            // If it fails, reading fails, and the packet passes.
            let _ = context.pull_data(wanted);
        }
        Self {
            window: Window::new(context.data(), context.data_end()),
            length: length as usize,
            context,
        }
    }
}

impl Frame for TcFrame {
    #[inline(always)]
    fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        self.window.header(offset)
    }

    #[inline(always)]
    fn header_mut<H: Header>(&mut self, offset: usize) -> Option<&mut H> {
        self.window.header_mut(offset)
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the kernel passes a whole __sk_buff.
        unsafe { (*self.context.skb.skb).ifindex }
    }
}
