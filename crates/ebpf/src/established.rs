//! A connection that was opened from outside: does it say for whom?

use aya_ebpf::bindings::{
    BPF_SK_STORAGE_GET_F_CREATE, BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG,
    BPF_SOCK_OPS_PARSE_HDR_OPT_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
};
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{Array, LpmTrie, PerCpuArray};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_sk_storage_get};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::SockOpsContext;
use rlvs_arrival::address::mapped;
use rlvs_arrival::count::ROOM;
use rlvs_arrival::toa::{self, Client};
use rlvs_arrival::{Address, Bytes, Told};
use rlvs_wire::{Header, Tcp};

use crate::CLIENTS;
use crate::window::Window;

/// The cookie of the network namespace whose sockets these programs are for: a cgroup may hold
/// processes of several.
#[btf_map]
static NAMESPACE: Array<u64, 1> = Array::new();
/// Whose word is taken.
#[btf_map]
static SENDERS: LpmTrie<Address, u32, 1024> = LpmTrie::new();
#[btf_map]
static COUNTS: PerCpuArray<u64, { ROOM as usize }> = PerCpuArray::new();

const AF_INET: u32 = 2;

/// The TCP header of the segment that the kernel has at hand.
struct Segment(Window);

impl Bytes for Segment {
    #[inline(always)]
    fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        self.0.header(offset)
    }

    #[inline(always)]
    fn offset(&self, offset: usize) -> usize {
        self.0.forget(offset)
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.0.length()
    }
}

#[inline(always)]
pub(crate) fn hear(context: &SockOpsContext) {
    match context.op() {
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB if is_here(context) => begin(context),
        BPF_SOCK_OPS_PARSE_HDR_OPT_CB if is_here(context) => go_on(context),
        _ => {}
    }
}

#[inline(always)]
fn begin(context: &SockOpsContext) {
    let client = toa::find(&segment(context));
    if !is_from_director(context) {
        if client.is_some() {
            count(Told::Disbelieved);
        }
        return;
    }
    match client {
        Some(client) => keep(context, &client, Told::Known),
        // A director may say it with the first data; until then each segment is looked at.
        None => listen(context, true),
    }
}

/// A segment of a connection that has not said it yet.
#[inline(always)]
fn go_on(context: &SockOpsContext) {
    let segment = segment(context);
    if !is_from_director(context) {
        return;
    }
    if let Some(client) = toa::find(&segment) {
        keep(context, &client, Told::Late);
        listen(context, false);
    } else if has_data(context, &segment) {
        count(Told::Untold);
        listen(context, false);
    }
}

#[inline(always)]
fn has_data(context: &SockOpsContext, segment: &Segment) -> bool {
    // SAFETY: the kernel passes a whole record.
    let length = unsafe { (*context.ops).skb_len } as usize;
    let header = segment.header::<Tcp>(0).map(Tcp::header_length);
    header.is_some_and(|header| length > header)
}

#[inline(always)]
fn segment(context: &SockOpsContext) -> Segment {
    // SAFETY: the kernel passes a whole record; the pointers are compared before they are used.
    let (start, end) = unsafe {
        let ops = &*context.ops;
        (
            ops.__bindgen_anon_3.skb_data,
            ops.__bindgen_anon_4.skb_data_end,
        )
    };
    Segment(Window::new(start as usize, end as usize))
}

#[inline(always)]
fn keep(context: &SockOpsContext, client: &Client, how: Told) {
    let map = (&raw const CLIENTS).cast_mut().cast();
    let create = BPF_SK_STORAGE_GET_F_CREATE as u64;
    let value = (&raw const *client).cast_mut().cast();
    // SAFETY: the helper takes the socket if it is none but null, and copies a whole value.
    let kept = unsafe {
        let socket = (*context.ops).__bindgen_anon_2.sk;
        !socket.is_null() && !bpf_sk_storage_get(map, socket.cast(), value, create).is_null()
    };
    if kept {
        count(how);
    }
}

/// Whether each segment of this connection is to be shown here.
#[inline(always)]
fn listen(context: &SockOpsContext, on: bool) {
    let flag = BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG;
    let flags = match on {
        true => context.cb_flags() | flag,
        false => context.cb_flags() & !flag,
    };
    let _ = context.set_cb_flags(flags as i32);
}

#[inline(always)]
fn is_here(context: &SockOpsContext) -> bool {
    // SAFETY: the helper takes the program's own context.
    let cookie = unsafe { bpf_get_netns_cookie(context.ops.cast()) };
    NAMESPACE.get(0).is_some_and(|own| *own == cookie)
}

#[inline(always)]
fn is_from_director(context: &SockOpsContext) -> bool {
    let peer = peer(context);
    SENDERS.get(&Key::new(128, peer)).is_some()
}

/// Word by word, as the kernel wants its context read.
#[inline(always)]
fn peer(context: &SockOpsContext) -> Address {
    if context.family() == AF_INET {
        return mapped(context.remote_ip4().to_ne_bytes());
    }
    let word = |number: usize| {
        // SAFETY: the kernel passes a whole record, and `number` is below 4.
        let word = unsafe {
            (&raw const (*context.ops).remote_ip6)
                .cast::<u32>()
                .add(number)
                .read_volatile()
        };
        word.to_ne_bytes()
    };
    let [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]] =
        [word(0), word(1), word(2), word(3)];
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[inline(always)]
fn count(what: Told) {
    if let Some(counter) = COUNTS.get_ptr_mut(what as u32) {
        // SAFETY: the counter is this CPU's.
        unsafe { *counter += 1 };
    }
}
