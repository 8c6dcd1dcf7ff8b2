//! A connection's flags (include/uapi/linux/ip_vs.h).

/// What a record says of a connection beside its state, and how its packets are forwarded.
///
/// Masters of Linux send bits that concern only themselves, too: [`Flags::taken`] leaves them out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u32);

impl Flags {
    /// Answers do not pass the director.
    pub const NO_OUTPUT: Self = Self(0x80);
    /// The destination counts it as inactive.
    pub const INACTIVE: Self = Self(0x100);
    /// Sequence numbers of answers have moved.
    pub const OUT_SEQUENCE: Self = Self(0x200);
    /// Sequence numbers of the client's packets have moved.
    pub const IN_SEQUENCE: Self = Self(0x400);
    /// The client's port is not known yet (FTP).
    pub const NO_CLIENT_PORT: Self = Self(0x800);
    pub const TEMPLATE: Self = Self(0x1000);
    /// It ended with the packet that began it.
    pub const ONE_PACKET: Self = Self(0x2000);

    /// Either of them: there are [`Sequences`](crate::Sequences).
    pub const SEQUENCES: Self = Self(Self::OUT_SEQUENCE.0 | Self::IN_SEQUENCE.0);

    const FORWARDING: u32 = 7;
    /// What a backup takes of a connection that is new to it (`IP_VS_CONN_F_BACKUP_MASK`).
    const TAKEN: u32 = Self::FORWARDING
        | Self::NO_OUTPUT.0
        | Self::INACTIVE.0
        | Self::SEQUENCES.0
        | Self::NO_CLIENT_PORT.0
        | Self::TEMPLATE.0;

    /// Whether any of these is set.
    pub const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    #[must_use]
    pub const fn forwarded(self, by: Forwarding) -> Self {
        Self(self.0 & !Self::FORWARDING | by as u32)
    }

    /// `None` for numbers that IPVS has no method for: it lets such packets pass.
    pub const fn forwarding(self) -> Option<Forwarding> {
        match self.0 & Self::FORWARDING {
            0 => Some(Forwarding::Masquerade),
            1 => Some(Forwarding::Local),
            2 => Some(Forwarding::Tunnel),
            3 => Some(Forwarding::DirectRoute),
            4 => Some(Forwarding::Bypass),
            _ => None,
        }
    }

    /// What a backup takes of them.
    #[must_use]
    pub const fn taken(self) -> Self {
        Self(self.0 & Self::TAKEN)
    }

    /// These, after another record of the same connection: only its activity, and whether sequence
    /// numbers have moved, may change (`IP_VS_CONN_F_BACKUP_UPD_MASK`).
    #[must_use]
    pub const fn updated(self, later: Self) -> Self {
        const CHANGES: u32 = Flags::INACTIVE.0 | Flags::SEQUENCES.0;
        Self(self.0 & !CHANGES | later.0 & CHANGES)
    }
}

/// How packets get to the real server, numbered as in [`Flags`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Forwarding {
    Masquerade = 0,
    Local = 1,
    Tunnel = 2,
    DirectRoute = 3,
    Bypass = 4,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_survive_their_bits() {
        for number in 0..8 {
            let found = Flags(number).forwarding();
            assert_eq!(found.is_some(), number < 5);
            if let Some(method) = found {
                assert_eq!(Flags(0xffff_ffff).forwarded(method).0 & 7, number);
            }
        }
    }

    #[test]
    fn backups_take_no_more_than_the_kernel() {
        assert_eq!(Flags(u32::MAX).taken(), Flags(0x1f87));
        let (all, none) = (Flags(u32::MAX).taken(), Flags(0));
        assert_eq!(none.updated(all), Flags(0x700));
        assert_eq!(all.updated(none), Flags(0x1887));
    }
}
