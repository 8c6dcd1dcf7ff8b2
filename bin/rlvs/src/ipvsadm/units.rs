//! Big numbers in eight columns.

/// Below the first number, `value` is divided by the second.
const UNITS: [(u64, u64, &str); 4] = [
    (100_000_000, 1, ""),
    (1_000_000_000, 1_000, "K"),
    (100_000_000_000, 1_000_000, "M"),
    (100_000_000_000_000, 1_000_000_000, "G"),
];
const LARGEST: (u64, u64, &str) = (u64::MAX, 1_000_000_000_000, "T");

/// `value` in units that keep it short; rounded down.
pub(super) fn short(value: u64) -> String {
    let (_, divisor, unit) = UNITS
        .into_iter()
        .find(|(below, ..)| value < *below)
        .unwrap_or(LARGEST);
    format!("{}{unit}", value / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_begin_where_ipvsadms_do() {
        for (value, text) in [
            (0, "0"),
            (99_999_999, "99999999"),
            (100_000_000, "100000K"),
            (999_999_999, "999999K"),
            (1_000_000_000, "1000M"),
            (99_999_999_999, "99999M"),
            (100_000_000_000, "100G"),
            (99_999_999_999_999, "99999G"),
            (100_000_000_000_000, "100T"),
            (1_234_567_890_123_456, "1234T"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
