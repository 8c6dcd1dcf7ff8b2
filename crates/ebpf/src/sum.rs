//! The Internet checksum over a part of a packet, however long.

use core::ffi::c_void;
use core::hint::black_box;

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::{bpf_csum_diff, bpf_loop, bpf_skb_load_bytes};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::TcContext;

/// As much as `bpf_csum_diff` takes at once.
const PIECE: usize = 512;
/// As many as the longest packet has.
const PIECES: u32 = 0x10000 / PIECE as u32 + 1;

#[btf_map]
static PIECES_OF_SUMS: PerCpuArray<[u64; PIECE / 8 + 1], 1> = PerCpuArray::new();

struct Sum {
    skb: *mut __sk_buff,
    at: u32,
    end: u32,
    sum: u32,
}

/// The sum, not folded, not inverted, of the bytes from one offset to another.
#[inline(always)]
pub(crate) fn over(context: &TcContext, at: usize, end: usize) -> Option<u32> {
    let mut sum = Sum {
        skb: context.skb.skb,
        at: at as u32,
        end: end as u32,
        sum: 0,
    };
    let call: unsafe extern "C" fn(u64, *mut Sum) -> i64 = add;
    // SAFETY: `add` gets the sum, which lives until the loop is over.
    unsafe { bpf_loop(PIECES, call as *mut c_void, (&raw mut sum).cast(), 0) };
    (sum.at == sum.end).then_some(sum.sum)
}

/// Adds one piece; 1 ends the loop.
unsafe extern "C" fn add(_: u64, sum: *mut Sum) -> i64 {
    // SAFETY: `over` passed it.
    let sum = unsafe { &mut *sum };
    if sum.at >= sum.end {
        return 1;
    }
    let left = sum.end - sum.at;
    let length = if left > PIECE as u32 {
        PIECE as u32
    } else {
        left
    };
    let Some(more) = piece(sum, length) else {
        // The loop is over before its end.
        return 1;
    };
    sum.sum = more;
    sum.at += length;
    0
}

#[inline(always)]
fn piece(sum: &Sum, length: u32) -> Option<u32> {
    let buffer = PIECES_OF_SUMS.get_ptr_mut(0)?.cast::<u8>();
    // What the compiler knows of it the verifier does not, and wants to see compared; that one
    // more than nothing is something is all that Linux 6.1 takes for not 0.
    let last = black_box(length - 1);
    if last >= PIECE as u32 {
        return None;
    }
    let length = last + 1;
    // SAFETY: the memory is this CPU's, and longer than `length` by more than the rest of a word.
    let more = unsafe {
        buffer.add(length as usize & !3).cast::<u32>().write(0);
        if bpf_skb_load_bytes(sum.skb.cast(), sum.at, buffer.cast(), length) != 0 {
            return None;
        }
        let whole = (length + 3) & !3;
        bpf_csum_diff(core::ptr::null_mut(), 0, buffer.cast(), whole, sum.sum)
    };
    (more >= 0).then_some(more as u32)
}
