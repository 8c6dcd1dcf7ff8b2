//! A site of keepalived's, as large as the largest that was told of.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Where it lies in the machine.
const FILE: &str = "/tmp/bench-keepalived.conf";

/// The file, and how much is in it. Nobody is at those addresses: few are asked in the time that this
/// takes, and who fails stays, with weight 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) services: u32,
    pub(super) destinations: u32,
}

impl Site {
    /// Writes it; the last destination of the last service has this weight.
    pub(super) fn write(self, weight: u32) -> Result<PathBuf> {
        let mut text = String::from("global_defs {\n    router_id bench\n}\n");
        for service in 0..self.services {
            let address = Self::address(service);
            writeln!(
                text,
                "virtual_server {address} 80 {{\n    delay_loop 86400\n    inhibit_on_failure\n    \
                 lvs_sched wlc\n    lvs_method DR\n    protocol TCP"
            )?;
            let count = self.count(service);
            for number in 1..=count {
                let last = service + 1 == self.services && number == count;
                let weight = if last { weight } else { 1 };
                let [_, _, high, low] = service.to_be_bytes();
                writeln!(
                    text,
                    "    real_server 10.{number}.{high}.{low} 80 {{\n        weight {weight}\n        \
                     TCP_CHECK {{\n            connect_timeout 3\n        }}\n    }}"
                )?;
            }
            text.push_str("}\n");
        }
        fs::write(FILE, text)?;
        Ok(Path::new(FILE).to_owned())
    }

    /// The service whose last destination changes.
    pub(super) fn last(self) -> String {
        format!("{}:80", Self::address(self.services - 1))
    }

    fn address(service: u32) -> String {
        let [_, _, high, low] = service.to_be_bytes();
        format!("192.168.{high}.{low}")
    }

    /// As evenly as it goes.
    pub(super) fn count(self, service: u32) -> u32 {
        let more = service < self.destinations % self.services;
        self.destinations / self.services + u32::from(more)
    }
}
