//! XDP: a frame as an interface received it, given to the engine.

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::programs::XdpContext;
use rlvs_engine::{Frame, Verdict, process::process};
use rlvs_wire::Header;

use crate::maps::Maps;
use crate::window::Window;

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

struct XdpFrame {
    context: XdpContext,
    window: Window,
}

impl XdpFrame {
    #[inline(always)]
    fn new(context: XdpContext) -> Self {
        let window = Window::new(context.data(), context.data_end());
        Self { context, window }
    }
}

impl Frame for XdpFrame {
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
        self.window.length()
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.context.ingress_ifindex() as u32
    }
}
