//! How packets reach their destination; one file a forwarding method.

mod direct_route;

pub use direct_route::direct_route;
