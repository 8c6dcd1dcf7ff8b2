//! What a stage says of a frame, in one number: the verifier takes nothing else of a global
//! function.

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
