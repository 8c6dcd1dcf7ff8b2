//! What is at the ingress of interfaces, asked of the kernel.

use futures::TryStreamExt;
use rtnetlink::Handle;

use crate::hook::PRIORITY;

/// Whether our filter is at the ingress of an interface.
pub(crate) async fn has_filter(handle: &Handle, index: u32) -> bool {
    let Ok(index) = i32::try_from(index) else {
        return false;
    };
    let filters = handle.traffic_filter(index).get().ingress().execute();
    let filters: Vec<_> = filters.try_collect().await.unwrap_or_default();
    filters.iter().any(|filter| {
        filter.header.info >> 16 == u32::from(PRIORITY) && filter.header.handle != 0.into()
    })
}
