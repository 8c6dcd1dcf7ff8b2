//! How a director goes.

use std::fmt;

use anyhow::Result;
use rlvs_lab::TwoDirectors;

/// What happens to the first director, which is master.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The daemon is killed; what it installed in the kernel stays.
    Killed,
    InterfaceDown,
    /// As by a power cut: the daemon is killed, and the machine's link is gone.
    Gone,
    /// `rlvs handover`
    HandedOver,
}

impl Failure {
    pub(super) const ALL: [Self; 4] = [
        Self::HandedOver,
        Self::Killed,
        Self::InterfaceDown,
        Self::Gone,
    ];

    pub(super) fn is_planned(self) -> bool {
        self == Self::HandedOver
    }

    pub(super) fn happen(self, site: &mut TwoDirectors) -> Result<()> {
        let director = &mut site.directors[0];
        match self {
            Self::Killed => director.kill9(),
            Self::InterfaceDown => {
                let words = ["link", "set", "eth0", "down"];
                director.host.run("ip", words).map(drop)
            }
            Self::Gone => {
                let port = site.switch.port(&director.host, "eth0");
                site.switch.host().run("ip", ["link", "delete", &port])?;
                director.kill9()
            }
            Self::HandedOver => director.rlvs("handover").map(drop),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Killed => "the daemon is killed",
            Self::InterfaceDown => "the interface goes down",
            Self::Gone => "the machine is gone",
            Self::HandedOver => "a planned hand-over",
        })
    }
}
