//! Probes of health checks that take the way of a virtual address's packets: their packets are
//! changed when they leave, and the answers when they come in.
//!
//! Nothing is decided here, see `rlvs_engine::real_path`.
#![no_std]
#![feature(asm_experimental_arch)]
#![no_main]

mod object;
mod skb;
mod window;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{BPF_ANY, BPF_F_NO_PREALLOC, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::btf_maps::{HashMap, LruHashMap};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sk_fullsock};
use aya_ebpf::macros::{btf_map, classifier};
use aya_ebpf::programs::TcContext;
use rlvs_engine::Family;
use rlvs_engine::Frame;
use rlvs_engine::forward::Outer;
use rlvs_engine::frame::{Change, Route};
use rlvs_engine::real_path::{self, Ends, Fate, ROOM, Sender, Way, Ways};
use rlvs_engine::tables::KeyOf;
use rlvs_wire::Header;

use crate::window::Window;

/// Of sockets, by cookie: the daemon writes and removes them.
#[btf_map]
static WAYS: HashMap<u64, Way, { ROOM as usize }, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// Whose packets have which ends; of either direction.
#[btf_map]
static OWNERS: LruHashMap<Ends, u64, { ROOM as usize }> = LruHashMap::new();

/// `SOCK_RAW` (include/linux/net.h): what the stack answers for sockets that are gone comes from one.
const RAW: u32 = 3;

/// Every packet that leaves by an interface towards real servers.
#[classifier]
fn rlvs_path_leave(context: TcContext) -> i32 {
    // SAFETY: the kernel passes a whole __sk_buff.
    let is_forwarded = unsafe { (*context.skb.skb).ingress_ifindex != 0 };
    if is_forwarded {
        return TC_ACT_UNSPEC;
    }
    let sender = sender(&context);
    code(real_path::leave(&mut Packet::new(context), &Maps, sender))
}

/// Every packet that comes in by one.
#[classifier]
fn rlvs_path_arrive(context: TcContext) -> i32 {
    code(real_path::arrive(&mut Packet::new(context), &Maps))
}

#[inline(always)]
fn code(fate: Fate) -> i32 {
    match fate {
        Fate::Other | Fate::Goes => TC_ACT_UNSPEC,
        Fate::Lost => TC_ACT_SHOT,
    }
}

#[inline(always)]
fn sender(context: &TcContext) -> Sender {
    // SAFETY: the helpers take the program's own context, and a socket that is there.
    unsafe {
        let socket = (*context.skb.skb).__bindgen_anon_2.sk;
        let whole = match socket.is_null() {
            true => socket,
            false => bpf_sk_fullsock(socket),
        };
        Sender {
            cookie: bpf_get_socket_cookie(context.as_ptr()),
            is_there: !whole.is_null() && (*whole).type_ != RAW,
        }
    }
}

struct Maps;

impl Ways for Maps {
    #[inline(always)]
    fn way(&self, cookie: u64) -> Option<&Way> {
        // SAFETY: its words are shared ones; the kernel keeps the memory while the program runs.
        unsafe { WAYS.get(cookie) }
    }

    #[inline(always)]
    fn owner(&self, ends: &Ends) -> Option<u64> {
        // SAFETY: a cookie is read at once, and one that is being written is this socket's, too.
        unsafe { OWNERS.get(ends) }.copied()
    }

    #[inline(always)]
    fn own(&self, ends: &Ends, cookie: u64) -> Option<()> {
        OWNERS.insert(ends, cookie, BPF_ANY as u64).ok()
    }
}

/// A packet of this host's stack, at an interface.
struct Packet {
    context: TcContext,
    window: Window,
}

impl Packet {
    #[inline(always)]
    fn new(context: TcContext) -> Self {
        skb::bring(&context, skb::HEADERS, skb::PULLED);
        Self {
            window: Window::new(context.data(), context.data_end()),
            context,
        }
    }

    /// Finds the packet again after a helper may have moved it.
    #[inline(always)]
    fn refresh(&mut self) {
        self.window = Window::new(self.context.data(), self.context.data_end());
    }
}

/// What only a director does with clients' packets is done by none of these.
impl Frame for Packet {
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
        self.context.len() as usize
    }

    #[inline(always)]
    fn offset(&self, offset: usize) -> usize {
        self.window.forget(offset)
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the kernel passes a whole __sk_buff.
        unsafe { (*self.context.skb.skb).ifindex }
    }

    #[inline(always)]
    fn mend(&mut self, change: Change) -> Option<()> {
        let done = skb::mend(self.context.skb.skb, change);
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn encapsulate(&mut self, room: usize, outer: Outer) -> Option<()> {
        let done = skb::encapsulate(self.context.skb.skb, room, outer);
        self.refresh();
        done.then_some(())
    }

    #[inline(always)]
    fn is_in_segments(&self) -> bool {
        skb::is_in_segments(&self.context)
    }

    #[inline(always)]
    fn bring(&mut self, _: usize, _: usize, _: usize) -> Option<()> {
        None
    }

    #[inline(always)]
    fn resize(&mut self, _: usize) -> Option<()> {
        None
    }

    #[inline(always)]
    fn open(&mut self, _: usize, _: usize, _: usize) -> Option<()> {
        None
    }

    #[inline(always)]
    fn extend(&mut self, _: usize) -> Option<()> {
        None
    }

    #[inline(always)]
    fn route<F: Family>(&mut self, _: &KeyOf<F>) -> Route {
        Route::NONE
    }
}
