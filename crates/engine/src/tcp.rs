//! TCP states as IPVS has them for what a director sees of direct routing: packets of the client
//! alone, the "input only" rows of net/netfilter/ipvs/ip_vs_proto_tcp.c.

use rlvs_wire::tcp::{ACK, FIN, RST, SYN};

use crate::connection::State;

/// The state after a packet with these `flags` from the client.
#[inline(always)]
pub fn next(state: State, flags: u8) -> State {
    if state as u8 == State::Established as u8 && flags & (RST | SYN | FIN | ACK) == ACK {
        return state;
    }
    let index = (state as u32).wrapping_sub(State::None as u32) & 15;
    let step = (row(flags) >> (index * 4)) & 15;
    State::from_bits((step as u8).wrapping_add(State::None as u8))
}

/// The row of the first flag that counts; a segment with none of them closes.
#[inline(always)]
fn row(flags: u8) -> u64 {
    if flags & RST != 0 {
        ON_RST
    } else if flags & SYN != 0 {
        ON_SYN
    } else if flags & FIN != 0 {
        ON_FIN
    } else if flags & ACK != 0 {
        ON_ACK
    } else {
        ON_NOTHING
    }
}

use State::{
    Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA, Listen as LI,
    SynRecv as SR, SynSent as SS, TimeWait as TW,
};

// State before:                NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
const ON_SYN: u64 = packed([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
const ON_FIN: u64 = packed([CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
const ON_ACK: u64 = packed([ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
const ON_RST: u64 = packed([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
const ON_NOTHING: u64 = packed([CL; 11]);

/// Four bits a state, so that a transition is a shift and no memory is read.
const fn packed(row: [State; 11]) -> u64 {
    let mut word = 0;
    let mut i = 0;
    while i < row.len() {
        word |= (row[i] as u64 - State::None as u64) << (i * 4);
        i += 1;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{None as NO, SynAck as SA};

    const BEFORE: [State; 11] = [NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA];

    fn after(flags: u8) -> [State; 11] {
        BEFORE.map(|state| next(state, flags))
    }

    #[test]
    fn every_state_and_flag() {
        assert_eq!(after(SYN), [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
        assert_eq!(after(FIN), [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
        assert_eq!(after(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
        assert_eq!(after(RST), [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
        assert_eq!(after(0), [CL; 11]);
    }

    #[test]
    fn reset_comes_before_syn_before_fin_before_ack() {
        assert_eq!(after(RST | SYN | FIN | ACK), after(RST));
        assert_eq!(after(SYN | FIN | ACK), after(SYN));
        assert_eq!(after(FIN | ACK), after(FIN));
    }
}
