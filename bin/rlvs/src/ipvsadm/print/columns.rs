//! What a line says of a destination, or of a service, after its name; one room for each listing.

mod persistence;
mod statistics;
mod thresholds;
mod tunnel;
mod usual;

pub(super) use persistence::{PERSISTENCE, persistence};
pub(super) use statistics::{
    RATES, STATISTICS, rates, service_rates, service_statistics, statistics,
};
pub(super) use thresholds::{THRESHOLDS, thresholds};
pub(super) use tunnel::{TUNNELS, tunnel};
pub(super) use usual::{USUAL, usual};
