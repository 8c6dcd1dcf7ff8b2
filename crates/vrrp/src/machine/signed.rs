//! What is signed, and which signatures are taken.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use crate::packet::{Datagram, Sequence, Signature, Trailer};
use crate::signing::{Freshness, Mode, Signing};

/// Senders whose last sequence is known. More than the directors of one site would need a key, too.
const SENDERS: usize = 16;

/// What a virtual router knows of sequences.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequences {
    /// The last one that was sent.
    sent: Option<Sequence>,
    /// The last one of each sender, the latest last.
    heard: Vec<(IpAddr, Sequence)>,
    /// How many were heard.
    count: u32,
}

/// Why what an advertisement is signed with does not count.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unsigned {
    Missing,
    /// It is signed, and nothing is here.
    Unexpected,
    /// It is laid out in another way.
    Form,
    /// There is no key with this number.
    Key(u8),
    /// Another key, or it was changed on the way.
    Value,
    /// It was signed so many seconds ago.
    Stale(i32),
    /// It, or a later one, was there before.
    Replayed,
}

impl Sequences {
    /// What to sign the next advertisement with at this time of day.
    pub(super) fn sign<'s>(
        &mut self,
        signing: &'s Signing,
        time: Duration,
    ) -> Option<Signature<'s>> {
        if signing.mode == Mode::ReceiveOnly {
            return None;
        }
        let key = signing.key(signing.active)?;
        let now = Sequence::at(time);
        let sequence = match self.sent {
            // A clock that was set back far: nobody would hear what is so far ahead.
            Some(last) if !now.is_after(last) && !signing.is_outside(last, time) => last.next(),
            _ => now,
        };
        self.sent = Some(sequence);
        Some(Signature { key, sequence })
    }

    /// Whether this may be heard; the sequence to [`Sequences::note`] if it is.
    pub(super) fn check(
        &self,
        signing: Option<&Signing>,
        datagram: &Datagram,
        trailer: Option<&Trailer>,
        time: Duration,
    ) -> Result<Option<Sequence>, Unsigned> {
        let (signing, trailer) = match (signing, trailer) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(Unsigned::Unexpected),
            (Some(signing), None) if signing.mode == Mode::Enforce => {
                return Err(Unsigned::Missing);
            }
            (Some(_), None) => return Ok(None),
            (Some(signing), Some(trailer)) => (signing, trailer),
        };
        if !trailer.is_known() {
            return Err(Unsigned::Form);
        }
        let sequence = trailer.sequence();
        // Before the key: what is sent again costs no digest.
        if signing.is_outside(sequence, time) {
            return Err(Unsigned::Stale(sequence.age(time)));
        }
        let key = signing.key(trailer.key);
        let key = key.ok_or(Unsigned::Key(trailer.key))?;
        if !datagram.is_signed_with(trailer, key) {
            return Err(Unsigned::Value);
        }
        let mut heard = self.heard.iter();
        let last = heard.find(|(sender, _)| *sender == datagram.source);
        match last {
            Some((_, last)) if !sequence.is_after(*last) && !signing.is_outside(*last, time) => {
                Err(Unsigned::Replayed)
            }
            _ => Ok(Some(sequence)),
        }
    }

    /// The last one of each sender, and how many were heard in all.
    pub(super) fn heard(&self) -> (&[(IpAddr, Sequence)], u32) {
        (&self.heard, self.count)
    }

    /// These were heard before.
    pub(super) fn remember(&mut self, heard: &[(IpAddr, Sequence)]) {
        for (sender, sequence) in heard {
            self.note(*sender, *sequence);
        }
    }

    pub(super) fn note(&mut self, sender: IpAddr, sequence: Sequence) {
        self.count = self.count.wrapping_add(1);
        self.heard.retain(|(it, _)| *it != sender);
        if self.heard.len() == SENDERS {
            self.heard.remove(0);
        }
        self.heard.push((sender, sequence));
    }
}

impl Signing {
    /// Whether something was signed too long before, or too far ahead of, a time of day.
    fn is_outside(&self, sequence: Sequence, time: Duration) -> bool {
        match self.freshness {
            Freshness::Growing => false,
            Freshness::Window(window) => {
                u64::from(sequence.age(time).unsigned_abs()) > window.as_secs()
            }
        }
    }
}

impl Unsigned {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Missing => "hmac-missing",
            Self::Unexpected => "hmac-unexpected",
            Self::Form => "hmac-form",
            Self::Key(_) => "hmac-key",
            Self::Value => "hmac-value",
            Self::Stale(_) => "hmac-stale",
            Self::Replayed => "hmac-replayed",
        }
    }
}

impl fmt::Display for Unsigned {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("it is not signed: set the same auth_hmac on all"),
            Self::Unexpected => formatter.write_str("it is signed: set the same auth_hmac on all"),
            Self::Form => formatter.write_str("it is signed in a way that is not known here"),
            Self::Key(id) => write!(
                formatter,
                "it is signed with key {id}, which there is not: set the same keys on all"
            ),
            Self::Value => {
                formatter.write_str("it is signed with another key of that number, or was changed")
            }
            Self::Stale(seconds) if *seconds < 0 => write!(
                formatter,
                "it was signed {} seconds ahead: are all clocks right? See time_window",
                seconds.unsigned_abs()
            ),
            Self::Stale(seconds) => write!(
                formatter,
                "it was signed {seconds} seconds ago: are all clocks right? See time_window"
            ),
            Self::Replayed => formatter.write_str("it was there before"),
        }
    }
}
