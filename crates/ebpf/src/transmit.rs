//! Frames that XDP could not send: the kernel tells tracepoints of them, and nobody else.
//!
//! Tracepoints are the whole machine's, so each looks whether the device is one of this network
//! namespace that has a program of the director. Where the fields for that lie, the daemon reads
//! from the kernel's own description.

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::RawTracePointContext;
use rlvs_engine::Tables;
use rlvs_engine::failure::Failure;
use rlvs_engine::tables::interface;
use rlvs_word::Shared64;

use crate::maps::{Maps, count_many};

/// Cookie of the network namespace; offsets of a device's index, of its namespace, and of that
/// one's cookie.
#[btf_map]
static TRACED: Array<[u64; 4], 1> = Array::new();

/// `xdp_redirect_err(dev, program, target, error, ...)`.
#[inline(always)]
pub(crate) fn redirect(context: &RawTracePointContext) -> Option<()> {
    let error: i32 = context.arg(3);
    count(context.arg(0), Failure::of(error), 1)
}

/// `xdp_devmap_xmit(from, to, sent, drops, error)`: a bulk of redirected frames.
#[inline(always)]
pub(crate) fn bulk(context: &RawTracePointContext) -> Option<()> {
    let (drops, error): (i32, i32) = (context.arg(3), context.arg(4));
    count(context.arg(0), Failure::of(error), drops)
}

/// `xdp_bulk_tx(dev, sent, drops, error)`: frames sent back by virtual devices.
#[inline(always)]
pub(crate) fn back(context: &RawTracePointContext) -> Option<()> {
    let (drops, error): (i32, i32) = (context.arg(2), context.arg(3));
    count(context.arg(0), Failure::of(error), drops)
}

/// `xdp_exception(dev, program, action)`: a frame that a driver could not send back. Of redirects
/// the first of these tells.
#[inline(always)]
pub(crate) fn exception(context: &RawTracePointContext) -> Option<()> {
    const XDP_TX: u32 = 3;
    let action: u32 = context.arg(2);
    match action {
        XDP_TX => count(context.arg(0), Failure::Other, 1),
        _ => None,
    }
}

#[inline(always)]
fn count(device: u64, failure: Failure, frames: i32) -> Option<()> {
    if frames > 0 && is_ours(device)? {
        count_many(failure as u32, frames as u64);
    }
    Some(())
}

#[inline(always)]
fn is_ours(device: u64) -> Option<bool> {
    let &[cookie, index, namespace, its_cookie] = TRACED.get(0)?;
    let namespace: u64 = read(device + namespace)?;
    let its_cookie: u64 = read(namespace + its_cookie)?;
    let index: u32 = read(device + index)?;
    let word = Maps.interface(interface::slot(index)).map(Shared64::load)?;
    Some(cookie == its_cookie && word != 0 && word >> 48 == (index >> 10) as u64)
}

#[inline(always)]
fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper reads kernel memory, and fails where there is none.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}
