//! TCP states as IPVS has them (net/netfilter/ipvs/ip_vs_proto_tcp.c).

use rlvs_wire::tcp::{ACK, FIN, RST, SYN};

use crate::connection::State;

/// Who sent a packet, and whether the director sees the other side too: each has rows of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum From {
    /// The client, whose server's packets do not pass the director ("input only").
    ClientAlone = 0,
    /// The client, whose server's packets pass the director as well ("input").
    Client = 1,
    /// The server ("output").
    Server = 2,
}

impl From {
    /// Bits that were stored from one; others count as the client alone.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Client,
            2 => Self::Server,
            _ => Self::ClientAlone,
        }
    }
}

/// The state after a packet with these `flags`.
#[inline(always)]
pub fn next(state: State, flags: u8, from: From) -> State {
    if state as u8 == State::Established as u8 && flags & (RST | SYN | FIN | ACK) == ACK {
        return state;
    }
    let row = match from {
        From::ClientAlone => row(flags, &CLIENT_ALONE),
        From::Client => row(flags, &CLIENT),
        From::Server => row(flags, &SERVER),
    };
    let index = (state as u32).wrapping_sub(State::None as u32) & 15;
    let step = (row >> (index * 4)) & 15;
    State::from_bits((step as u8).wrapping_add(State::None as u8))
}

/// The rows for each flag.
struct Rows {
    syn: u64,
    fin: u64,
    ack: u64,
    rst: u64,
}

/// The row of the first flag that counts; a segment with none of them closes.
#[inline(always)]
fn row(flags: u8, rows: &Rows) -> u64 {
    if flags & RST != 0 {
        rows.rst
    } else if flags & SYN != 0 {
        rows.syn
    } else if flags & FIN != 0 {
        rows.fin
    } else if flags & ACK != 0 {
        rows.ack
    } else {
        ON_NOTHING
    }
}

use State::{
    Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA, Listen as LI,
    SynRecv as SR, SynSent as SS, TimeWait as TW,
};

// State before:      NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
const CLIENT_ALONE: Rows = Rows {
    syn: packed([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]),
    fin: packed([CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]),
    ack: packed([ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]),
    rst: packed([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]),
};
const CLIENT: Rows = Rows {
    syn: packed([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]),
    fin: packed([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]),
    ack: packed([ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]),
    rst: packed([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]),
};
const SERVER: Rows = Rows {
    syn: packed([SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]),
    fin: packed([TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]),
    ack: packed([ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]),
    rst: packed([CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]),
};
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

    fn after(flags: u8, from: From) -> [State; 11] {
        BEFORE.map(|state| next(state, flags, from))
    }

    #[test]
    fn every_state_and_flag_of_a_client_alone() {
        let after = |flags| after(flags, From::ClientAlone);
        assert_eq!(after(SYN), [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
        assert_eq!(after(FIN), [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
        assert_eq!(after(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
        assert_eq!(after(RST), [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
        assert_eq!(after(0), [CL; 11]);
    }

    #[test]
    fn every_state_and_flag_of_both_sides() {
        let client = |flags| after(flags, From::Client);
        assert_eq!(client(SYN), [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
        assert_eq!(client(FIN), [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]);
        assert_eq!(client(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
        assert_eq!(client(RST), [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]);
        let server = |flags| after(flags, From::Server);
        assert_eq!(server(SYN), [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]);
        assert_eq!(server(FIN), [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]);
        assert_eq!(server(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]);
        assert_eq!(server(RST), [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]);
        assert_eq!((client(0), server(0)), ([CL; 11], [CL; 11]));
    }

    #[test]
    fn a_masqueraded_connection_lives_and_ends() {
        let steps = [
            (SYN, From::Client, SR),
            (SYN | ACK, From::Server, SR),
            (ACK, From::Client, ES),
            (FIN | ACK, From::Server, FW),
            (ACK, From::Client, FW),
            (FIN | ACK, From::Client, TW),
            (ACK, From::Server, TW),
        ];
        let mut state = NO;
        for (flags, from, expected) in steps {
            state = next(state, flags, from);
            assert_eq!(state, expected, "{flags:#x} from {from:?}");
        }
    }

    #[test]
    fn reset_comes_before_syn_before_fin_before_ack() {
        for from in [From::ClientAlone, From::Client, From::Server] {
            assert_eq!(after(RST | SYN | FIN | ACK, from), after(RST, from));
            assert_eq!(after(SYN | FIN | ACK, from), after(SYN, from));
            assert_eq!(after(FIN | ACK, from), after(FIN, from));
        }
    }
}
