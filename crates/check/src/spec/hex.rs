//! Bytes as configuration writes them: in hexadecimal digits.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes. In text two digits each; keepalived's free form is read as well: "Ab12f 3 456" is
/// AB 12 0F 03 45 06.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Hex(pub Vec<u8>);

/// Bytes of which some digits do not matter: those are written X.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Pattern {
    bytes: Vec<u8>,
    /// Ones where a bit matters.
    mask: Vec<u8>,
}

impl Pattern {
    /// Whether these bytes are as the pattern says, as far as both go (keepalived's rule).
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let wanted = self.bytes.iter().zip(&self.mask);
        wanted
            .zip(bytes)
            .all(|((want, mask), byte)| (want ^ byte) & mask == 0)
    }
}

/// An MD5 sum: 32 digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Digest(pub [u8; 16]);

impl FromStr for Hex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern = parse(text, false)?;
        Ok(Self(pattern.bytes))
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, true)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no MD5 sum: it has 32 hexadecimal digits");
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let bytes = parse(text, false)?.bytes;
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}

/// Words of digits: pairs from the left, a last single digit is a byte of its own.
fn parse(text: &str, dont_care: bool) -> Result<Pattern, String> {
    let mut pattern = Pattern::default();
    for word in text.split_ascii_whitespace() {
        for pair in word.as_bytes().chunks(2) {
            let (byte, mask) = pair.iter().try_fold((0, 0), |(byte, mask), &digit| {
                let (value, matters) = nibble(digit, dont_care)
                    .ok_or_else(|| format!("\"{text}\": '{}' is no digit", digit.escape_ascii()))?;
                Ok::<_, String>((byte << 4 | value, mask << 4 | matters))
            })?;
            pattern.bytes.push(byte);
            pattern
                .mask
                .push(if pair.len() == 1 { mask | 0xf0 } else { mask });
        }
    }
    if pattern.bytes.is_empty() {
        return Err("hexadecimal digits are missing".into());
    }
    Ok(pattern)
}

fn nibble(digit: u8, dont_care: bool) -> Option<(u8, u8)> {
    match digit {
        b'x' | b'X' if dont_care => Some((0, 0)),
        _ => char::from(digit)
            .to_digit(16)
            .map(|value| (value as u8, 0xf)),
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (byte, mask) in self.bytes.iter().zip(&self.mask) {
            for shift in [4, 0] {
                match mask >> shift & 0xf {
                    0 => formatter.write_str("X")?,
                    _ => write!(formatter, "{:x}", byte >> shift & 0xf)?,
                }
            }
        }
        Ok(())
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(Hex, Pattern, Digest);

#[cfg(test)]
mod tests {
    use super::*;

    /// keepalived.conf(5), UDP_CHECK.
    #[test]
    fn the_manuals_example() {
        let hex: Hex = "Ab12f 3 456 546443123".parse().unwrap();
        assert_eq!(hex.to_string(), "ab120f034506546443 12 03".replace(' ', ""));
    }

    #[test]
    fn digits_that_do_not_matter() {
        let pattern: Pattern = "1Xx2 F".parse().unwrap();
        assert_eq!(pattern.to_string(), "1XX20f");
        assert!(pattern.matches(&[0x1f, 0xa2, 0x0f, 9]));
        assert!(pattern.matches(&[0x10]));
        assert!(!pattern.matches(&[0x20]));
        assert!(!pattern.matches(&[0x10, 0x02, 0xff]));
        assert_eq!(pattern.to_string().parse::<Pattern>().unwrap(), pattern);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!("".parse::<Hex>().is_err());
        assert!("0x12".parse::<Hex>().is_err());
        assert!("1234".parse::<Digest>().is_err());
        assert!("9b3a0c85a887a256d6939da88aabd8cd".parse::<Digest>().is_ok());
    }
}
