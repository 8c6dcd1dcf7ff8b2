//! The states of connections, and how packets move them: what a director sees of a connection in
//! direct routing, the client's packets.

use rlvs_testing::packet::{ACK, FIN, RST, SYN, chunk};

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum State {
    Udp,
    Established,
    SynRecv,
    SynAck,
    FinWait,
    TimeWait,
    Close,
    /// SCTP's from here on.
    Init1,
    Init,
    CookieEchoed,
    Associated,
    ShutdownReceived,
    Closed,
}

/// How long each of them lasts, in seconds.
pub(super) const TIMEOUTS: [(State, u32); 13] = [
    (State::Udp, 300),
    (State::Established, 900),
    (State::SynRecv, 60),
    (State::SynAck, 120),
    (State::FinWait, 120),
    (State::TimeWait, 120),
    (State::Close, 10),
    (State::Init1, 4),
    (State::Init, 61),
    (State::CookieEchoed, 61),
    (State::Associated, 900),
    (State::ShutdownReceived, 61),
    (State::Closed, 61),
];

/// The state after a packet of TCP or UDP with these flags, or of SCTP with this chunk; with
/// `secure_tcp`, or without.
pub(super) fn next(state: State, flags: u8, is_secure: bool) -> State {
    use State::{Close, Established, FinWait, SynAck, SynRecv, TimeWait, Udp};
    let has = |flag| flags & flag != 0;
    match state {
        Udp => Udp,
        _ if is_sctp(state) => associate(state, flags),
        SynRecv if has(RST) => SynRecv,
        _ if has(RST) => Close,
        Established if has(SYN) => Established,
        SynRecv if has(SYN) => SynRecv,
        _ if has(SYN) => opened(SYN, is_secure),
        Established if has(FIN) => FinWait,
        SynRecv | SynAck if has(FIN) => TimeWait,
        SynRecv | SynAck if has(ACK) => Established,
        _ if has(FIN) || has(ACK) => state,
        _ => Close,
    }
}

/// The state that a connection begins with, by the flags of its first segment.
pub(super) fn opened(flags: u8, is_secure: bool) -> State {
    let has = |flag| flags & flag != 0;
    match () {
        () if has(SYN) && is_secure => State::SynAck,
        () if has(SYN) => State::SynRecv,
        () if has(FIN) => State::Close,
        () if has(ACK) => State::Established,
        () => State::Close,
    }
}

/// The same by the first chunk.
pub(super) fn associated(chunk: u8) -> State {
    match chunk {
        chunk::INIT => State::Init1,
        chunk::INIT_ACK => State::CookieEchoed,
        chunk::SHUTDOWN => State::ShutdownReceived,
        chunk::SHUTDOWN_ACK | chunk::SHUTDOWN_COMPLETE | chunk::ERROR => State::Closed,
        _ => State::Associated,
    }
}

/// Whether a packet asks for a new connection in place of one in `state`.
pub(super) fn asks(state: State, flags: u8) -> bool {
    match is_sctp(state) {
        true => flags == chunk::INIT,
        false => flags & SYN != 0,
    }
}

/// The chunk by which a packet is judged.
pub(super) fn meant(first: u8, second: Option<u8>) -> u8 {
    match (first, second) {
        (chunk::COOKIE_ECHO | chunk::COOKIE_ACK, Some(chunk::ABORT)) => chunk::ABORT,
        _ => first,
    }
}

fn is_sctp(state: State) -> bool {
    use State::{Associated, Closed, CookieEchoed, Init, Init1, ShutdownReceived};
    matches!(
        state,
        Init1 | Init | CookieEchoed | Associated | ShutdownReceived | Closed
    )
}

/// The same of SCTP.
fn associate(state: State, chunk: u8) -> State {
    use State::{Associated, Closed, CookieEchoed, Init, Init1, ShutdownReceived};
    match (chunk, state) {
        (chunk::ABORT, _) => Closed,
        (chunk::INIT, Init1 | Closed) => Init,
        (chunk::INIT_ACK, Init1 | Init) => CookieEchoed,
        (chunk::COOKIE_ECHO, Init1 | Init) => Associated,
        (chunk::COOKIE_ACK, CookieEchoed) => Associated,
        (chunk::SHUTDOWN, Associated) => ShutdownReceived,
        (chunk::SHUTDOWN_ACK, Init1) => Init,
        (chunk::SHUTDOWN_ACK, Associated) => Closed,
        (chunk::SHUTDOWN_COMPLETE, Init1 | Init | ShutdownReceived) => Closed,
        _ => state,
    }
}
