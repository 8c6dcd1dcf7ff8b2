//! The ways in which a program sits on an interface.

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
