//! The ways in which a program sits on an interface.

use aya::util::KernelVersion;

/// How the program sits on an interface.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mode {
    /// XDP in the driver.
    Native,
    /// XDP in the kernel's general receive path.
    Generic,
    /// In traffic control, where packets are as the stack has them.
    Tc,
}

/// Whether XDP redirects frames that lie in several pieces: since Linux 6.3
/// (net/core/filter.c, `xdp_do_redirect`).
pub fn redirects_pieces() -> bool {
    KernelVersion::current().is_ok_and(|kernel| kernel >= KernelVersion::new(6, 3, 0))
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Native, Self::Generic, Self::Tc];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tc => "tc",
        }
    }

    /// Whether the kernel takes but one of both on an interface.
    pub(crate) fn excludes(self, other: Self) -> bool {
        self != other && self != Self::Tc && other != Self::Tc
    }
}

/// What a program is on an interface for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// It balances what the interface receives.
    Balance(Mode),
    /// Behind XDP it hands answers that are for this host to its stack.
    Answers,
    /// It gives what the stack of this host answers the virtual address.
    Leaving,
    /// It balances what the interface is handed for its firewall mark.
    Marked,
}

impl Role {
    pub(crate) const ALL: [Self; 6] = [
        Self::Balance(Mode::Native),
        Self::Balance(Mode::Generic),
        Self::Balance(Mode::Tc),
        Self::Answers,
        Self::Leaving,
        Self::Marked,
    ];

    /// Of its pin.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Balance(mode) => mode.name(),
            Self::Answers => "answers",
            Self::Leaving => "leaving",
            Self::Marked => "marked",
        }
    }
}
