//! Checks that read a number from a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `FILE_CHECK`: the number in a file, times a factor, is added to the weight. It counts as 0 if
/// there is no file, or none in it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// `file` of the `track_file` block.
    pub path: PathBuf,
    /// The factor (`weight`, of the check or of the `track_file` block). With 0, a number other
    /// than 0 in the file is a failure.
    #[serde(default = "one")]
    pub weight: i32,
    /// `reverse`: the number counts negative; with a factor of 0, the number 0 is the failure.
    #[serde(default)]
    pub reverse: bool,
}

/// What the number in the file means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meaning {
    Failure,
    /// A success; this is added to the weight.
    Weight(i32),
}

impl File {
    /// keepalived's rule: a product of -2147483648 or less is a failure, too.
    pub fn meaning(&self, number: i64) -> Meaning {
        if self.weight == 0 {
            return match (number != 0) != self.reverse {
                true => Meaning::Failure,
                false => Meaning::Weight(0),
            };
        }
        let sign = if self.reverse { -1 } else { 1 };
        match number
            .saturating_mul(i64::from(self.weight))
            .saturating_mul(sign)
        {
            product if product <= i64::from(i32::MIN) => Meaning::Failure,
            product => Meaning::Weight(product.min(i64::from(i32::MAX)) as i32),
        }
    }
}

fn one() -> i32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(weight: i32, reverse: bool, number: i64) -> Meaning {
        let path = PathBuf::from("/run/number");
        File {
            path,
            weight,
            reverse,
        }
        .meaning(number)
    }

    #[test]
    fn a_factor_of_0_makes_it_yes_or_no() {
        assert_eq!(meaning(0, false, 0), Meaning::Weight(0));
        assert_eq!(meaning(0, false, -3), Meaning::Failure);
        assert_eq!(meaning(0, true, 0), Meaning::Failure);
        assert_eq!(meaning(0, true, 3), Meaning::Weight(0));
    }

    #[test]
    fn else_it_is_weight() {
        assert_eq!(meaning(2, false, 5), Meaning::Weight(10));
        assert_eq!(meaning(2, true, 5), Meaning::Weight(-10));
        assert_eq!(meaning(1, false, i64::from(i32::MIN)), Meaning::Failure);
        assert_eq!(meaning(-1, false, 1 << 31), Meaning::Failure);
        assert_eq!(
            meaning(i32::MAX, false, i64::MAX),
            Meaning::Weight(i32::MAX)
        );
    }
}
