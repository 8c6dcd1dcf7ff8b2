//! From a file of any kind to a site.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rlvs_config::problem::Problems;
use rlvs_config::source::Sources;
use rlvs_config::{Failure, Reading, keepalived, ldirectord, of_changes, written};

use super::names::HostNames;
use super::{Format, Source};
use crate::ipvsadm::{Script, SystemNames};

/// What is in it, or what is wrong with it.
pub(super) fn read(source: &Source) -> Result<Result<Reading, Failure>> {
    let path = &source.file;
    let text = text(path)?;
    let format = match source.format {
        Some(format) => format.into(),
        None => rlvs_config::Format::guess(path, &text),
    };
    Ok(match format {
        rlvs_config::Format::Toml => written::read(path, text),
        rlvs_config::Format::Keepalived => keepalived::read(path, text, &options(source)),
        rlvs_config::Format::Ldirectord => ldirectord::read(path, text, &HostNames::default()),
        rlvs_config::Format::Ipvsadm => Ok(rules(&text)?),
    })
}

fn text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn options(source: &Source) -> keepalived::Options {
    // Without a name, no line after `@` is meant.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_owned();
    let short = host.split('.').next().unwrap_or_default().to_owned();
    keepalived::Options {
        config_id: source.config_id.clone().unwrap_or(short),
        instance: source.config_id.clone().unwrap_or(host),
        random: std::process::id().into(),
    }
}

/// The rules of ipvsadm-save.
fn rules(text: &str) -> Result<Reading> {
    let script = match Script::read(&mut text.as_bytes(), &SystemNames::default()) {
        Ok(script) => script,
        Err(message) => bail!(message),
    };
    let site =
        of_changes(&script.changes).map_err(|error| anyhow::anyhow!(script.blame(&error)))?;
    Ok(Reading {
        site,
        warnings: Problems::default(),
        sources: Sources::default(),
    })
}

impl From<Format> for rlvs_config::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Toml => Self::Toml,
            Format::Keepalived => Self::Keepalived,
            Format::Ldirectord => Self::Ldirectord,
            Format::Ipvsadm => Self::Ipvsadm,
        }
    }
}
