//! What a director of this network namespace has pinned, which outlives its daemon.

use std::fs;
use std::path::PathBuf;

use rlvs_network::namespace;
use rlvs_plane::bpffs;

/// Whether anything is.
pub(super) fn is_any() -> bool {
    directories().next().is_some()
}

/// Whether its program is on the interface of this index.
pub(super) fn is_on(index: u32) -> bool {
    let of_interface = |name: &str| name.split_once('-').map(|(index, _)| index.parse());
    let links = directories().filter_map(|it| fs::read_dir(it.join("links")).ok());
    links.flatten().flatten().any(|link| {
        let name = link.file_name();
        name.to_str().and_then(of_interface) == Some(Ok(index))
    })
}

fn directories() -> impl Iterator<Item = PathBuf> {
    let cookie = namespace::cookie().ok();
    cookie.into_iter().flat_map(bpffs::directories)
}
