//! `lvs_method NAT|DR|TUN [type ...]`

use rlvs_control::ForwardingMethod;
use rlvs_control::model::{GueChecksum, Tunnel};

use super::super::notes::Notes;
use super::super::tree::{Statement, Word};

/// The method that a statement names.
pub(super) fn method(notes: &mut Notes, line: &Statement) -> Option<ForwardingMethod> {
    let word = notes.choice(line, &["NAT", "DR", "TUN"])?;
    Some(match word.as_str() {
        "NAT" => ForwardingMethod::Masquerade,
        "DR" => ForwardingMethod::Route,
        _ => ForwardingMethod::Tunnel(tunnel(notes, line)?),
    })
}

/// What follows `TUN`.
#[derive(Default)]
struct Kind<'a> {
    name: Option<&'a str>,
    port: u16,
    checksum: Option<&'a str>,
}

fn tunnel(notes: &mut Notes, line: &Statement) -> Option<Tunnel> {
    let mut kind = Kind::default();
    let mut words = line.parameters()[1..].iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "type" => kind.name = words.next().map(|name| name.text.as_str()),
            "port" => kind.port = port(notes, line, words.next())?,
            text @ ("nocsum" | "csum" | "remcsum") => kind.checksum = Some(text),
            other => notes.warn(
                word.place,
                line.keyword(),
                format!("`{other}` is no option of tunnels"),
            ),
        }
    }
    kind.tunnel(notes, line)
}

fn port(notes: &mut Notes, line: &Statement, word: Option<&Word>) -> Option<u16> {
    match word {
        Some(word) => notes.number_of(line, word, 1..=u16::MAX),
        None => {
            notes.wrong(line, "the port is missing");
            None
        }
    }
}

impl Kind<'_> {
    fn tunnel(&self, notes: &mut Notes, line: &Statement) -> Option<Tunnel> {
        let wrong = match (self.name, self.checksum) {
            (None | Some("ipip"), None | Some("nocsum")) => return Some(Tunnel::Ipip),
            (None | Some("ipip"), Some(_)) => "ipip tunnels have no checksum".to_owned(),
            (Some("gre"), Some("remcsum")) => "gre tunnels have no remote checksum".to_owned(),
            (Some("gre"), checksum) => {
                let checksum = checksum == Some("csum");
                return Some(Tunnel::Gre { checksum });
            }
            (Some("gue"), _) if self.port == 0 => "gue tunnels need a port: port 6080".to_owned(),
            (Some("gue"), checksum) => {
                let checksum = match checksum {
                    Some("csum") => GueChecksum::Full,
                    Some("remcsum") => GueChecksum::Remote,
                    _ => GueChecksum::None,
                };
                let port = self.port;
                return Some(Tunnel::Gue { port, checksum });
            }
            (Some(other), _) => format!("`{other}` is none of ipip, gre and gue"),
        };
        notes.wrong(line, wrong);
        None
    }
}
