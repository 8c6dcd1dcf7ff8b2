//! Numbers as C's `strtol` reads them: blanks and a sign may lead, nothing may follow.

use std::ops::RangeInclusive;

/// The whole of `text` as a decimal number within `range`.
pub(super) fn parse(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let text = text.trim_start_matches(is_blank);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u32 = digits.parse().ok()?;
    let negative = text.starts_with('-') && value != 0;
    (!negative && range.contains(&value)).then_some(value)
}

/// The number that `text` begins with, whatever follows; 0 if there is none.
pub(super) fn leading(text: &str) -> u32 {
    let text = text.trim_start_matches(is_blank);
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().unwrap_or(0)
}

/// C's `isspace`.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_c_does() {
        for (text, expected) in [
            ("5", Some(5)),
            (" \t5", Some(5)),
            ("+5", Some(5)),
            ("010", Some(10)),
            ("-0", Some(0)),
            ("-1", None),
            ("", None),
            ("+", None),
            ("5 ", None),
            ("5x", None),
            ("0x5", None),
            ("11", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(text, 0..=10), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_what_leads() {
        for (text, expected) in [("64x", 64), (" 64", 64), ("0x40", 0), ("-1", 0), ("", 0)] {
            assert_eq!(leading(text), expected, "{text:?}");
        }
    }
}
