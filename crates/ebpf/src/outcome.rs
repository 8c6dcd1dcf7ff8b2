//! What a stage says of a frame, in one number: the verifier takes nothing else of a global
//! function.

use rlvs_engine::answers::Answer;
use rlvs_engine::by_error;
use rlvs_engine::frame::Brief;
use rlvs_engine::outcome::Outcome;
use rlvs_engine::related::Inward;
use rlvs_engine::table::Seat;
use rlvs_engine::{Reason, Verdict};

#[inline(always)]
pub(crate) fn pack(outcome: Result<Verdict, Reason>) -> u64 {
    Outcome::from(outcome).0
}

/// The number of a destination, or the reason for none.
#[inline(always)]
pub(crate) fn pack_number(number: Result<u32, Reason>) -> u64 {
    match number {
        Ok(number) => Outcome::found(number).0,
        Err(reason) => Outcome::failed(reason).0,
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
    /// If none of them has to do with it, what an error is about may be `wanted`, and `begin`.
    #[inline(always)]
    pub(crate) fn run(
        self,
        context: *mut C,
        wanted: extern "C" fn(*mut C) -> u32,
        begin: impl FnOnce() -> Result<u32, Reason>,
    ) -> Outcome {
        let outcome = self.known(context);
        if !outcome.is(Reason::Protocol) || wanted(context) == 0 {
            return outcome;
        }
        match begin() {
            Ok(_) => self.known(context),
            Err(reason) => Outcome::failed(by_error::failed(reason)),
        }
    }

    #[inline(always)]
    fn known(&self, context: *mut C) -> Outcome {
        let [relate, relate_full_nat] = self.relate;
        let outcome = Outcome(relate(context));
        if !outcome.is(Reason::Protocol) {
            return outcome;
        }
        let outcome = Outcome(relate_full_nat(context));
        if !outcome.is(Reason::Protocol) {
            return outcome;
        }
        let inward = (self.for_tunnel)(context);
        if inward & NO_WORD == 0 {
            let inward = Inward(inward);
            return Outcome((self.tunnel)(context, inward.destination(), inward.hash()));
        }
        let found = Outcome((self.tunnelled)(context));
        match found.reason() {
            Some(_) => found,
            None => Outcome((self.tell_client)(context, found.0 as u32)),
        }
    }
}

/// What was recognised: a seat (32 bits) and a brief (30).
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
