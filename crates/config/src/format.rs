//! Which kind of file a file is.

use std::path::Path;

/// The kinds that can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `rlvs.toml`
    Toml,
    /// `keepalived.conf`
    Keepalived,
    /// `ldirectord.cf`
    Ldirectord,
    /// What `ipvsadm-save` prints.
    Ipvsadm,
}

impl Format {
    /// By the file's name, or else by what is in it.
    pub fn guess(path: &Path, text: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match &*name {
            name if name.ends_with(".toml") => Self::Toml,
            name if name.contains("keepalived") => Self::Keepalived,
            name if name.contains("ldirectord") || name.ends_with(".cf") => Self::Ldirectord,
            name if name.contains("ipvsadm") => Self::Ipvsadm,
            _ => {
                let mut lines = text.lines().map(str::trim);
                lines.find_map(of_line).unwrap_or(Self::Toml)
            }
        }
    }
}

/// Lines that only one of the kinds has.
fn of_line(line: &str) -> Option<Format> {
    const BLOCKS: [&str; 8] = [
        "global_defs",
        "virtual_server",
        "virtual_server_group",
        "vrrp_instance",
        "vrrp_script",
        "vrrp_sync_group",
        "include",
        "SSL",
    ];
    let word = line.split([' ', '\t', '=', '{']).next().unwrap_or_default();
    match word {
        "-A" | "-a" | "-C" | "ipvsadm" | "--add-service" => Some(Format::Ipvsadm),
        "virtual" | "virtual6" | "checktimeout" | "checkinterval" => Some(Format::Ldirectord),
        word if BLOCKS.contains(&word) && !line.contains('=') => Some(Format::Keepalived),
        word if word.starts_with(['!', '$']) => Some(Format::Keepalived),
        _ if line.starts_with('[') => Some(Format::Toml),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_contents() {
        for (name, text, expected) in [
            ("rlvs.toml", "", Format::Toml),
            ("keepalived.conf.sample", "", Format::Keepalived),
            ("ldirectord.cf", "", Format::Ldirectord),
            ("x", "# a\n-A -t 192.0.2.1:80 -s rr\n", Format::Ipvsadm),
            (
                "x",
                "# a\nvirtual_server 192.0.2.1 80 {\n}",
                Format::Keepalived,
            ),
            ("x", "# a\nvirtual = 192.0.2.1:80\n", Format::Ldirectord),
            (
                "x",
                "include = ['a']\n[[service]]\ntcp = '192.0.2.1:80'",
                Format::Toml,
            ),
            ("x", "", Format::Toml),
        ] {
            assert_eq!(
                Format::guess(Path::new(name), text),
                expected,
                "{name} {text}"
            );
        }
    }
}
