//! How a virtual router signs, and what it takes from others: keepalived's `auth_hmac`.

use core::fmt;
use core::time::Duration;

use crate::packet::SigningKey;

/// Lengths of a key.
const SHORTEST: usize = 32;
const LONGEST: usize = 64;

/// All directors of a virtual router have the same keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signing {
    /// What others sign with. Several, while one takes another's place.
    pub keys: Vec<SigningKey>,
    /// `active_key`: the number of the one that is signed with here.
    pub active: u8,
    pub freshness: Freshness,
    pub mode: Mode,
}

/// `anti_replay`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// What was signed longer ago, or is so far ahead, is not heard: directors' clocks have to agree.
    Window(Duration),
    /// Each has to be later than the one before.
    Growing,
}

/// `mode`: a site comes from none to all signed by way of the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// What is not signed is not heard.
    #[default]
    Enforce,
    /// What is not signed is heard, too.
    Permissive,
    /// And nothing is signed here.
    ReceiveOnly,
}

impl Signing {
    pub(crate) fn key(&self, id: u8) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    pub(crate) fn check(&self) -> Result<(), WrongSigning> {
        for (place, key) in self.keys.iter().enumerate() {
            let before = &self.keys[..place];
            if key.id == 0 || before.iter().any(|it| it.id == key.id) {
                return Err(WrongSigning::Id(key.id));
            }
            if !(SHORTEST..=LONGEST).contains(&key.bytes.len()) {
                return Err(WrongSigning::Length(key.id, key.bytes.len()));
            }
        }
        match self.key(self.active) {
            None => Err(WrongSigning::Active(self.active)),
            Some(_) => Ok(()),
        }
    }
}

/// Something of a [`Signing`] that cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WrongSigning {
    /// It is 0, or another key's, too.
    Id(u8),
    /// The key with this number has so many bytes.
    Length(u8, usize),
    /// There is no key with this number.
    Active(u8),
}

impl fmt::Display for WrongSigning {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Id(id) => write!(
                formatter,
                "auth_hmac: no key can have the number {id}: give each its own, from 1 to 255"
            ),
            Self::Length(id, bytes) => write!(
                formatter,
                "auth_hmac: key {id} has {bytes} bytes: {SHORTEST} to {LONGEST} it has to be"
            ),
            Self::Active(id) => write!(
                formatter,
                "auth_hmac: there is no key {id} to sign with: set active_key"
            ),
        }
    }
}
