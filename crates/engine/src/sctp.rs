//! SCTP states as IPVS has them (net/netfilter/ipvs/ip_vs_proto_sctp.c).

use rlvs_wire::sctp;

use crate::connection::State;
use crate::tcp::From;

/// What a packet says, told by its first chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Data, acknowledgements, heartbeats, and all that is not known here.
    Data,
    Init,
    InitAck,
    CookieEcho,
    CookieAck,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    Error,
    Abort,
}

impl Event {
    /// What a chunk of this type says.
    #[inline(always)]
    pub const fn of_chunk(kind: u8) -> Self {
        match kind {
            sctp::INIT => Self::Init,
            sctp::INIT_ACK => Self::InitAck,
            sctp::COOKIE_ECHO => Self::CookieEcho,
            sctp::COOKIE_ACK => Self::CookieAck,
            sctp::SHUTDOWN => Self::Shutdown,
            sctp::SHUTDOWN_ACK => Self::ShutdownAck,
            sctp::SHUTDOWN_COMPLETE => Self::ShutdownComplete,
            sctp::ERROR => Self::Error,
            sctp::ABORT => Self::Abort,
            _ => Self::Data,
        }
    }
}

/// The state after a packet that says `event`.
#[inline(always)]
pub fn next(state: State, event: Event, from: From) -> State {
    let row = match from {
        From::ClientAlone => row(event, &CLIENT_ALONE),
        From::Client => row(event, &CLIENT),
        From::Server => row(event, &SERVER),
    };
    let index = (state as u32).wrapping_sub(FIRST as u32) & 15;
    let step = (row >> (index * 4)) & 15;
    State::from_bits((step as u8).wrapping_add(FIRST))
}

/// The first of SCTP's states.
const FIRST: u8 = State::SctpNone as u8;

/// A row for each event.
struct Rows {
    data: u64,
    init: u64,
    init_ack: u64,
    cookie_echo: u64,
    cookie_ack: u64,
    shutdown: u64,
    shutdown_ack: u64,
    shutdown_complete: u64,
    error: u64,
    abort: u64,
}

#[inline(always)]
fn row(event: Event, rows: &Rows) -> u64 {
    match event {
        Event::Data => rows.data,
        Event::Init => rows.init,
        Event::InitAck => rows.init_ack,
        Event::CookieEcho => rows.cookie_echo,
        Event::CookieAck => rows.cookie_ack,
        Event::Shutdown => rows.shutdown,
        Event::ShutdownAck => rows.shutdown_ack,
        Event::ShutdownComplete => rows.shutdown_complete,
        Event::Error => rows.error,
        Event::Abort => rows.abort,
    }
}

use State::{
    Closed as CL, Cookie as CO, CookieEchoed as CE, CookieReplied as CR, CookieSent as CS,
    CookieWait as CW, Init as IN, Init1 as I1, Rejected as RJ, SctpEstablished as ES,
    ShutdownAckSent as SA, ShutdownReceived as SR, ShutdownSent as SS,
};

// State before:                  NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL
const CLIENT_ALONE: Rows = Rows {
    data: packed([ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL]),
    init: packed([I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN]),
    init_ack: packed([CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_echo: packed([ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_ack: packed([ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL]),
    shutdown: packed([SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL]),
    shutdown_ack: packed([CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL]),
    shutdown_complete: packed([CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL]),
    error: packed([CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    abort: packed([CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL]),
};
const CLIENT: Rows = Rows {
    data: packed([ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    init: packed([I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN]),
    init_ack: packed([CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_echo: packed([CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_ack: packed([ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL]),
    shutdown: packed([SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL]),
    shutdown_ack: packed([CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL]),
    shutdown_complete: packed([CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL]),
    error: packed([CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL]),
    abort: packed([CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL]),
};
const SERVER: Rows = Rows {
    data: packed([ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    init: packed([CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW]),
    init_ack: packed([CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_echo: packed([CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL]),
    cookie_ack: packed([ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL]),
    shutdown: packed([SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL]),
    shutdown_ack: packed([SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL]),
    shutdown_complete: packed([CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    error: packed([CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL]),
    abort: packed([CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL]),
};

/// Four bits a state, so that a transition is a shift and no memory is read.
const fn packed(row: [State; 14]) -> u64 {
    let mut word = 0;
    let mut i = 0;
    while i < row.len() {
        word |= (row[i] as u64 - FIRST as u64) << (i * 4);
        i += 1;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::SctpNone as NO;

    const BEFORE: [State; 14] = [NO, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL];

    const EVENTS: [Event; 10] = [
        Event::Data,
        Event::Init,
        Event::InitAck,
        Event::CookieEcho,
        Event::CookieAck,
        Event::Shutdown,
        Event::ShutdownAck,
        Event::ShutdownComplete,
        Event::Error,
        Event::Abort,
    ];

    /// The tables of IPVS again, as they were read there: a letter a state, a line an event.
    fn check(from: From, table: &str) {
        let letter = |state: State| char::from(b"N1isrwkeEDUARC"[state as usize - NO as usize]);
        // A in the middle is "shutdown-ack sent", R "rejected".
        let lines = EVENTS.map(|event| BEFORE.map(|state| letter(next(state, event, from))));
        let mut expected = table.split_whitespace();
        for (event, line) in EVENTS.iter().zip(lines) {
            let expected = expected.next().unwrap();
            assert!(expected.chars().eq(line), "{event:?} {from:?}: {line:?}");
        }
        assert_eq!(expected.next(), None);
    }

    #[test]
    fn every_state_and_event_of_a_client_alone() {
        check(
            From::ClientAlone,
            "E1isrEkeEDUARC
             1iiiiikeEDUAii
             eeeeeekeEDUARC
             EEEEEEkeEDUARC
             E1iEEwEEEDUARC
             U1isrwkeUDUARC
             CiisrwkeCCUCRC
             CCCCCwkeEDCCRC
             C1isrwkeEDUARC
             CCCCCRCCCCCCCC",
        );
    }

    #[test]
    fn every_state_and_event_of_a_client() {
        check(
            From::Client,
            "E1isrwkeEDUARC
             1iisrwkeEDUAii
             wwwsrkkeEDUARC
             riirrwkeEDUARC
             E1isrwkEEDUARC
             U1isrwkeUDUARC
             CiisrwkeECUCRC
             CCCsrwkeEDUCRC
             C1isrwkCEDUARC
             CCCCCRCCCCCCCC",
        );
    }

    #[test]
    fn every_state_and_event_of_a_server() {
        check(
            From::Server,
            "E1isrwkeEDUARC
             wwwwwwwwEwwwww
             ssssrwkeEDUARC
             eeeeeeeeEDUARC
             EEEEEEEEEDUARC
             DDDDDDDDDDUARC
             AAAAAwkeEAAARC
             C1isrwkeEDUARC
             CCCCCwkeEDUARC
             CRCCCCCCCCCCCC",
        );
    }

    #[test]
    fn associations_live_and_end() {
        use Event::*;
        let walks: [&[(Event, From, State)]; 3] = [
            &[
                (Init, From::Client, I1),
                (InitAck, From::Server, CS),
                (CookieEcho, From::Client, CR),
                (CookieAck, From::Server, ES),
                (Data, From::Client, ES),
                (Shutdown, From::Client, SR),
                (ShutdownAck, From::Server, SA),
                (ShutdownComplete, From::Client, CL),
            ],
            &[
                (Init, From::ClientAlone, I1),
                (CookieEcho, From::ClientAlone, ES),
                (Data, From::ClientAlone, ES),
                (Shutdown, From::ClientAlone, SR),
                (ShutdownComplete, From::ClientAlone, CL),
            ],
            // Nobody listens.
            &[(Init, From::Client, I1), (Abort, From::Server, RJ)],
        ];
        for walk in walks {
            let mut state = NO;
            for &(event, from, expected) in walk {
                state = next(state, event, from);
                assert_eq!(state, expected, "{event:?} {from:?}");
            }
        }
    }

    #[test]
    fn chunks_say_what_ipvs_takes_them_for() {
        // DATA, INIT, INIT ACK, SACK, HEARTBEAT and its answer, ABORT, SHUTDOWN and its answer,
        // ERROR, COOKIE ECHO and its answer, ECNE, CWR, SHUTDOWN COMPLETE.
        let expected = [0, 1, 2, 0, 0, 0, 9, 5, 6, 8, 3, 4, 0, 0, 7];
        for kind in 0..=u8::MAX {
            let event = expected.get(usize::from(kind)).copied().unwrap_or(0);
            assert_eq!(Event::of_chunk(kind), EVENTS[event], "chunk {kind}");
        }
    }
}
