//! States of connections, with IPVS's numbers (include/net/ip_vs.h).

use rlvs_wire::protocol::{SCTP, TCP, UDP};

use crate::reason::Reason;

/// The state of a connection or template.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// A template; none of its connections was ever established.
    Template,
    /// One of them was.
    Assured,
    /// UDP has no other.
    Udp,
    Tcp(Tcp),
    Sctp(Sctp),
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident: $($state:ident),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum $name {
            $($state,)*
        }

        impl $name {
            /// In the order of their numbers, from 0 on.
            pub const ALL: &[Self] = &[$(Self::$state,)*];

            fn numbered(number: u16) -> Result<Self, Reason> {
                let state = Self::ALL.get(usize::from(number)).copied();
                state.ok_or(Reason::State(number))
            }
        }
    };
}

numbered! {
    /// States of TCP.
    Tcp: None, Established, SynSent, SynRecv, FinWait, TimeWait, Close, CloseWait, LastAck, Listen,
    SynAck
}

numbered! {
    /// States of SCTP.
    Sctp: None, Init1, Init, CookieSent, CookieReplied, CookieWait, Cookie, CookieEchoed,
    Established, ShutdownSent, ShutdownReceived, ShutdownAckSent, Rejected, Closed
}

impl State {
    /// An error if templates have no such state.
    pub const fn of_template(number: u16) -> Result<Self, Reason> {
        match number {
            0 => Ok(Self::Template),
            1 => Ok(Self::Assured),
            _ => Err(Reason::State(number)),
        }
    }

    /// An error if there are no connections of this protocol, or it has no such state. IPVS would
    /// also take AH and ESP, of which it has no connections: no packet finds what it makes then.
    pub fn of_connection(protocol: u8, number: u16) -> Result<Self, Reason> {
        match protocol {
            TCP => Tcp::numbered(number).map(Self::Tcp),
            SCTP => Sctp::numbered(number).map(Self::Sctp),
            UDP if number == 0 => Ok(Self::Udp),
            UDP => Err(Reason::State(number)),
            _ => Err(Reason::Protocol(protocol)),
        }
    }

    pub const fn number(self) -> u16 {
        match self {
            Self::Template | Self::Udp => 0,
            Self::Assured => 1,
            Self::Tcp(state) => state as u16,
            Self::Sctp(state) => state as u16,
        }
    }

    pub const fn is_template(self) -> bool {
        matches!(self, Self::Template | Self::Assured)
    }

    /// Whether the two sides have agreed, or need not.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Template
                | Self::Assured
                | Self::Udp
                | Self::Tcp(Tcp::Established)
                | Self::Sctp(Sctp::Established)
        )
    }

    /// Whether one side has ended it, and backups are to know.
    pub const fn is_closing(self) -> bool {
        matches!(
            self,
            Self::Tcp(Tcp::FinWait | Tcp::TimeWait | Tcp::Close | Tcp::CloseWait)
                | Self::Sctp(
                    Sctp::ShutdownSent
                        | Sctp::ShutdownReceived
                        | Sctp::ShutdownAckSent
                        | Sctp::Closed
                )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_their_numbers() {
        for (protocol, count) in [(TCP, 11), (SCTP, 14), (UDP, 1)] {
            for number in 0..count {
                let state = State::of_connection(protocol, number).unwrap();
                assert_eq!(state.number(), number, "{protocol}");
                assert!(!state.is_template());
            }
            let beyond = State::of_connection(protocol, count);
            assert_eq!(beyond, Err(Reason::State(count)), "{protocol}");
        }
        for protocol in [0, 1, 50, 51, 255] {
            let none = State::of_connection(protocol, 0);
            assert_eq!(none, Err(Reason::Protocol(protocol)));
        }
        assert_eq!(State::of_template(0), Ok(State::Template));
        assert_eq!(State::of_template(1), Ok(State::Assured));
        assert_eq!(State::of_template(2), Err(Reason::State(2)));
    }

    #[test]
    fn numbers_are_ipvs_s() {
        assert_eq!(Tcp::Established as u8, 1);
        assert_eq!(Tcp::TimeWait as u8, 5);
        assert_eq!(Tcp::SynAck as u8, 10);
        assert_eq!(Sctp::Established as u8, 8);
        assert_eq!(Sctp::Closed as u8, 13);
    }
}
