//! FILE_CHECK: a number in a file.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rlvs_check::machine::Adjust;
use rlvs_check::spec::File;
use rlvs_check::spec::file::Meaning;
use rustix::fs::OFlags;

use crate::fault::{Fault, Result};

/// What is looked at of a file (as much as in keepalived).
const MOST: u64 = 127;

pub(crate) async fn run(file: &File) -> Result<Adjust> {
    // The file may be anywhere, and its server not answer.
    let path = file.path.clone();
    let number = tokio::task::spawn_blocking(move || read(&path))
        .await
        .map_err(|_| Fault::here("reading the file failed"))??;
    match file.meaning(number) {
        Meaning::Failure => Err(Fault::target(format!(
            "{} has {number}",
            file.path.display()
        ))),
        Meaning::Weight(0) => Ok(Adjust::Keep),
        Meaning::Weight(weight) => Ok(Adjust::Add(weight)),
    }
}

/// 0 if there is no file, or no number in it.
fn read(path: &Path) -> Result<i64> {
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return Ok(0);
    };
    let mut text = Vec::new();
    if file.take(MOST).read_to_end(&mut text).is_err() {
        return Ok(0);
    }
    number(&String::from_utf8_lossy(&text))
        .ok_or_else(|| Fault::here(format!("{}: the number is too large", path.display())))
}

/// As strtol with base 0 reads it: decimal, 0x and hexadecimal, or 0 and octal.
fn number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (digits, base) = match hexadecimal {
        Some(rest) if rest.starts_with(|digit: char| digit.is_ascii_hexdigit()) => (rest, 16),
        _ if text.starts_with('0') => (text, 8),
        _ => (text, 10),
    };
    let end = digits
        .find(|digit: char| !digit.is_digit(base))
        .unwrap_or(digits.len());
    let value = match &digits[..end] {
        "" => 0,
        digits => i64::from_str_radix(digits, base).ok()?,
    };
    let value = if negative { -value } else { value };
    (-(1 << 31)..=1 << 31).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, value) in [
            ("12\n", Some(12)),
            (" -7 x", Some(-7)),
            ("0x1F", Some(31)),
            ("0x", Some(0)),
            ("017", Some(15)),
            ("08", Some(0)),
            ("", Some(0)),
            ("up", Some(0)),
            ("-2147483648", Some(-2_147_483_648)),
            ("99999999999", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
    }
}
