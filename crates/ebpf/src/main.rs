//! The data plane in the kernel: the engine over XDP frames and eBPF maps.
//!
//! Nothing is decided here. [`window`] has the only pointer arithmetic, [`maps`] the tables.
#![no_std]
#![feature(asm_experimental_arch, macro_metavar_expr_concat)]
#![no_main]

mod maps;
mod marked;
mod object;
mod outcome;
mod route;
mod skb;
mod stages;
mod tagged;
mod tc;
mod transmit;
mod trunk;
mod window;
mod xdp;

use aya_ebpf::macros::{classifier, raw_tracepoint, xdp};
use aya_ebpf::programs::{RawTracePointContext, TcContext, XdpContext};

/// Every frame that an interface of the director receives, in one piece or in several.
#[xdp(frags)]
#[inline(always)] // A function of its own would cost 32 bytes of stack.
fn rlvs_xdp(context: XdpContext) -> u32 {
    xdp::verdict(context)
}

/// The same frames, if they have VLAN tags.
#[xdp(frags)]
#[inline(always)]
fn rlvs_xdp_tagged(context: XdpContext) -> u32 {
    trunk::verdict(context)
}

/// Every packet that an interface of the director receives, where XDP cannot serve: virtual
/// devices, whose packets may be larger than frames and lack checksums.
#[classifier]
#[inline(always)]
fn rlvs_tc(context: TcContext) -> i32 {
    tc::verdict(context)
}

/// The same for answers to connections that this host itself has made, behind XDP, which cannot
/// hand them to it.
#[classifier]
#[inline(always)]
fn rlvs_tc_answers(context: TcContext) -> i32 {
    tc::answers(context)
}

/// Every packet that leaves by an interface, while a masqueraded destination is this host: what
/// its stack answers.
#[classifier]
#[inline(always)]
fn rlvs_tc_leaving(context: TcContext) -> i32 {
    tc::leaving(context)
}

/// Every packet that the kernel's routing hands to the device for those with a service's mark.
#[classifier]
#[inline(always)]
fn rlvs_tc_marked(context: TcContext) -> i32 {
    marked::verdict(context)
}

/// A frame that was not redirected.
#[raw_tracepoint(tracepoint = "xdp_redirect_err")]
fn rlvs_redirect_err(context: RawTracePointContext) -> i32 {
    transmit::redirect(&context).map_or(0, |()| 0)
}

/// Redirected frames that were to leave together.
#[raw_tracepoint(tracepoint = "xdp_devmap_xmit")]
fn rlvs_devmap_xmit(context: RawTracePointContext) -> i32 {
    transmit::bulk(&context).map_or(0, |()| 0)
}

/// Frames that were to go back together.
#[raw_tracepoint(tracepoint = "xdp_bulk_tx")]
fn rlvs_bulk_tx(context: RawTracePointContext) -> i32 {
    transmit::back(&context).map_or(0, |()| 0)
}

/// A frame that did not go back.
#[raw_tracepoint(tracepoint = "xdp_exception")]
fn rlvs_exception(context: RawTracePointContext) -> i32 {
    transmit::exception(&context).map_or(0, |()| 0)
}
