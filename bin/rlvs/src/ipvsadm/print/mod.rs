//! Listings, to the byte as `ipvsadm` prints them, blanks at the ends of lines included.

mod columns;
mod connections;
mod daemons;
mod local_addresses;
mod name;
mod order;
mod save;
mod services;

pub(super) use connections::ConnectionListing;
pub(super) use daemons::daemons;
pub(super) use local_addresses::local_addresses;
pub(super) use name::Namer;
pub(super) use save::save;
pub(crate) use save::{Kept, server_options, service_options};
pub(super) use services::services;
