//! Packets with the firewall mark of a service, at the egress of their device, given to the engine.

use aya_ebpf::bindings::{__sk_buff, BPF_F_INGRESS, TC_ACT_UNSPEC};
use aya_ebpf::helpers::generated::bpf_redirect;
use aya_ebpf::programs::TcContext;
use rlvs_engine::process::process;
use rlvs_engine::{Frame, Verdict, marked};

use crate::maps::Maps;
use crate::tc::{Marked, code};

/// The engine's verdict on a packet, as a tc code.
#[inline(always)]
pub(crate) fn verdict(context: TcContext) -> i32 {
    // SAFETY: the kernel passes a whole __sk_buff.
    let packet: &__sk_buff = unsafe { &*context.skb.skb };
    let is_forwarded = packet.ingress_ifindex != 0;
    if packet.mark == 0 && !is_forwarded {
        // The kernel's own, which the device drops.
        return TC_ACT_UNSPEC;
    }
    if is_forwarded {
        rlvs_tc_give_back_hop(context.skb.skb);
    }
    let mut frame = Marked::new(context);
    let verdict = process(&mut frame, &Maps);
    let own = frame.interface();
    match verdict {
        Verdict::Pass => on(own),
        // What the sender is told.
        Verdict::Redirect(interface) if interface == own => on(own),
        verdict => code(&frame, verdict),
    }
}

/// Of a packet that the kernel has forwarded here. A global function: the verifier would read all that
/// follows for each way through it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn rlvs_tc_give_back_hop(context: *mut __sk_buff) -> u32 {
    let mut frame = Marked::new(TcContext::new(context));
    marked::give_back_hop(&mut frame).is_some() as u32
}

/// To the stack: the packet comes in by its device, where the mark is of no account, and goes on as
/// it would have without.
#[inline(always)]
fn on(own: u32) -> i32 {
    // SAFETY: the helper takes numbers only.
    unsafe { bpf_redirect(own, BPF_F_INGRESS as u64) as i32 }
}
