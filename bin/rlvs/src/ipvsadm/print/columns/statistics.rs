//! Totals (`--stats`) and rates (`--rate`).
//!
//! Of a destination, `ipvsadm` keeps the low 32 bits of most numbers and prints some rates in full
//! even without `--exact`; so they are here.

use rlvs_control::listing::Statistics;

use crate::ipvsadm::units;

pub(in super::super) const STATISTICS: &str = "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
";

pub(in super::super) const RATES: &str = "\
Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS
  -> RemoteAddress:Port
";

pub(in super::super) fn service_statistics(of: &Statistics, exact: bool) -> String {
    let Statistics {
        connections,
        packets_in,
        packets_out,
        bytes_in,
        bytes_out,
        ..
    } = *of;
    columns(
        [connections, packets_in, packets_out, bytes_in, bytes_out],
        exact,
    )
}

pub(in super::super) fn statistics(of: &Statistics, exact: bool) -> String {
    service_statistics(
        &Statistics {
            connections: low(of.connections),
            packets_in: low(of.packets_in),
            packets_out: low(of.packets_out),
            ..*of
        },
        exact,
    )
}

pub(in super::super) fn service_rates(of: &Statistics, exact: bool) -> String {
    columns(
        [
            of.connections_rate,
            of.packets_in_rate,
            of.packets_out_rate,
            of.bytes_in_rate,
            of.bytes_out_rate,
        ],
        exact,
    )
}

pub(in super::super) fn rates(of: &Statistics, exact: bool) -> String {
    let counts = [of.connections_rate, of.packets_in_rate, of.packets_out_rate].map(low);
    columns(counts, true) + &columns([of.bytes_in_rate, of.bytes_out_rate].map(low), exact)
}

fn columns<const N: usize>(values: [u64; N], exact: bool) -> String {
    let text = |value: u64| {
        if exact {
            value.to_string()
        } else {
            units::short(value)
        }
    };
    values.map(|value| format!(" {:>8}", text(value))).concat()
}

fn low(value: u64) -> u64 {
    value & u64::from(u32::MAX)
}
