//! `auth_hmac`: keys are read, from files where they are there.

use std::fs;
use std::time::Duration;

use rlvs_config::model::vrrp::AuthHmac;
use rlvs_config::model::vrrp::auth_hmac::{AntiReplay, HmacKey, HmacMode};
use rlvs_vrrp::packet::SigningKey;
use rlvs_vrrp::signing::{Freshness, Mode, Signing};

/// keepalived's: three intervals, and not less than this.
const SHORTEST_WINDOW: Duration = Duration::from_secs(5);
const LONGEST_WINDOW: u16 = 300;

pub(super) fn signing(it: &AuthHmac, interval: Duration) -> Result<Signing, String> {
    let keys: Vec<_> = it.key.iter().map(key).collect::<Result<_, _>>()?;
    let Some(first) = keys.first() else {
        return Err("auth_hmac has no key: give it one".to_owned());
    };
    let window = match it.time_window {
        None => (interval * 3).max(SHORTEST_WINDOW),
        Some(seconds @ 1..=LONGEST_WINDOW) => Duration::from_secs(seconds.into()),
        Some(other) => {
            let range = format!("1 to {LONGEST_WINDOW}");
            return Err(format!(
                "auth_hmac: time_window is {range}, and not {other}"
            ));
        }
    };
    Ok(Signing {
        active: it.active_key.unwrap_or(first.id),
        freshness: match it.anti_replay {
            Some(AntiReplay::Monotonic) => Freshness::Growing,
            Some(AntiReplay::Time) | None => Freshness::Window(window),
        },
        mode: match it.mode {
            Some(HmacMode::Permissive) => Mode::Permissive,
            Some(HmacMode::ReceiveOnly) => Mode::ReceiveOnly,
            Some(HmacMode::Enforce) | None => Mode::Enforce,
        },
        keys,
    })
}

fn key(it: &HmacKey) -> Result<SigningKey, String> {
    let wrong = |what: String| format!("auth_hmac, key {}: {what}", it.id);
    let text = match it.secret.strip_prefix("file:") {
        None => it.secret.clone(),
        Some(path) => {
            let text = fs::read_to_string(path);
            text.map_err(|error| wrong(format!("{path}: {error}")))?
        }
    };
    // Editors end files with a new line.
    let text = text.trim_end_matches(['\n', '\r']);
    let bytes = match text.strip_prefix("hex:") {
        None => text.as_bytes().to_vec(),
        Some(digits) => hex(digits).ok_or_else(|| {
            wrong("behind `hex:` there are two hexadecimal digits for each byte".to_owned())
        })?,
    };
    Ok(SigningKey { id: it.id, bytes })
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = digits.chars().map(|it| it.to_digit(16)).collect();
    let digits = digits.filter(|it| it.len().is_multiple_of(2))?;
    let byte = |pair: &[u32]| (pair[0] << 4 | pair[1]) as u8;
    Some(digits.chunks(2).map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(secret: &str) -> Result<Vec<u8>, String> {
        let key = HmacKey {
            id: 7,
            secret: secret.to_owned(),
        };
        let hmac = AuthHmac {
            key: vec![key],
            ..AuthHmac::default()
        };
        let signing = signing(&hmac, Duration::from_secs(1))?;
        assert_eq!(signing.active, 7);
        assert_eq!(signing.freshness, Freshness::Window(SHORTEST_WINDOW));
        Ok(signing.keys[0].bytes.clone())
    }

    #[test]
    fn keys_are_text_or_digits_or_in_files() {
        assert_eq!(of("sesame"), Ok(b"sesame".to_vec()));
        assert_eq!(of("hex:00fFa0"), Ok(vec![0, 0xff, 0xa0]));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hex:0102\n").unwrap();
        let name = format!("file:{}", file.path().display());
        assert_eq!(of(&name), Ok(vec![1, 2]));
        for (wrong, words) in [
            ("hex:012", "two hexadecimal digits"),
            ("hex:0g", "two hexadecimal digits"),
            ("file:/nowhere", "key 7: /nowhere: "),
        ] {
            let said = of(wrong).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn windows_are_as_long_as_intervals_ask_for() {
        let hmac = |time_window| AuthHmac {
            key: vec![HmacKey {
                id: 1,
                secret: "x".into(),
            }],
            time_window,
            ..AuthHmac::default()
        };
        let of = |seconds, written| {
            signing(&hmac(written), Duration::from_secs(seconds)).map(|it| it.freshness)
        };
        let window = |seconds| Ok(Freshness::Window(Duration::from_secs(seconds)));
        assert_eq!(of(10, None), window(30));
        assert_eq!(of(10, Some(300)), window(300));
        assert!(of(10, Some(301)).unwrap_err().contains("1 to 300"));
        assert!(of(10, Some(0)).is_err());
    }
}
