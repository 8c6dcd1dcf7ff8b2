//! What a backup does.
//!
//! [`Receiver`] says whose datagrams count. Each [`Record`](crate::Record) of one becomes an [`Entry`],
//! if it means something here; [`Entry::meets`] says what becomes of the connection or template that
//! it is about, [`Entry::services`] and [`Entry::destination_ports`] where its destination is looked
//! for, [`Entry::lasts`] how long it lasts from now on. The caller's tables do the rest:
//!
//! * Without a destination here it is kept as it is, and forwarded by [`Entry::forwarding`], in IPVS;
//!   each record of it looks again. With one it is forwarded as that says.
//! * Its packets count from `sync_threshold` on, and its state is taken for told
//!   ([`Told::learned`](crate::sender::Told::learned)): this backup may be the next master.

mod entry;
mod gate;

pub use entry::{Action, Entry, Held, Service};
pub use gate::Receiver;
