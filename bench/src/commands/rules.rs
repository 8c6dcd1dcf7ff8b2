//! Services with destinations, as a file for `-R`.

use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

/// The file, in the machine's memory.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) file: PathBuf,
    services: u32,
    destinations: u32,
}

impl Rules {
    pub(super) fn new(services: u32, destinations: u32) -> Result<Self> {
        let file = PathBuf::from("/tmp/bench-rules");
        let mut text = String::new();
        for service in 0..services {
            let [_, _, high, low] = service.to_be_bytes();
            let key = format!("192.168.{high}.{low}:80");
            writeln!(text, "-A -t {key} -s wlc")?;
            for destination in 0..destinations {
                writeln!(
                    text,
                    "-a -t {key} -r 10.{}.{high}.{low}:80 -g -w 1",
                    destination + 1
                )?;
            }
        }
        fs::write(&file, text)?;
        Ok(Self {
            file,
            services,
            destinations,
        })
    }

    pub(super) fn services(&self) -> u32 {
        self.services
    }

    /// Of all services.
    pub(super) fn destinations(&self) -> u32 {
        self.services * self.destinations
    }

    /// Lines of the file, and of a listing less its header.
    pub(super) fn lines(&self) -> usize {
        (self.services + self.destinations()) as usize
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} services x {}", self.services, self.destinations)
    }
}
