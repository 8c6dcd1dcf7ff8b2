//! Programs for the bench alone: the engine with a packet of another flow each round, and floors.
//!
//! BPF_PROG_TEST_RUN gives the same packet to every round. So a round here leaves the next one's
//! packet behind: what the engine changed is restored, and the client becomes another one.
//!
//! Programs are inlined where they are entered: a function of its own would cost a call, and stack.
#![no_std]
#![feature(asm_experimental_arch, macro_metavar_expr_concat)]
#![no_main]

mod maps;
mod object;
mod outcome;
mod plan;
mod route;
mod stages;
mod tagged;
mod window;
mod xdp;

use aya_ebpf::{
    bindings::{xdp_action, xdp_md},
    btf_maps::{Array, HashMap},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use rlvs_engine::{Frame, tuple::IP, vlan::Shrink};
use rlvs_wire::{Ipv6, ethernet};

use crate::plan::{Client, Plan, client};
use crate::xdp::XdpFrame;

#[btf_map]
static PLAN: Array<Plan, 1> = Array::new();
#[btf_map]
static BENCH_ARRAY: Array<u64, 1> = Array::new();
#[btf_map]
static BENCH_HASH: HashMap<[u64; 2], u64, 1024> = HashMap::new();

/// A program that does nothing.
#[xdp]
#[inline(always)]
fn bench_empty(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// One look-up in an array.
#[xdp]
#[inline(always)]
fn bench_array(context: XdpContext) -> u32 {
    let key = context.data_end() - context.data() - 64;
    BENCH_ARRAY
        .get(key as u32)
        .map_or(xdp_action::XDP_ABORTED, |value| *value as u32)
}

/// One look-up in a hash map, of a key as long as an IPv4 connection's.
#[xdp]
#[inline(always)]
fn bench_hash(context: XdpContext) -> u32 {
    let key = (context.data_end() - context.data() - 64) as u64;
    // SAFETY: nobody writes the map.
    let value = unsafe { BENCH_HASH.get([key, key]) };
    value.map_or(xdp_action::XDP_ABORTED, |value| *value as u32)
}

/// What the next two cost besides the engine.
#[xdp]
#[inline(always)]
fn bench_wrapper4(context: XdpContext) -> u32 {
    next4(context.ctx);
    xdp_action::XDP_PASS
}

#[xdp]
#[inline(always)]
fn bench_wrapper6(context: XdpContext) -> u32 {
    next6(context.ctx);
    xdp_action::XDP_PASS
}

/// The engine, with IPv4.
#[xdp]
#[inline(always)]
fn bench_engine4(context: XdpContext) -> u32 {
    let raw = context.ctx;
    let verdict = xdp::verdict(context);
    next4(raw);
    verdict
}

/// The engine, with IPv6.
#[xdp]
#[inline(always)]
fn bench_engine6(context: XdpContext) -> u32 {
    let raw = context.ctx;
    let verdict = xdp::verdict(context);
    next6(raw);
    verdict
}

/// What the next two cost besides the engine.
#[xdp]
#[inline(always)]
fn bench_whole_wrapper4(context: XdpContext) -> u32 {
    whole4(context.ctx);
    xdp_action::XDP_PASS
}

#[xdp]
#[inline(always)]
fn bench_whole_wrapper6(context: XdpContext) -> u32 {
    whole6(context.ctx);
    xdp_action::XDP_PASS
}

/// The engine, where it changes more than the fields that the others restore.
#[xdp]
#[inline(always)]
fn bench_whole4(context: XdpContext) -> u32 {
    let raw = context.ctx;
    let verdict = xdp::verdict(context);
    whole4(raw);
    verdict
}

#[xdp]
#[inline(always)]
fn bench_whole6(context: XdpContext) -> u32 {
    let raw = context.ctx;
    let verdict = xdp::verdict(context);
    whole6(raw);
    verdict
}

/// Whatever the engine reads as one word is written as one: a read of two writes that are still
/// under way would wait for both.
#[inline(always)]
fn next4(context: *mut xdp_md) -> Option<()> {
    let (mut frame, plan, client) = next(context)?;
    // The identification makes up for the address, so that the checksum stays what it is.
    let low = u32::from(u16::from_ne_bytes(client.low));
    *frame.header_mut::<[u8; 4]>(IP + 4)? = (!low & 0xffff | DO_NOT_FRAGMENT).to_ne_bytes();
    *frame.header_mut::<[u8; 4]>(IP + 8)? = plan.fields;
    *frame.header_mut::<[u8; 4]>(IP + 12)? = (NETWORK | low << 16).to_ne_bytes();
    *frame.header_mut::<[u8; 2]>(IP + 20)? = client.port;
    Some(())
}

const DO_NOT_FRAGMENT: u32 = u32::from_ne_bytes([0, 0, 0x40, 0]);
const NETWORK: u32 = u32::from_ne_bytes([10, 9, 0, 0]);

#[inline(always)]
fn next6(context: *mut xdp_md) -> Option<()> {
    let (mut frame, _, client) = next(context)?;
    frame.header_mut::<Ipv6>(IP)?.hop_limit = 64;
    let low = u64::from(u16::from_ne_bytes(client.low));
    *frame.header_mut::<[u8; 8]>(IP + 16)? = (low << 48).to_ne_bytes();
    *frame.header_mut::<[u8; 2]>(IP + 40)? = client.port;
    Some(())
}

/// All headers, in words that have the client's fields in them already, for the same reason.
#[inline(always)]
fn whole4(context: *mut xdp_md) -> Option<()> {
    let (mut frame, plan, Client { low, port }) = whole(context, ethernet::IPV4)?;
    let [low, port] = [low, port].map(|field| u64::from(u16::from_ne_bytes(field)));
    let address = (u64::from(NETWORK) | low << 16) << 32;
    let [a, b, c, d, e, f, g] = &plan.words;
    let balanced = a & !(0xffff << 32) | (!low & 0xffff) << 32;
    match plan.client {
        client::INSIDE => {
            put(&mut frame, 0, *a)?;
            put(&mut frame, 1, *b)?;
            put(&mut frame, 2, *c)?;
            put(&mut frame, 5, f & 0xffff_ffff | address)?;
            put(&mut frame, 6, g & !(0xffff << 16) | port << 16)?;
        }
        client::RECEIVER => {
            put(&mut frame, 0, balanced)?;
            put(&mut frame, 1, *b)?;
            put(&mut frame, 2, c & 0xffff << 32 | address >> 32 | port << 48)?;
        }
        client::SENDER => {
            put(&mut frame, 0, balanced)?;
            put(&mut frame, 1, b & 0xffff_ffff | address)?;
            put(&mut frame, 2, c & !(0xffff << 32) | port << 32)?;
        }
        _ => return None,
    }
    put(&mut frame, 3, *d)?;
    put(&mut frame, 4, *e)
}

#[inline(always)]
fn whole6(context: *mut xdp_md) -> Option<()> {
    let (mut frame, plan, Client { low, port }) = whole(context, ethernet::IPV6)?;
    let [low, port] = [low, port].map(|field| u64::from(u16::from_ne_bytes(field)));
    let [a, b, c, d, e, f, g] = &plan.words;
    put(&mut frame, 0, *a)?;
    put(&mut frame, 1, *b)?;
    put(&mut frame, 3, *d)?;
    if plan.client == client::RECEIVER {
        put(&mut frame, 2, *c)?;
        put(&mut frame, 4, low << 48)?;
        put(&mut frame, 5, f & !(0xffff << 16) | port << 16)?;
    } else {
        put(&mut frame, 2, low << 48)?;
        put(&mut frame, 4, *e)?;
        put(&mut frame, 5, f & !0xffff | port)?;
    }
    put(&mut frame, 6, *g)?;
    *frame.header_mut::<[u8; 4]>(IP + 56)? = plan.last.to_ne_bytes();
    Some(())
}

/// One of the words of the headers behind Ethernet's.
#[inline(always)]
fn put(frame: &mut XdpFrame, number: usize, word: u64) -> Option<()> {
    *frame.header_mut::<[u8; 8]>(IP + 8 * number)? = word.to_ne_bytes();
    Some(())
}

/// Takes off what the frame has grown by.
#[inline(always)]
fn whole(context: *mut xdp_md, ethertype: u16) -> Option<(XdpFrame, &'static Plan, Client)> {
    let length = PLAN.get(0)?.length as usize;
    let grown = XdpContext::new(context);
    let by = grown.data_end() - grown.data() - length;
    if by != 0 {
        XdpFrame::new(grown).shrink(by)?;
    }
    let (mut frame, plan, client) = next(context)?;
    *frame.header_mut::<[u8; 2]>(IP - 2)? = ethertype.to_be_bytes();
    Some((frame, plan, client))
}

#[inline(always)]
fn next(context: *mut xdp_md) -> Option<(XdpFrame, &'static Plan, Client)> {
    // SAFETY: the bench runs one program at a time.
    let plan = unsafe { PLAN.get_ptr_mut(0)?.as_mut()? };
    let client = Client::of(walk(plan));
    let mut frame = XdpFrame::new(XdpContext::new(context));
    let [a, b, c] = plan.ethernet;
    *frame.header_mut::<[u8; 4]>(0)? = a.to_ne_bytes();
    *frame.header_mut::<[u8; 4]>(4)? = b.to_ne_bytes();
    *frame.header_mut::<[u8; 4]>(8)? = c.to_ne_bytes();
    Some((frame, plan, client))
}

/// The number of the flow that comes next.
#[inline(always)]
fn walk(plan: &mut Plan) -> u32 {
    plan.state = plan.state.wrapping_mul(plan.factor).wrapping_add(plan.step);
    ((plan.state >> 32).wrapping_mul(plan.flows) >> 32) as u32
}
