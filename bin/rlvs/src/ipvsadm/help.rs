//! `-h` and `-v`.

use std::io::{self, Write};

use super::flags::{FLAGS, Flag, Meaning, Value};

/// What scripts look for to tell versions apart.
pub(super) const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)";

pub(crate) const USAGE: &str = "\
  ipvsadm -A|-E SERVICE [-s name] [-p [seconds]] [-M mask] [-b flag,...] [-o] [--pe engine]
  ipvsadm -D SERVICE
  ipvsadm -a|-e SERVICE -r host[:port] [-g|-i|-m|--fullnat] [-w number] [-x number] [-y number] [tunnel]
  ipvsadm -d SERVICE -r host[:port]
  ipvsadm --add-laddr|--del-laddr SERVICE --laddr host
  ipvsadm --get-laddr [SERVICE] [-n]
  ipvsadm -L [SERVICE] [options]
  ipvsadm -Z [SERVICE]
  ipvsadm -C | -S [-n] | -R | --set tcp tcpfin udp
SERVICE is one of -t, -u, --sctp-service or -f.
";

pub(super) fn help(output: &mut dyn Write) -> io::Result<()> {
    writeln!(output, "{VERSION}")?;
    writeln!(
        output,
        "This is rlvs {}, which speaks as that one.",
        env!("CARGO_PKG_VERSION")
    )?;
    write!(output, "Usage:\n{USAGE}")?;
    let is_command = |flag: &&Flag| matches!(flag.meaning, Meaning::Command(_));
    writeln!(output, "\nCommands:")?;
    FLAGS
        .iter()
        .filter(is_command)
        .try_for_each(|flag| line(flag, output))?;
    writeln!(output, "\nOptions:")?;
    FLAGS
        .iter()
        .filter(|flag| !is_command(flag))
        .try_for_each(|flag| line(flag, output))
}

fn line(flag: &Flag, output: &mut dyn Write) -> io::Result<()> {
    let short = flag
        .short
        .map_or(String::new(), |short| format!("-{short},"));
    let value = match flag.value {
        Value::None => String::new(),
        Value::Optional(value) => format!(" [{value}]"),
        Value::Required(value) => format!(" {value}"),
    };
    let names = format!("--{}{value}", flag.long);
    writeln!(output, "  {short:<3} {names:<30} {}", flag.help)
}
