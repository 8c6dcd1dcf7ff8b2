//! The outer headers go, the rest is the kernel's.
//!
//! Where the families differ, the outer header becomes one of the inner family first
//! (`bpf_skb_change_proto`), which is how Linux 6.1 is told; later kernels have flags for it.
//! How large the segments of a merged packet are stays as it is: they are the inner packet's.

use aya_ebpf::bindings::{
    BPF_F_ADJ_ROOM_FIXED_GSO, BPF_F_RECOMPUTE_CSUM, BPF_FIB_LKUP_RET_FWD_DISABLED,
    BPF_FIB_LKUP_RET_NOT_FWDED, TC_ACT_SHOT, TC_ACT_UNSPEC, bpf_fib_lookup as Question,
};
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, PerCpuArray};
use aya_ebpf::helpers::generated::{
    bpf_fib_lookup, bpf_skb_adjust_room, bpf_skb_change_proto, bpf_skb_store_bytes,
};
use aya_ebpf::macros::btf_map;
use aya_ebpf::programs::TcContext;
use rlvs_arrival::count::ROOM;
use rlvs_arrival::{Address, Bytes, Count, Found, IP, Settings, concerns, ecn, inspect, remote};
use rlvs_wire::{Ethernet, Header, Ipv4, Ipv6, ethernet, ipv4, ipv6};

use crate::sum;
use crate::window::Window;

#[btf_map]
static SETTINGS: Array<u64, 1> = Array::new();
/// The virtual addresses that packets in tunnels are for.
#[btf_map]
static VIPS: HashMap<Address, u32, 1024> = HashMap::new();
/// The directors.
#[btf_map]
static SENDERS: LpmTrie<Address, u32, 1024> = LpmTrie::new();
#[btf_map]
static COUNTS: PerCpuArray<u64, { ROOM as usize }> = PerCpuArray::new();

/// Room between the Ethernet and the IP header (`enum bpf_adj_room_mode`).
const BPF_ADJ_ROOM_MAC: u32 = 1;
/// `PACKET_HOST`: the frame was sent to us.
const TO_US: u32 = 0;
/// The longest headers: Ethernet, IPv4 with options, UDP, GUE with options, IPv6.
const HEADERS: u32 = 14 + 60 + 8 + 4 + 124 + 40;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Where each header has its traffic class, and each its family's length.
const CLASS4: usize = 1;
const CHECKSUM4: usize = 10;

#[inline(always)]
pub(crate) fn verdict(context: TcContext) -> i32 {
    let Some(settings) = SETTINGS.get(0) else {
        return TC_ACT_UNSPEC;
    };
    let mut packet = Packet { context };
    if packet.is_to_us() && concerns(&packet.view(), Settings(*settings)) {
        let outcome = packet.arrive();
        count(outcome);
        if outcome.drops() {
            return TC_ACT_SHOT;
        }
    }
    TC_ACT_UNSPEC
}

#[inline(always)]
fn count(what: Count) {
    if let Some(counter) = COUNTS.get_ptr_mut(what as u32) {
        // SAFETY: the counter is this CPU's.
        unsafe { *counter += 1 };
    }
}

struct Packet {
    context: TcContext,
}

/// What can be read of it at the moment.
struct View {
    window: Window,
    length: usize,
}

impl Bytes for View {
    #[inline(always)]
    fn header<H: Header>(&self, offset: usize) -> Option<&H> {
        self.window.header(offset)
    }

    #[inline(always)]
    fn offset(&self, offset: usize) -> usize {
        self.window.forget(offset)
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }
}

impl Packet {
    #[inline(always)]
    fn is_to_us(&self) -> bool {
        // SAFETY: the kernel passes a whole __sk_buff.
        unsafe { (*self.context.skb.skb).pkt_type == TO_US }
    }

    /// Whether it stands for several.
    #[inline(always)]
    fn is_merged(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.context.skb.skb).gso_size != 0 }
    }

    #[inline(always)]
    fn view(&self) -> View {
        View {
            window: Window::new(self.context.data(), self.context.data_end()),
            length: self.context.len() as usize,
        }
    }

    #[inline(always)]
    fn arrive(&mut self) -> Count {
        self.bring_headers();
        let found = match inspect(&self.view(), self.is_merged()) {
            Ok(found) => found,
            Err(why) => return why,
        };
        if !is_vip(&found) || !self.ends_here(&found) {
            return Count::NotVip;
        }
        if !is_from_director(&found) {
            return Count::WrongSender;
        }
        let Some(class) = ecn::decapsulate(found.outer_class, found.inner_class) else {
            return Count::Congestion;
        };
        if found.remote != 0 && !self.fill_in_checksum(&found) {
            return Count::Malformed;
        }
        let done = (class == found.inner_class || self.set_class(&found, class).is_some())
            && self.strip(&found).is_some();
        match done {
            true => Count::Decapsulated,
            false => Count::Failed,
        }
    }

    /// All headers into the packet's first piece.
    #[inline(always)]
    fn bring_headers(&mut self) {
        let length = self.context.len();
        let wanted = if length < HEADERS { length } else { HEADERS };
        if self.context.data() + wanted as usize > self.context.data_end() {
            // If it fails, reading fails, and the packet counts as malformed.
            let _ = self.context.pull_data(wanted);
        }
    }

    /// Whether the outer packet is for this host, not one that it forwards.
    #[inline(always)]
    fn ends_here(&self, found: &Found) -> bool {
        let Some(mut question) = self.question(found) else {
            return false;
        };
        let size = size_of::<Question>() as i32;
        // SAFETY: the kernel passes a whole __sk_buff, and the helper takes it and `size` bytes.
        let answer = unsafe {
            question.ifindex = (*self.context.skb.skb).ifindex;
            bpf_fib_lookup(self.context.skb.skb.cast(), &raw mut question, size, 0)
        };
        answer == BPF_FIB_LKUP_RET_NOT_FWDED as i64
            || answer == BPF_FIB_LKUP_RET_FWD_DISABLED as i64
    }

    #[inline(always)]
    fn question(&self, found: &Found) -> Option<Question> {
        let view = self.view();
        // SAFETY: all fields are numbers, for which zeros are a value.
        let mut question: Question = unsafe { core::mem::zeroed() };
        if found.outer_is_six {
            let ip = view.header::<Ipv6>(IP)?;
            question.family = AF_INET6;
            question.__bindgen_anon_3.ipv6_src = words(ip.source);
            question.__bindgen_anon_4.ipv6_dst = words(ip.destination);
        } else {
            let ip = view.header::<Ipv4>(IP)?;
            question.family = AF_INET;
            question.__bindgen_anon_3.ipv4_src = u32::from_ne_bytes(ip.source);
            question.__bindgen_anon_4.ipv4_dst = u32::from_ne_bytes(ip.destination);
        }
        Some(question)
    }

    /// False if the packet is not what was sent.
    #[inline(always)]
    fn fill_in_checksum(&mut self, found: &Found) -> bool {
        let Some((start, field)) = found.remote_checksum() else {
            return false;
        };
        let outer = sum::over(&self.context, found.shim, found.shim_end);
        let inner = sum::over(&self.context, start, found.end);
        let (Some(outer), Some(inner)) = (outer, inner) else {
            return false;
        };
        remote::is_whole(&self.view(), found, outer) == Some(true)
            && self.store(field, remote::field(inner)).is_some()
    }

    /// Congestion on the way is the inner packet's as well.
    #[inline(always)]
    fn set_class(&mut self, found: &Found, class: u8) -> Option<()> {
        let begin = found.begin;
        let view = self.view();
        if found.inner_is_six {
            let [a, b] = *view.header::<[u8; 2]>(view.offset(begin))?;
            return self.store(begin, [a & 0xf0 | class >> 4, b & 0x0f | class << 4]);
        }
        let ip = view.header::<Ipv4>(view.offset(begin))?;
        let sum = rlvs_wire::Checksum::stored(ip.checksum);
        let version = ip.version_ihl;
        let checksum = sum.replace([version, ip.tos], [version, class]).to_field();
        self.store(begin + CLASS4 - 1, [version, class])?;
        self.store(begin + CHECKSUM4, checksum)
    }

    #[inline(always)]
    fn store(&mut self, offset: usize, bytes: [u8; 2]) -> Option<()> {
        let (skb, from) = (self.context.skb.skb, bytes.as_ptr().cast());
        let flags = BPF_F_RECOMPUTE_CSUM as u64;
        // SAFETY: the helper takes the program's own context and two bytes.
        let done = unsafe { bpf_skb_store_bytes(skb, offset as u32, from, 2, flags) == 0 };
        done.then_some(())
    }

    /// Takes all in front of the inner packet away.
    #[inline(always)]
    fn strip(&mut self, found: &Found) -> Option<()> {
        let skb = self.context.skb.skb;
        let mut room = found.room() as i32;
        if found.outer_is_six != found.inner_is_six {
            let (ethertype, change) = match found.inner_is_six {
                true => (
                    ethernet::IPV6,
                    ipv6::LENGTH as i32 - ipv4::MIN_LENGTH as i32,
                ),
                false => (
                    ethernet::IPV4,
                    ipv4::MIN_LENGTH as i32 - ipv6::LENGTH as i32,
                ),
            };
            room += change;
            // SAFETY: the helper takes the program's own context.
            let done = unsafe { bpf_skb_change_proto(skb, ethertype.to_be(), 0) == 0 };
            done.then_some(())?;
            self.set_ethertype(ethertype)?;
        }
        let flags = BPF_F_ADJ_ROOM_FIXED_GSO as u64;
        // SAFETY: as above.
        let done = unsafe { bpf_skb_adjust_room(skb, -room, BPF_ADJ_ROOM_MAC, flags) == 0 };
        done.then_some(())
    }

    #[inline(always)]
    fn set_ethertype(&mut self, ethertype: u16) -> Option<()> {
        let mut window = Window::new(self.context.data(), self.context.data_end());
        window.header_mut::<Ethernet>(0)?.ethertype.set(ethertype);
        Some(())
    }
}

#[inline(always)]
fn is_vip(found: &Found) -> bool {
    // SAFETY: only that there is a value matters.
    unsafe { VIPS.get(found.destination).is_some() }
}

#[inline(always)]
fn is_from_director(found: &Found) -> bool {
    SENDERS.get(&Key::new(128, found.source)).is_some()
}

#[inline(always)]
fn words(octets: [u8; 16]) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]].map(u32::from_ne_bytes)
}
