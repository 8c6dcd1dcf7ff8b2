//! Any site can be written as rlvs.toml, and is the same when it is read again.

mod checks;
mod sites;

use std::path::Path;

use proptest::prelude::*;
use rlvs_config::written;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(site in sites::site()) {
        let text = written::write(&site);
        match written::read(Path::new("x.toml"), text.clone()) {
            Ok(again) => prop_assert_eq!(again.site, site, "{}", text),
            Err(failure) => prop_assert!(false, "{}\n{}", failure, text),
        }
    }

    /// Nonsense between right lines.
    #[test]
    fn what_is_broken_is_told(
        site in sites::site(),
        at in any::<prop::sample::Index>(),
        noise in "[ \\]\\[{}=\"'a-z0-9.,:#\n]{1,12}",
    ) {
        let mut text = written::write(&site);
        let mut place = at.index(text.len() + 1);
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        text.insert_str(place, &noise);
        if let Err(failure) = written::read(Path::new("x.toml"), text) {
            prop_assert!(failure.problems.errors() > 0);
            prop_assert!(!failure.pictures().is_empty());
        }
    }
}
