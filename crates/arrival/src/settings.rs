//! Which tunnels end here, as one word that user space writes and the packet path reads.

/// The port of GUE that IANA knows.
pub const GUE_PORT: u16 = 6080;

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Kind {
    Ipip = 0,
    Gre = 1,
    Gue = 2,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Settings(pub u64);

const PORT: u32 = 16;

impl Settings {
    pub fn new(kinds: impl IntoIterator<Item = Kind>, gue_port: u16) -> Self {
        let kinds = kinds.into_iter().fold(0, |word, kind| word | bit(kind));
        Self(kinds | (gue_port as u64) << PORT)
    }

    #[inline(always)]
    pub fn has(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    #[inline(always)]
    pub fn gue_port(self) -> u16 {
        (self.0 >> PORT) as u16
    }
}

#[inline(always)]
const fn bit(kind: Kind) -> u64 {
    1 << kind as u8
}
