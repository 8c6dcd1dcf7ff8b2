//! Why something that came is not used.

use thiserror::Error;

/// Why a datagram, the rest of one, or a record in it is not used.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Reason {
    #[error("this director sent it")]
    Own,
    #[error("its sender is none of the peers")]
    Stranger,
    #[error("it is of syncid {0}")]
    OtherId(u8),
    #[error("{0} bytes have no room for a head")]
    Short(usize),
    #[error("it says that it has {said} bytes, and has {length}")]
    Length { said: u16, length: usize },
    #[error("it is of version {0}, which is unknown")]
    Version(u8),

    #[error("a record is cut off")]
    Truncated,
    #[error("a record says that it has {0} bytes, which reach beyond the datagram")]
    Beyond(u16),
    #[error("a record of {0} bytes has no room for its addresses")]
    Small(u16),
    #[error("a record is of version {0}, which is unknown")]
    RecordVersion(u8),
    #[error("a record is of type {0}, which is unknown")]
    Type(u8),
    #[error("a parameter is cut off")]
    ParameterTruncated,
    #[error("a parameter of type {0} is empty or reaches beyond its record")]
    ParameterLength(u8),
    #[error("a parameter of type {0} comes twice")]
    ParameterTwice(u8),
    #[error("sequence numbers in {0} bytes")]
    Sequences(u8),
    #[error("a local end of full NAT in {0} bytes")]
    LocalEnd(u8),
    #[error("a destination of the other IP version in {0} bytes")]
    Across(u8),
    #[error("the persistence engine's name has {0} bytes")]
    EngineName(u8),

    #[error("a parameter of type {0} is unknown, and must not be")]
    Parameter(u8),
    #[error("persistence data without the name of an engine")]
    NoEngine,
    #[error("there is no persistence engine of that name here")]
    UnknownEngine,
    #[error("there are no connections of protocol {0}")]
    Protocol(u8),
    #[error("state {0} is none of its protocol's or of templates")]
    State(u16),
    #[error("a connection of one packet is over")]
    OnePacket,
}

/// What is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// All of it.
    Datagram,
    /// What came before was used; where the next record would begin is not known, or not believed.
    Rest,
    /// What comes after it is used.
    Record,
}

impl Reason {
    /// Name in status and metrics.
    pub const fn name(self) -> &'static str {
        self.named().1
    }

    pub const fn scope(self) -> Scope {
        self.named().0
    }

    const fn named(self) -> (Scope, &'static str) {
        use Scope::{Datagram, Record, Rest};
        match self {
            Self::Own => (Datagram, "own"),
            Self::Stranger => (Datagram, "stranger"),
            Self::OtherId(_) => (Datagram, "other-syncid"),
            Self::Short(_) => (Datagram, "too-short"),
            Self::Length { .. } => (Datagram, "wrong-length"),
            Self::Version(_) => (Datagram, "unknown-version"),
            Self::Truncated => (Rest, "truncated"),
            Self::Beyond(_) => (Rest, "record-beyond-end"),
            Self::Small(_) => (Rest, "record-too-small"),
            Self::RecordVersion(_) => (Rest, "unknown-record-version"),
            Self::Type(_) => (Rest, "unknown-record-type"),
            Self::ParameterTruncated => (Rest, "parameter-truncated"),
            Self::ParameterLength(_) => (Rest, "parameter-length"),
            Self::ParameterTwice(_) => (Rest, "parameter-twice"),
            Self::Sequences(_) => (Rest, "sequences-length"),
            Self::EngineName(_) => (Rest, "engine-name-length"),
            Self::Parameter(_) => (Record, "unknown-parameter"),
            Self::LocalEnd(_) => (Record, "local-end-length"),
            Self::Across(_) => (Record, "other-version-length"),
            Self::NoEngine => (Record, "engine-data-without-name"),
            Self::UnknownEngine => (Record, "unknown-engine"),
            Self::Protocol(_) => (Record, "unknown-protocol"),
            Self::State(_) => (Record, "unknown-state"),
            Self::OnePacket => (Record, "one-packet"),
        }
    }
}
