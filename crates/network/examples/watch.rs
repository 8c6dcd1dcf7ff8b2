//! Follows addresses and prints what changes, until Ctrl-C:
//! `cargo run -p rlvs-network --example watch -- 192.0.2.1 2001:db8::1`

use std::collections::HashSet;
use std::error::Error;
use std::net::IpAddr;

use rlvs_network::{Event, Network};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let addresses: Result<HashSet<IpAddr>, _> =
        std::env::args().skip(1).map(|a| a.parse()).collect();
    let (network, mut events) = Network::start()?;
    network.watch(addresses?);
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                network.release().await;
                return Ok(());
            }
            event = events.recv() => print(event.ok_or("the kernel cannot be followed")?),
        }
    }
}

fn print(event: Event) {
    match event {
        Event::Links(links) => links.iter().for_each(|link| println!("{link:?}")),
        Event::NextHop {
            address,
            hop: Ok(hop),
        } => println!("{address}: {hop:?}"),
        Event::NextHop {
            address,
            hop: Err(reason),
        } => println!("{address}: {reason}"),
    }
}
