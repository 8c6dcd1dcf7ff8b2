//! `rlvs doctor`: what is wrong with this machine, what it means, and the command that mends it.
//!
//! What is in order is only counted, unless all of it is asked for.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Args;
use rlvs_doctor::{Finding, Severity, examine, facts};
use serde_json::json;

use crate::output;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const QUIET: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// As wide as the longest severity, and a gap.
const MARGIN: usize = 9;

/// Check this machine, as a director or a real server; exit status 1 if something is wrong
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Check it as a real server
    #[arg(long)]
    real_server: bool,
    /// A virtual address of the real server; all that were brought up where none is given
    #[arg(long, value_name = "ADDRESS", requires = "real_server")]
    vip: Vec<IpAddr>,
    /// Show what is in order, too
    #[arg(short = 'v', long, visible_alias = "verbose")]
    all: bool,
    /// As JSON, with all that was checked
    #[arg(long)]
    json: bool,
}

/// Looks at the machine and prints what it found.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    attempt(arguments).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

fn attempt(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let facts = if arguments.real_server {
        facts::real_server(arguments.vip.iter().copied().collect())?
    } else {
        facts::director()?
    };
    let findings = examine(&facts);
    let right = findings
        .iter()
        .all(|finding| finding.severity < Severity::Warning);
    let text = if arguments.json {
        let answer = json!({ "right": right, "findings": findings });
        serde_json::to_string_pretty(&answer)? + "\n"
    } else {
        render(&findings, arguments.all)
    };
    output::print(&text)?;
    Ok(output::exit_code(right))
}

fn render(findings: &[Finding], all: bool) -> String {
    let mut text = String::new();
    for finding in findings {
        if all || finding.severity > Severity::Ok {
            paragraph(&mut text, finding);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", summary(findings, all));
    text
}

/// The finding after its severity and name, and below it what it means and the commands.
fn paragraph(text: &mut String, finding: &Finding) {
    let Finding {
        id,
        subject,
        severity,
        finding,
        meaning,
        mend,
    } = finding;
    let (word, style) = word(*severity);
    let space = " ".repeat(MARGIN - word.len());
    let subject = subject.as_ref().map(|subject| format!(" {subject}"));
    let subject = subject.unwrap_or_default();
    let _ = writeln!(
        text,
        "{style}{word}{style:#}{space}{BOLD}{id}{BOLD:#}{subject}: {finding}"
    );
    let margin = " ".repeat(MARGIN);
    if !meaning.is_empty() {
        let _ = writeln!(text, "{margin}{meaning}");
    }
    for command in mend {
        let _ = writeln!(text, "{margin}{QUIET}mend:{QUIET:#} {command}");
    }
}

fn word(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Ok => ("ok", QUIET),
        Severity::Note => ("note", Style::new()),
        Severity::Warning => ("WARNING", WARNING),
        Severity::Error => ("ERROR", ERROR),
    }
}

/// `1 error, 2 warnings; 14 checks passed (-v shows them)`.
fn summary(findings: &[Finding], all: bool) -> String {
    let count = |severity| {
        let same = findings.iter().filter(|it| it.severity == severity);
        same.count()
    };
    let faults = [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ];
    let faults: Vec<_> = faults
        .into_iter()
        .map(|(severity, word)| (count(severity), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| counted(count, word))
        .collect();
    let faults = match faults.is_empty() {
        true => "nothing is wrong".to_owned(),
        false => faults.join(", "),
    };
    let hint = if all { "" } else { " (-v shows them)" };
    let passed = counted(count(Severity::Ok), "check");
    format!("{faults}; {passed} passed{hint}")
}

fn counted(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let finding = |id, subject: Option<&str>, severity, finding: &str| Finding {
            id,
            subject: subject.map(str::to_owned),
            severity,
            finding: finding.to_owned(),
            meaning: String::new(),
            mend: Vec::new(),
        };
        let off = finding("ip-forward", None, Severity::Error, "off");
        let lro = finding("lro", Some("eth0"), Severity::Warning, "lro is on");
        vec![
            Finding {
                meaning: "replies do not reach clients".to_owned(),
                mend: vec!["sysctl -w net.ipv4.ip_forward=1".to_owned()],
                ..off
            },
            lro,
            finding("btf", None, Severity::Ok, "the kernel describes its types"),
        ]
    }

    fn plain(all: bool) -> String {
        anstream::adapter::strip_str(&render(&findings(), all)).to_string()
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_remedy() {
        let expected = "\
ERROR    ip-forward: off
         replies do not reach clients
         mend: sysctl -w net.ipv4.ip_forward=1
WARNING  lro eth0: lro is on

1 error, 1 warning; 1 check passed (-v shows them)
";
        assert_eq!(plain(false), expected);
    }

    #[test]
    fn all_is_shown_on_demand() {
        let text = plain(true);
        assert!(
            text.contains("\nok       btf: the kernel describes its types\n"),
            "{text}"
        );
        assert!(text.ends_with("1 check passed\n"), "{text}");
    }

    #[test]
    fn nothing_wrong_is_one_line() {
        let text = render(&findings()[2..], false);
        assert_eq!(text, "nothing is wrong; 1 check passed (-v shows them)\n");
    }
}
