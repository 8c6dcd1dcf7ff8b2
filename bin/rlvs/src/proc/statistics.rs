//! /proc/net/ip_vs_stats and ip_vs_stats_percpu. All numbers are hexadecimal.

use std::io::{self, Write};

use rlvs_control::Overall;
use rlvs_control::listing::Statistics;

pub(super) fn all(overall: &Overall, output: &mut dyn Write) -> io::Result<()> {
    let (totals, rates) = (totals(&overall.statistics), rates(&overall.statistics));
    write!(
        output,
        "   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
{totals}

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
{rates}
"
    )
}

pub(super) fn each_cpu(overall: &Overall, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(
        b"       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes\n",
    )?;
    for (cpu, statistics) in overall.cpus.iter().enumerate() {
        writeln!(output, "{cpu:3X} {}", totals(statistics))?;
    }
    let (totals, rates) = (totals(&overall.statistics), rates(&overall.statistics));
    write!(
        output,
        "  ~ {totals}

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
    {rates}
"
    )
}

fn totals(of: &Statistics) -> String {
    row(
        [of.connections, of.packets_in, of.packets_out],
        [of.bytes_in, of.bytes_out],
    )
}

fn rates(of: &Statistics) -> String {
    row(
        [of.connections_rate, of.packets_in_rate, of.packets_out_rate],
        [of.bytes_in_rate, of.bytes_out_rate],
    )
}

fn row(
    [connections, packets_in, packets_out]: [u64; 3],
    [bytes_in, bytes_out]: [u64; 2],
) -> String {
    format!("{connections:8X} {packets_in:8X} {packets_out:8X} {bytes_in:16X} {bytes_out:16X}")
}
