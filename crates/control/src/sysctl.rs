//! The settings of IPVS, `net.ipv4.vs`, under their names and with their defaults and ranges
//! (net/netfilter/ipvs/ip_vs_ctl.c of Linux 6.1).
//!
//! One table says what each does; listing, checks and help are made from it. What a data plane
//! before the stack cannot do stays at its default: another value is refused with the reason,
//! never taken and ignored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// What all names begin with.
pub const PREFIX: &str = "net.ipv4.vs.";

/// The present value of a setting.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Sysctl")]
pub struct Value {
    /// Without `net.ipv4.vs.`
    pub name: String,
    pub value: String,
}

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// Without [`PREFIX`].
    pub name: &'static str,
    pub default: &'static str,
    /// What it says, in a line.
    pub about: &'static str,
    takes: Takes,
    /// Why it stays at its default here, and what to do instead.
    fixed: Option<&'static str>,
}

/// Values that IPVS takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// A number between two.
    Number(i64, i64),
    /// A power of two up to this.
    PowerOfTwo(i64),
    /// Two numbers, the first below the second, or the second 0.
    Pair,
}

/// The setting of this name, which may have the prefix, with dots or slashes.
pub fn find(name: &str) -> Result<&'static Setting, Error> {
    let dotted = name.replace('/', ".");
    let short = dotted.strip_prefix(PREFIX).unwrap_or(&dotted);
    let setting = SETTINGS.iter().find(|setting| setting.name == short);
    setting.ok_or_else(|| {
        let message =
            format!("there is no setting {PREFIX}{short}: `rlvs sysctl` lists those there are");
        Error::new(Code::Invalid, message)
    })
}

impl Setting {
    /// What is kept of `text` as its value.
    pub fn parse(&self, text: &str) -> Result<String, Error> {
        let numbers: Option<Vec<i64>> = text.split_whitespace().map(number).collect();
        let value = numbers.and_then(|numbers| self.takes.render(&numbers));
        value.ok_or_else(|| {
            let (name, takes) = (self.name, self.takes);
            let message = format!("{PREFIX}{name} takes {takes}, not `{}'", text.trim());
            Error::new(Code::Range, message)
        })
    }

    /// The same, if that can be had here.
    pub fn take(&self, text: &str) -> Result<String, Error> {
        let value = self.parse(text)?;
        match self.fixed {
            Some(why) if value != self.default => {
                let (name, default) = (self.name, self.default);
                let message = format!("{PREFIX}{name} stays {default} in rlvs: {why}");
                Err(Error::new(Code::Unsupported, message))
            }
            _ => Ok(value),
        }
    }

    /// Why it stays at its default, if it does.
    pub fn fixed(&self) -> Option<&'static str> {
        self.fixed
    }
}

/// As the kernel reads it: hexadecimal after `0x`, octal after `0`.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = i64::from_str_radix(digits, radix).ok();
    number.filter(|_| is_plain).map(|number| sign * number)
}

impl Takes {
    fn render(self, numbers: &[i64]) -> Option<String> {
        let fits = match (self, numbers) {
            (Self::Number(least, most), [number]) => (least..=most).contains(number),
            (Self::PowerOfTwo(most), &[number]) => {
                (1..=most).contains(&number) && number & (number - 1) == 0
            }
            (Self::Pair, &[first, second]) => {
                let most = i64::from(i32::MAX);
                let in_order = first < second || second == 0;
                (0..=most).contains(&first) && (0..=most).contains(&second) && in_order
            }
            _ => false,
        };
        let texts: Vec<_> = numbers.iter().map(i64::to_string).collect();
        fits.then(|| texts.join("\t"))
    }
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::PowerOfTwo(most) => write!(f, "a power of two up to {most}"),
            Self::Pair => f.write_str("two numbers, the first below the second, or the second 0"),
        }
    }
}

const ANY: Takes = Takes::Number(i32::MIN as i64, i32::MAX as i64);
const MODE: Takes = Takes::Number(0, 3);
const COUNT: Takes = Takes::Number(0, i64::MAX);
/// Seconds, which Debian's kernel counts in quarters of a hundredth.
const SECONDS: Takes = Takes::Number(-SECONDS_MOST, SECONDS_MOST);
const SECONDS_MOST: i64 = i32::MAX as i64 / 250;

const fn works(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting {
        name,
        default,
        about,
        takes: ANY,
        fixed: None,
    }
}

/// One for when memory is short, which is turned from 1 to 2 then, and back.
const fn defence(name: &'static str, about: &'static str) -> Setting {
    Setting {
        takes: MODE,
        ..works(name, "0", about)
    }
}

const fn fixed(
    name: &'static str,
    default: &'static str,
    takes: Takes,
    about: &'static str,
    why: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        about,
        takes,
        fixed: Some(why),
    }
}

/// All of them and one of our own, in the order of `sysctl -a`.
pub static SETTINGS: [Setting; 30] = [
    works(
        "am_droprate",
        "10",
        "one packet of so many is dropped, with drop_packet at 3",
    ),
    works(
        "amemthresh",
        "1024",
        "free pages of the connection table below which defences go on; at most an eighth of it counts",
    ),
    works(
        "backup_only",
        "0",
        "1: where a backup synchronisation daemon runs, nothing is balanced",
    ),
    works(
        "cache_bypass",
        "0",
        "1: without a destination, packets go to where they were sent (firewall marks)",
    ),
    works(
        "conn_reuse_mode",
        "1",
        "a client port is used again: 0: its old real server; 1: anew if it is in TIME_WAIT or CLOSE; \
         2 and 3: in FIN_WAIT too",
    ),
    fixed(
        "conntrack",
        "0",
        ANY,
        "1: netfilter keeps track of connections",
        "packets are forwarded before netfilter sees them; filter in front of the director or on the \
         real servers",
    ),
    defence(
        "drop_entry",
        "half-open connections are dropped; 1 and 2: when memory is short (2: it is), 3: always",
    ),
    defence(
        "drop_packet",
        "of new connections' packets some are dropped; 1 and 2: when memory is short, 3: always",
    ),
    works(
        "expire_nodest_conn",
        "0",
        "1: a connection whose destination was removed ends at once, and its client is scheduled anew",
    ),
    works(
        "expire_quiescent_template",
        "0",
        "1: persistence does not send new connections to destinations of weight 0",
    ),
    works(
        "expire_quiescent_udp",
        "0",
        "1: UDP flows leave a destination of weight 0 with their next packet (not in IPVS)",
    ),
    works(
        "ignore_tunneled",
        "0",
        "1: what came out of a tunnel on this host is not balanced again; here it never is",
    ),
    Setting {
        takes: SECONDS,
        ..works(
            "lblc_expiration",
            "86400",
            "seconds that lblc remembers an address that nobody asks for",
        )
    },
    Setting {
        takes: SECONDS,
        ..works(
            "lblcr_expiration",
            "86400",
            "seconds that lblcr does so, and after which an address loses one of its destinations",
        )
    },
    works(
        "nat_icmp_send",
        "0",
        "1: masqueraded real servers are told that a connection is not known",
    ),
    fixed(
        "pmtu_disc",
        "1",
        ANY,
        "1: senders of packets too large for a tunnel are told, if they forbid fragments",
        "nothing is fragmented here, so senders have to be told; raise the MTU towards the real server",
    ),
    works(
        "run_estimation",
        "1",
        "0: rates are not estimated, and stay as they are",
    ),
    works(
        "schedule_icmp",
        "0",
        "1: an ICMP error about no known connection begins it",
    ),
    defence(
        "secure_tcp",
        "other states of TCP: ESTABLISHED is reached later; 1 and 2: when memory is short, 3: always",
    ),
    works(
        "sloppy_sctp",
        "0",
        "1: any SCTP packet but an ABORT begins a connection, not INIT alone",
    ),
    works(
        "sloppy_tcp",
        "0",
        "1: any TCP segment but a reset begins a connection, not SYN alone",
    ),
    fixed(
        "snat_reroute",
        "1",
        ANY,
        "1: answers of masqueraded real servers are routed anew",
        "they come in before the stack has routed them, so they are always routed here",
    ),
    works(
        "sync_persist_mode",
        "0",
        "1: of persistent services only templates are synchronised",
    ),
    Setting {
        takes: Takes::PowerOfTwo(1 << 30),
        ..works(
            "sync_ports",
            "1",
            "ports that synchronisation uses, from its own on; at most 64",
        )
    },
    fixed(
        "sync_qlen_max",
        "32768",
        COUNT,
        "messages that may wait (IPVS: pages of memory / 32)",
        "no messages wait: what is too much for a second is told in the next; [sync] rate says how much \
         that is",
    ),
    Setting {
        takes: SECONDS,
        ..works(
            "sync_refresh_period",
            "0",
            "seconds by which a connection's end must move to be told again; 0: 60",
        )
    },
    Setting {
        takes: MODE,
        ..works(
            "sync_retries",
            "0",
            "how often a connection is told again within that time",
        )
    },
    works(
        "sync_sock_size",
        "0",
        "bytes of the sockets' buffers; 0: 8 MiB",
    ),
    Setting {
        takes: Takes::Pair,
        ..works(
            "sync_threshold",
            "3\t50",
            "packets before a connection is told (UDP: 0 and 1: at once; else with its second look), and \
             between; 0: it is told once",
        )
    },
    fixed(
        "sync_version",
        "1",
        Takes::Number(0, 1),
        "version of the messages that are sent",
        "version 0 has neither IPv6 nor timeouts; a backup takes both versions",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_taken_as_it_is() {
        for setting in &SETTINGS {
            assert_eq!(setting.take(setting.default).unwrap(), setting.default);
        }
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }

    #[test]
    fn names_have_prefixes_and_slashes_or_not() {
        for name in [
            "sloppy_tcp",
            "net.ipv4.vs.sloppy_tcp",
            "net/ipv4/vs/sloppy_tcp",
        ] {
            assert_eq!(find(name).unwrap().name, "sloppy_tcp");
        }
        for name in [
            "",
            "est_nice",
            "net.ipv4.vs",
            "net.ipv4.ip_forward",
            "vs.sloppy_tcp",
        ] {
            assert_eq!(find(name).unwrap_err().code, Code::Invalid, "{name}");
        }
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        let parse = |text| find("sloppy_tcp").unwrap().parse(text).ok();
        let read = [
            (" 1 ", "1"),
            ("0x10", "16"),
            ("-0x1", "-1"),
            ("010", "8"),
            ("2147483647", "2147483647"),
        ];
        for (text, value) in read {
            assert_eq!(parse(text).as_deref(), Some(value));
        }
        for text in [
            "",
            "x",
            "1x",
            "--1",
            "-+1",
            "+1",
            "0x",
            "2147483648",
            "1 2",
            "08",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// What stock Linux 6.1 takes.
    #[test]
    fn ranges_are_the_kernels() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("drop_entry", &["0", "1", "2", "3"], &["-1", "4"]),
            (
                "sync_ports",
                &["1", "2", "4", "128"],
                &["-1", "0", "3", "2147483647"],
            ),
            (
                "sync_threshold",
                &["3 50", "0 0", "0 1", "5 0"],
                &["50 3", "-1 5", "3 3", "3"],
            ),
            ("sync_qlen_max", &["0", "2147483648"], &["-1"]),
            ("sync_version", &["0", "1"], &["-1", "2"]),
        ];
        for (name, good, bad) in cases {
            let parse = |text| find(name).unwrap().parse(text);
            assert!(good.iter().all(|text| parse(text).is_ok()), "{name}");
            for text in bad {
                assert_eq!(parse(text).unwrap_err().code, Code::Range, "{name} {text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_the_reason() {
        let refused = find("conntrack").unwrap().take("1").unwrap_err();
        assert_eq!(refused.code, Code::Unsupported);
        let start = "net.ipv4.vs.conntrack stays 0 in rlvs: packets are forwarded before netfilter";
        assert!(refused.message.starts_with(start), "{}", refused.message);
        assert_eq!(
            find("sync_threshold").unwrap().take("3 50").unwrap(),
            "3\t50"
        );
    }
}
