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
    step(state, row)
}

/// The same with `secure_tcp` (`tcp_states_dos`): a client that has sent no more than SYNs keeps
/// its connection half-open, where floods are looked for.
#[inline(always)]
pub fn next_secure(state: State, flags: u8, from: From) -> State {
    let row = match from {
        From::ClientAlone => row(flags, &SECURE_CLIENT_ALONE),
        From::Client => row(flags, &SECURE_CLIENT),
        From::Server => row(flags, &SECURE_SERVER),
    };
    step(state, row)
}

/// The state that a connection begins with.
#[inline(always)]
pub(crate) fn first(flags: u8, from: From, is_secure: bool) -> State {
    let first = next(State::None, flags, from);
    let is_alone = from as u8 == From::ClientAlone as u8;
    match is_secure && is_alone && first as u8 == State::SynRecv as u8 {
        true => State::SynAck,
        false => first,
    }
}

/// Whether a packet leaves the state as it is, `next` being what [`next`] says, with `secure_tcp` or
/// without: a server's SYN is the only packet that moves a state by that alone.
#[inline(always)]
pub(crate) fn stays(state: State, next: State, flags: u8) -> bool {
    next as u8 == state as u8 && flags & SYN == 0
}

#[inline(always)]
fn step(state: State, row: u64) -> State {
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
    SynAck as SA, SynRecv as SR, SynSent as SS, TimeWait as TW,
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
const SECURE_CLIENT_ALONE: Rows = Rows {
    syn: packed([SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA]),
    ..CLIENT_ALONE
};
const SECURE_CLIENT: Rows = Rows {
    syn: packed([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA]),
    fin: packed([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA]),
    ack: packed([ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA]),
    rst: packed([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]),
};
const SECURE_SERVER: Rows = Rows {
    syn: packed([SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA]),
    ..SERVER
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
    use State::None as NO;

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
    fn every_state_and_flag_with_secure_tcp() {
        let after = |flags, from| BEFORE.map(|state| next_secure(state, flags, from));
        let alone = |flags| after(flags, From::ClientAlone);
        assert_eq!(alone(SYN), [SA, ES, ES, SR, SA, SA, SA, SA, SA, SA, SA]);
        assert_eq!(alone(FIN), [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
        assert_eq!(alone(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
        assert_eq!(alone(RST), [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
        let client = |flags| after(flags, From::Client);
        assert_eq!(client(SYN), [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SA]);
        assert_eq!(client(FIN), [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, SA]);
        assert_eq!(client(ACK), [ES, ES, SS, SR, FW, TW, CL, CW, CL, LI, SA]);
        assert_eq!(client(RST), [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
        let server = |flags| after(flags, From::Server);
        assert_eq!(server(SYN), [SS, ES, SS, SA, SS, SS, SS, SS, SS, LI, SA]);
        assert_eq!(server(FIN), [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]);
        assert_eq!(server(ACK), [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]);
        assert_eq!(server(RST), [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]);
        assert_eq!(
            (alone(0), client(0), server(0)),
            ([CL; 11], [CL; 11], [CL; 11])
        );
    }

    /// The short ways past the table of `secure_tcp` say what it says.
    #[test]
    fn what_stays_stays_with_secure_tcp_too() {
        for from in [From::ClientAlone, From::Client, From::Server] {
            for flags in 0..=u8::MAX {
                for state in BEFORE {
                    let (usual, secure) =
                        (next(state, flags, from), next_secure(state, flags, from));
                    if stays(state, usual, flags) {
                        assert_eq!(secure, state, "{flags:#x} from {from:?}");
                    }
                }
                if from != From::Server {
                    let secure = next_secure(NO, flags, from);
                    assert_eq!(first(flags, from, true), secure, "{flags:#x} from {from:?}");
                }
                assert_eq!(first(flags, from, false), next(NO, flags, from));
            }
        }
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
