//! Processes that are counted by name.

use std::fs;
use std::path::Path;

use rlvs_config::model::vrrp::Process;

/// How many there are now.
pub(crate) fn count(process: &Process) -> u32 {
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0;
    };
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let lines = names
        .filter(|name| is_number(name))
        .filter_map(|name| fs::read(format!("/proc/{name}/cmdline")).ok());
    lines.filter(|line| is(process, line)).count() as u32
}

/// Whether there are as many as there should be.
pub(crate) fn is_enough(process: &Process, count: u32) -> bool {
    let least = process.quorum.unwrap_or(1);
    count >= least && process.quorum_max.is_none_or(|most| count <= most)
}

/// Whether a command line, words that end with 0, is one.
fn is(process: &Process, line: &[u8]) -> bool {
    let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let words: Vec<_> = words.collect();
    let words = &words[..words.len().saturating_sub(1)];
    let (Some(program), Some((name, wanted))) = (words.first(), process.process.split_first())
    else {
        return false;
    };
    let base = |path: &str| Path::new(path).file_name().map(|it| it.to_os_string());
    let is_named = match process.full_command {
        true => **program == **name,
        false => base(program) == base(name),
    };
    is_named && parameters(process, wanted, &words[1..])
}

fn parameters(process: &Process, wanted: &[String], given: &[std::borrow::Cow<'_, str>]) -> bool {
    let equal = |(wanted, given): (&String, &std::borrow::Cow<'_, str>)| **wanted == **given;
    let begins = given.len() >= wanted.len();
    match (process.param_match.as_deref(), wanted.split_last()) {
        (_, None) => true,
        (Some("initial"), _) => begins && wanted.iter().zip(given).all(equal),
        (Some("partial"), Some((last, before))) => {
            begins
                && before.iter().zip(given).all(equal)
                && given[before.len()].starts_with(last.as_str())
        }
        _ => wanted.len() == given.len() && wanted.iter().zip(given).all(equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_known_by_their_words() {
        let process = |words: &[&str], param_match: Option<&str>| Process {
            process: words.iter().map(ToString::to_string).collect(),
            param_match: param_match.map(str::to_owned),
            ..Process::new("it".into())
        };
        let line = b"/usr/sbin/named\0-4\0-c\0/etc/x\0";
        for (words, how, expected) in [
            (&["named"][..], None, true),
            (&["/sbin/named"], None, true),
            (&["name"], None, false),
            (&["named", "-4"], None, false),
            (&["named", "-4"], Some("initial"), true),
            (&["named", "-4", "-"], Some("partial"), true),
            (&["named", "-4", "-"], Some("initial"), false),
            (&["named", "-4", "-c", "/etc/x"], None, true),
            (
                &["named", "-4", "-c", "/etc/x", "y"],
                Some("initial"),
                false,
            ),
        ] {
            assert_eq!(
                is(&process(words, how), line),
                expected,
                "{words:?} {how:?}"
            );
        }
        let full = Process {
            full_command: true,
            ..process(&["named"], None)
        };
        assert!(!is(&full, line));
        assert!(!is(&full, b""));
        let bounded = Process {
            quorum: Some(2),
            quorum_max: Some(3),
            ..process(&["named"], None)
        };
        let enough = [0, 1, 2, 3, 4].map(|count| is_enough(&bounded, count));
        assert_eq!(enough, [false, false, true, true, false]);
    }
}
