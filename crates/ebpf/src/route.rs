//! The kernel's own answer to where a packet goes.

use core::ffi::c_void;

use aya_ebpf::bindings::bpf_fib_lookup;
use aya_ebpf::helpers::generated;
use rlvs_engine::Family;
use rlvs_engine::frame::{Route, RouteKind};
use rlvs_engine::tables::{KeyOf, interface};

use crate::maps::{Place, scratch};

/// Address families (include/linux/socket.h).
const INET: [u8; 2] = [2, 10];

/// What bpf_fib_lookup returns (include/uapi/linux/bpf.h).
const SUCCESS: i64 = 0;
const NO_NEIGHBOUR: i64 = 7;

/// The route to the client of a connection from its virtual address, for a packet that came in by
/// `interface`. `context` is the program's.
#[inline(always)]
pub(crate) fn look_up<F: Family>(context: *mut c_void, ingress: u32, ends: &KeyOf<F>) -> Route {
    let [client, virtual_address] = F::words(ends);
    // SAFETY: the record is numbers and arrays of numbers, of which all may be 0.
    let empty: bpf_fib_lookup = unsafe { core::mem::zeroed() };
    let Some(query) = scratch(Place::Route, &empty) else {
        return Route::NONE;
    };
    // SAFETY: the place is this CPU's, and nobody else looks at it before the next packet.
    let query = unsafe { &mut *query };
    query.family = INET[F::INDEX & 1];
    query.l4_protocol = F::endpoints(ends).protocol;
    query.ifindex = ingress;
    // An IPv4 address lies in the first of the four words.
    query.__bindgen_anon_3.ipv6_src = virtual_address;
    query.__bindgen_anon_4.ipv6_dst = client;
    let size = size_of::<bpf_fib_lookup>() as i32;
    // SAFETY: the kernel reads and writes `size` bytes of the query.
    let outcome = unsafe { generated::bpf_fib_lookup(context, &raw mut *query, size, 0) };
    let kind = match outcome {
        SUCCESS => RouteKind::Known,
        NO_NEIGHBOUR => RouteKind::Ask,
        _ => RouteKind::None,
    };
    Route {
        kind,
        interface: query.ifindex,
        destination: interface::mac(query.dmac),
        source: interface::mac(query.smac),
    }
}
