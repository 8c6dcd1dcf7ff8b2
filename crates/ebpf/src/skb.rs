//! What the kernel's helpers do to packets in traffic control.

use core::arch::asm;

use aya_ebpf::bindings::{
    __sk_buff, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
    BPF_F_ADJ_ROOM_ENCAP_L4_GRE, BPF_F_ADJ_ROOM_ENCAP_L4_UDP, BPF_F_MARK_MANGLED_0,
    BPF_F_PSEUDO_HDR,
};
use aya_ebpf::helpers::generated::{bpf_csum_update, bpf_l4_csum_replace, bpf_skb_adjust_room};
use aya_ebpf::programs::TcContext;
use rlvs_engine::forward::Outer;
use rlvs_engine::frame::Change;
use rlvs_wire::protocol;

/// Ethernet, IPv6 and TCP without options: as much must lie in the packet's first piece.
pub(crate) const HEADERS: u32 = 74;
/// So much is brought there if it is not.
pub(crate) const PULLED: u32 = 192;

/// Room between the Ethernet and the IP header (`enum bpf_adj_room_mode`).
const BPF_ADJ_ROOM_MAC: u32 = 1;

/// SCTP packets in one, each in a piece of its own that must stay whole (`GSO_BY_FRAGS`).
const IN_PIECES: u32 = 0xffff;

/// Brings `wanted` bytes, or all there are, into the first piece, if there are less than `needed`.
#[inline(always)]
pub(crate) fn bring(context: &TcContext, needed: u32, wanted: u32) {
    let length = context.len();
    let least = if length < needed { length } else { needed };
    // SAFETY: the kernel passes a whole __sk_buff.
    let is_in_pieces = unsafe { (*context.skb.skb).gso_size == IN_PIECES };
    if !is_in_pieces && context.data() + least as usize > context.data_end() {
        let wanted = if length < wanted { length } else { wanted };
        // If it fails, reading fails, and the packet passes.
        let _ = context.pull_data(wanted);
    }
}

/// Whether the packet is several of one connection, to be parted when they leave.
#[inline(always)]
pub(crate) fn is_in_segments(context: &TcContext) -> bool {
    // SAFETY: the kernel passes a whole __sk_buff.
    unsafe { (*context.skb.skb).gso_size != 0 }
}

/// Mends the transport checksum; the packet may lie elsewhere then.
#[inline(always)]
pub(crate) fn mend(skb: *mut __sk_buff, change: Change) -> bool {
    let field = change.field as u32;
    let addresses = settled(change.addresses.to_word());
    let header = settled(change.header.to_word());
    let mangled = match change.is_udp {
        true => BPF_F_MARK_MANGLED_0 as u64,
        false => 0,
    };
    // What the kernel keeps is a sum over the packet: an IPv4 header's is always the same.
    if change.is_ipv6 {
        // SAFETY: the helper takes the program's own context.
        unsafe { bpf_csum_update(skb, addresses as u32) };
    }
    let with_pseudo = mangled | BPF_F_PSEUDO_HDR as u64;
    // SAFETY: as above.
    unsafe {
        bpf_l4_csum_replace(skb, field, 0, addresses, with_pseudo) == 0
            && bpf_l4_csum_replace(skb, field, 0, header, mangled) == 0
    }
}

/// Makes room in front of the IP header; the packet may lie elsewhere then.
#[inline(always)]
pub(crate) fn encapsulate(skb: *mut __sk_buff, room: usize, outer: Outer) -> bool {
    let network = match outer.is_six {
        true => BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
        false => BPF_F_ADJ_ROOM_ENCAP_L3_IPV4,
    };
    let shim = match outer.protocol {
        protocol::GRE => BPF_F_ADJ_ROOM_ENCAP_L4_GRE,
        protocol::UDP => BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
        _ => 0,
    };
    let flags = (network | shim) as u64;
    // SAFETY: the helper takes the program's own context.
    unsafe { bpf_skb_adjust_room(skb, room as i32, BPF_ADJ_ROOM_MAC, flags) == 0 }
}

/// The same number, computed here and not later: the compiler would keep all that a sum is made of
/// on the stack until a call wants it.
#[inline(always)]
fn settled(word: u32) -> u64 {
    let mut word = u64::from(word);
    // SAFETY: it is copied to itself.
    unsafe { asm!("{word} = {word}", word = inout(reg) word, options(nomem, nostack)) };
    word
}
