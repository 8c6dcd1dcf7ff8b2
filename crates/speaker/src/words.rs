//! Routes and rules in the words of `ip`, which sets them and takes them away.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::note::Thing;

/// How long `ip` may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// When something that is there was set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Added {
    Now,
    /// By somebody else, or by an earlier daemon.
    Before,
}

/// Sets a route or a rule.
pub(crate) async fn add(thing: &Thing) -> Result<Added, String> {
    let Some((object, text)) = parts(thing) else {
        return Ok(Added::Before);
    };
    let output = ip(object, "add", text).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(Added::Now),
        false if !said.contains("File exists") => Err(failed(object, "add", text, said.trim())),
        // Rules are told apart by all of their words, routes are not.
        false if object == "route" && is_another(text).await => {
            let reason = "another route to there is set, which stays";
            Err(failed(object, "add", text, reason))
        }
        false => Ok(Added::Before),
    }
}

/// Takes it away; an error if it may still be there.
pub(crate) async fn delete(thing: &Thing) -> Result<(), String> {
    let Some((object, text)) = parts(thing) else {
        return Ok(());
    };
    let output = ip(object, "del", text).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        tracing::debug!("{}", failed(object, "del", text, said.trim()));
    }
    Ok(())
}

/// Whether what is to there is not what these words say. What `ip` cannot look for may be.
async fn is_another(text: &str) -> bool {
    let shown = ip("route", "show", text).await;
    shown.is_ok_and(|output| output.status.success() && output.stdout.trim_ascii().is_empty())
}

fn parts(thing: &Thing) -> Option<(&'static str, &str)> {
    match thing {
        Thing::Route(text) => Some(("route", text)),
        Thing::Rule(text) => Some(("rule", text)),
        _ => None,
    }
}

async fn ip(object: &str, verb: &str, text: &str) -> Result<Output, String> {
    let words = plain(text);
    let mut command = Command::new("ip");
    command
        .args(is_v6(&words).then_some("-6"))
        .args([object, verb])
        .args(&words)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(failed(object, verb, text, &error.to_string())),
        Err(_) => Err(failed(object, verb, text, "no end")),
    }
}

fn failed(object: &str, verb: &str, text: &str, reason: &str) -> String {
    format!("ip {object} {verb} {text}: {reason}")
}

/// Without the words that are keepalived's own.
fn plain(text: &str) -> Vec<&str> {
    let mut plain = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "no_track" => {}
            "track_group" => drop(words.next()),
            word => plain.push(word),
        }
    }
    plain
}

fn is_v6(words: &[&str]) -> bool {
    let address = |word: &&&str| word.split('/').next().unwrap_or_default().contains(':');
    let mut first = words.iter().filter(address);
    first.any(|word| {
        let address = word.split('/').next().unwrap_or_default();
        address.parse::<std::net::Ipv6Addr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ips() {
        let words = plain("192.0.2.0/24 via 10.0.0.1 no_track track_group one dev eth0");
        assert_eq!(words, ["192.0.2.0/24", "via", "10.0.0.1", "dev", "eth0"]);
        assert!(!is_v6(&words));
        assert!(is_v6(&plain("default via fe80::1 dev eth0")));
        assert!(is_v6(&plain("from 2001:db8::/32 table 7")));
    }
}
