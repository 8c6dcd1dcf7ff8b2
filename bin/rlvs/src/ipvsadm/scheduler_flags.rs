//! The flags of schedulers (`-b`): three bits, which sh and mh have names for.

use super::failure::Failure;

/// A flag's name, its bit, and the scheduler that calls it so; none: any.
const NAMES: [(&str, u8, Option<&str>); 7] = [
    ("sh-fallback", 1, Some("sh")),
    ("sh-port", 2, Some("sh")),
    ("mh-fallback", 1, Some("mh")),
    ("mh-port", 2, Some("mh")),
    ("flag-1", 1, None),
    ("flag-2", 2, None),
    ("flag-3", 4, None),
];

/// The bits of a list of names for `scheduler`.
pub(super) fn parse(list: &str, scheduler: &str) -> Result<u8, Failure> {
    let mut bits = 0;
    for text in list.split(',').filter(|text| !text.is_empty()) {
        let (_, bit, of) = NAMES
            .into_iter()
            .find(|(name, ..)| *name == text)
            .ok_or_else(|| Failure::usage(format!("invalid scheduler flag `{text}'")))?;
        if of.is_some_and(|of| of != scheduler) {
            return Err(Failure::usage(format!(
                "incompatible scheduler flag `{text}'"
            )));
        }
        bits |= bit;
    }
    Ok(bits)
}

/// The names of `bits` as a list: those that `scheduler` has, else the general ones.
pub(super) fn list(bits: u8, scheduler: &str) -> String {
    let names = [1, 2, 4]
        .into_iter()
        .filter(|bit| bits & bit != 0)
        .filter_map(|bit| {
            NAMES
                .into_iter()
                .find(|(_, of_bit, of)| *of_bit == bit && of.is_none_or(|of| of == scheduler))
                .map(|(name, ..)| name)
        });
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_back() {
        for scheduler in ["sh", "mh", "rr"] {
            for bits in 0..8 {
                let text = list(bits, scheduler);
                assert_eq!(parse(&text, scheduler), Ok(bits), "{scheduler} {text}");
            }
        }
        assert_eq!(list(3, "sh"), "sh-fallback,sh-port");
        assert_eq!(list(7, "rr"), "flag-1,flag-2,flag-3");
    }
}
