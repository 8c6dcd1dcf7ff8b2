//! What a stage says of a frame, in one number: the verifier takes nothing else of a global
//! function.

use rlvs_engine::frame::Brief;
use rlvs_engine::process::Answer;
use rlvs_engine::related::Inward;
use rlvs_engine::table::Seat;
use rlvs_engine::{Reason, Verdict};

const FAILED: u64 = 1 << 40;
const VERDICT: u32 = 32;

/// Verdict (8 bits) above an interface (32), or the reason for none.
#[inline(always)]
pub(crate) fn pack(outcome: Result<Verdict, Reason>) -> u64 {
    let (kind, interface) = match outcome {
        Err(reason) => return FAILED | reason as u64,
        Ok(Verdict::Drop) => (0, 0),
        Ok(Verdict::Pass) => (1, 0),
        Ok(Verdict::Transmit) => (2, 0),
        Ok(Verdict::Redirect(interface)) => (3, interface),
        Ok(Verdict::Neighbour(interface)) => (4, interface),
    };
    kind << VERDICT | interface as u64
}

/// The number of a destination, or the reason for none.
#[inline(always)]
pub(crate) fn pack_number(number: Result<u32, Reason>) -> u64 {
    match number {
        Ok(number) => number as u64,
        Err(reason) => FAILED | reason as u64,
    }
}

/// Stages of an ICMP packet.
pub(crate) struct Relating<C> {
    /// These say what becomes of it, or that it is no concern of theirs.
    pub(crate) relate: [extern "C" fn(*mut C) -> u64; 2],
    /// If this finds a destination, the packet is for its tunnel.
    pub(crate) for_tunnel: extern "C" fn(*mut C) -> u64,
    pub(crate) tunnel: extern "C" fn(*mut C, u32, u32) -> u64,
    /// If this finds a destination, the packet is about one in its tunnel.
    pub(crate) tunnelled: extern "C" fn(*mut C) -> u64,
    pub(crate) tell_client: extern "C" fn(*mut C, u32) -> u64,
}

impl<C> Relating<C> {
    #[inline(always)]
    pub(crate) fn run(self, context: *mut C) -> u64 {
        const NO_CONCERN: u64 = FAILED | Reason::Protocol as u64;
        let [relate, relate_full_nat] = self.relate;
        let outcome = relate(context);
        if outcome != NO_CONCERN {
            return outcome;
        }
        let outcome = relate_full_nat(context);
        if outcome != NO_CONCERN {
            return outcome;
        }
        let inward = (self.for_tunnel)(context);
        if inward & NO_WORD == 0 {
            let inward = Inward(inward);
            return (self.tunnel)(context, inward.destination(), inward.hash());
        }
        match (self.tunnelled)(context) {
            failed if failed & FAILED != 0 => failed,
            number => (self.tell_client)(context, number as u32),
        }
    }
}

#[inline(always)]
pub(crate) fn unpack(outcome: u64) -> Result<Verdict, Reason> {
    if outcome & FAILED != 0 {
        return Err(Reason::from_bits(outcome as u8));
    }
    let interface = outcome as u32;
    Ok(match (outcome >> VERDICT) as u8 {
        1 => Verdict::Pass,
        2 => Verdict::Transmit,
        3 => Verdict::Redirect(interface),
        4 => Verdict::Neighbour(interface),
        _ => Verdict::Drop,
    })
}

/// The same of what was recognised: a seat (32 bits) and a brief (28).
#[inline(always)]
pub(crate) fn pack_answer(answer: Result<Answer, Reason>) -> u64 {
    pack_word(answer.map(|answer| (answer.brief.0 as u64) << 32 | answer.seat.0 as u64))
}

#[inline(always)]
pub(crate) fn unpack_answer(answer: u64) -> Result<Answer, Reason> {
    unpack_word(answer).map(|word| Answer {
        seat: Seat(word as u32),
        brief: Brief((word >> 32) as u32),
    })
}

/// A word of at most 63 bits, or a reason.
const NO_WORD: u64 = 1 << 63;

#[inline(always)]
pub(crate) fn pack_word(outcome: Result<u64, Reason>) -> u64 {
    match outcome {
        Ok(word) => word,
        Err(reason) => NO_WORD | reason as u64,
    }
}

#[inline(always)]
pub(crate) fn unpack_word(outcome: u64) -> Result<u64, Reason> {
    match outcome & NO_WORD {
        0 => Ok(outcome),
        _ => Err(Reason::from_bits(outcome as u8)),
    }
}
