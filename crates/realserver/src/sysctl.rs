//! Settings under `/proc/sys/net`: those of the network namespace of the thread that opens them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::Error;
use crate::present::{LOOPBACK, Name, Setting};

/// Reads the settings of `all` and of every interface that has them.
pub(crate) fn read<'a>(
    interfaces: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<Setting, u32>, Error> {
    let places = std::iter::once("all").chain(interfaces);
    let settings = places.flat_map(|place| Name::ALL.map(|name| Setting::new(place, name)));
    let read = settings.map(|setting| Ok(read_one(&setting)?.map(|value| (setting, value))));
    read.filter_map(Result::transpose).collect()
}

pub(crate) fn write(setting: &Setting, value: u32) -> Result<(), Error> {
    let written = fs::write(path(setting), value.to_string());
    written.map_err(|error| Error::io(format!("setting {setting} to {value}"), error))
}

/// Whether IPv6 is off on `lo`, or not in the kernel at all.
pub(crate) fn is_ipv6_off() -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{LOOPBACK}/disable_ipv6");
    fs::read_to_string(path).map_or(true, |text| text.trim() != "0")
}

/// None where there is no such setting: the interface is gone, or too small for IPv4.
fn read_one(setting: &Setting) -> Result<Option<u32>, Error> {
    let failed = |error| Error::io(format!("reading {setting}"), error);
    match fs::read_to_string(path(setting)) {
        Ok(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|error| failed(io::Error::other(error))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn path(setting: &Setting) -> PathBuf {
    let root = PathBuf::from("/proc/sys/net/ipv4/conf");
    root.join(&setting.interface).join(setting.name.as_str())
}
