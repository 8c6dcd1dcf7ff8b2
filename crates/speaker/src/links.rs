//! Interfaces and their addresses, as the kernel tells of them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use rlvs_host::Error;
use rlvs_host::address::{self, Interface};
use rtnetlink::MulticastGroup;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::gone::Gone;

const GROUPS: [MulticastGroup; 3] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
];
/// How often they are looked at though nothing was told: news may be lost.
const PERIOD: Duration = Duration::from_secs(5);

/// All interfaces; None before the first look.
pub(crate) type Interfaces = Option<Arc<Vec<Interface>>>;

/// Keeps `interfaces` up to date, until nobody looks any more.
/// News are told to `goes`, too, also those after which all is as it was.
pub(crate) async fn follow(interfaces: watch::Sender<Interfaces>, goes: UnboundedSender<Gone>) {
    while !interfaces.is_closed() {
        if let Err(error) = follow_once(&interfaces, &goes).await {
            tracing::warn!(%error, "VRRP does not know the interfaces");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn follow_once(
    interfaces: &watch::Sender<Interfaces>,
    goes: &UnboundedSender<Gone>,
) -> Result<(), Error> {
    let opened = rtnetlink::new_multicast_connection(&GROUPS);
    let (listener, _, mut news) =
        opened.map_err(|error| Error::io("opening a netlink socket", error))?;
    let listener = tokio::spawn(listener);
    let handle = address::connect()?;
    while !interfaces.is_closed() && !listener.is_finished() {
        let now = Arc::new(address::interfaces(&handle).await?);
        interfaces.send_if_modified(|before| {
            let is_another = before.as_ref() != Some(&now);
            *before = Some(now);
            is_another
        });
        if let Ok(Some(_)) = timeout(PERIOD, news.next()).await {
            // Who listened ends before this does.
            let _ = goes.send(Gone::Below);
        }
        // All that was told meanwhile is seen by one look.
        while let Ok(Some(_)) = timeout(Duration::ZERO, news.next()).await {}
    }
    listener.abort();
    Ok(())
}
