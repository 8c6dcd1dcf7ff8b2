//! XDP on an interface with VLANs: frames that came with tags.

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::programs::XdpContext;
use rlvs_engine::process::process;
use rlvs_engine::{Reason, Tables, Verdict};

use crate::maps::Maps;
use crate::tagged::{rlvs_xdp_leave, rlvs_xdp_retag, rlvs_xdp_untag};
use crate::xdp::XdpFrame;

/// The engine's verdict on a frame that came with VLAN tags as an XDP code.
#[inline(always)]
pub(crate) fn verdict(context: XdpContext) -> u32 {
    let context = context.ctx;
    if rlvs_xdp_untag(context) == 0 {
        Maps.count(Reason::Tagged);
        return xdp_action::XDP_PASS;
    }
    let mut frame = XdpFrame::new(XdpContext::new(context));
    // Verdicts with and without an interface apart: the verifier takes none that was never written.
    match process(&mut frame, &Maps) {
        Verdict::Pass => rlvs_xdp_retag(context, xdp_action::XDP_PASS) as u32,
        Verdict::Transmit => rlvs_xdp_retag(context, xdp_action::XDP_TX) as u32,
        Verdict::Redirect(interface) => {
            rlvs_xdp_retag(context, xdp_action::XDP_DROP);
            rlvs_xdp_leave(context, interface) as u32
        }
        Verdict::Drop | Verdict::Neighbour(_) | Verdict::Deliver => {
            rlvs_xdp_retag(context, xdp_action::XDP_DROP) as u32
        }
    }
}
