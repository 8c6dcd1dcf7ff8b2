//! A real server of one service.

use crate::spec::ServerPolicy;

use super::{Adjust, ServerState, Standing};

/// The largest weight that IPVS takes.
const MAX_WEIGHT: i64 = i32::MAX as i64;

/// A real server: what its checks say of it.
#[derive(Clone, Debug)]
pub struct Server {
    weight: u32,
    inhibit: bool,
    checks: Vec<Standing>,
    /// It serves; differs from what its checks say while it is kept.
    pub(super) up: bool,
    /// Its checks fail, but it is kept in service (`max_down`).
    pub(super) kept: bool,
}

impl Server {
    /// A real server of which this is known: a standing for each of its checks.
    pub fn new(policy: &ServerPolicy, checks: Vec<Standing>) -> Self {
        let mut server = Self {
            weight: policy.weight,
            inhibit: policy.inhibit_on_failure,
            checks,
            up: false,
            kept: false,
        };
        server.up = server.healthy();
        server
    }

    /// Whether all its checks succeed.
    pub fn healthy(&self) -> bool {
        self.checks.iter().all(|check| check.up)
    }

    /// Whether it serves.
    pub fn up(&self) -> bool {
        self.up
    }

    /// Whether it serves although checks fail, for too many are down already.
    pub fn kept(&self) -> bool {
        self.kept
    }

    pub fn state(&self) -> ServerState {
        ServerState {
            up: self.up,
            kept: self.kept,
        }
    }

    /// The weight that it has while it serves: the configured one, and for each check that is up
    /// what it adds: a file its number; a script the difference of its weight to the configured
    /// one. Not below 0. (keepalived.conf(5), `misc_dynamic` and `FILE_CHECK`.)
    pub fn weight(&self) -> u32 {
        let base = i64::from(self.weight);
        let added = self.checks.iter().filter(|check| check.up);
        let added = added.map(|check| match check.adjust {
            Adjust::Keep => 0,
            Adjust::Set(weight) => i64::from(weight) - base,
            Adjust::Add(number) => i64::from(number),
        });
        (base + added.sum::<i64>()).clamp(0, MAX_WEIGHT) as u32
    }

    /// What is wanted of it while it does not serve: weight 0, or that it is not there.
    pub(super) fn out(&self) -> Option<u32> {
        self.inhibit.then_some(0)
    }

    /// What one of its checks says now; what it said before.
    pub(super) fn hear(&mut self, check: usize, standing: Standing) -> Standing {
        core::mem::replace(&mut self.checks[check], standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(weight: u32, adjust: &[Adjust]) -> Server {
        let policy = ServerPolicy {
            weight,
            inhibit_on_failure: false,
            checks: Vec::new(),
        };
        let standing = |adjust: &Adjust| Standing {
            up: true,
            known: true,
            adjust: *adjust,
            falls: Vec::new(),
        };
        Server::new(&policy, adjust.iter().map(standing).collect())
    }

    #[test]
    fn weights_of_several_sources_add_up() {
        use Adjust::{Add, Keep, Set};
        assert_eq!(server(5, &[Keep]).weight(), 5);
        assert_eq!(server(5, &[Set(8)]).weight(), 8);
        assert_eq!(server(5, &[Set(8), Set(3)]).weight(), 6);
        assert_eq!(server(5, &[Set(8), Add(-4), Keep]).weight(), 4);
        assert_eq!(server(5, &[Add(-9)]).weight(), 0);
        assert_eq!(server(5, &[Add(i32::MAX)]).weight(), i32::MAX as u32);
    }

    #[test]
    fn a_failed_check_adds_nothing() {
        let mut server = server(5, &[Adjust::Add(3), Adjust::Keep]);
        server.hear(
            0,
            Standing {
                adjust: Adjust::Add(3),
                ..Standing::default()
            },
        );
        assert!(!server.healthy());
        assert_eq!(server.weight(), 5);
    }
}
