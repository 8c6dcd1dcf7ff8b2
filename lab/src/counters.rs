//! What went through an interface, as its driver counts.

use anyhow::{Context, Result};

use crate::host::Host;

/// Packets and bytes of one interface since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub received_packets: u64,
    pub received_bytes: u64,
    pub sent_packets: u64,
    pub sent_bytes: u64,
}

impl Counters {
    /// Now, of `interface` on `host`.
    pub fn read(host: &Host, interface: &str) -> Result<Self> {
        // /proc/net belongs to the namespace of who reads it, other than /sys.
        let table = host.run("cat", ["/proc/thread-self/net/dev"])?;
        parse(&table, interface).with_context(|| format!("no counters of {interface}"))
    }

    /// What came since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            received_packets: self.received_packets - earlier.received_packets,
            received_bytes: self.received_bytes - earlier.received_bytes,
            sent_packets: self.sent_packets - earlier.sent_packets,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
        }
    }
}

/// Eight numbers for what was received follow the name, then eight for what was sent.
fn parse(table: &str, interface: &str) -> Option<Counters> {
    let line = table.lines().find_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        (name.trim() == interface).then_some(numbers)
    })?;
    let numbers: Vec<u64> = line
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    Some(Counters {
        received_bytes: *numbers.first()?,
        received_packets: *numbers.get(1)?,
        sent_bytes: *numbers.get(8)?,
        sent_packets: *numbers.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_column() {
        let table = "Inter-|   Receive\n face |bytes\n    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n  \
                     eth0:  70 7 0 0 0 0 0 0 90 9 0 0 0 0 0 0\n";
        let counters = parse(table, "eth0").unwrap();
        assert_eq!(
            (counters.received_bytes, counters.received_packets),
            (70, 7)
        );
        assert_eq!((counters.sent_bytes, counters.sent_packets), (90, 9));
        assert_eq!(parse(table, "eth1"), None);
    }
}
