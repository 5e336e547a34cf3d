//! Room tokens: where a page of a room's history starts.
//!
//! A `prev_batch` of `/sync`, `from`, `to` and `end` of `/messages`, and `at` of `/members` are all
//! `t<epoch>_<order_key>_<position>`. Paging reads the order_key, `/members?at=` the position.

use std::{fmt, str::FromStr};

use crate::error::MatrixError;

/// A place in a room's history.
///
/// It lies between two events: paging backwards returns events whose order_key is smaller, paging
/// forwards those whose order_key is greater or equal. It never expires: a rebuilt room keeps its
/// order_keys, so a token of an older epoch still pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomToken {
    /// The room's epoch when the token was issued.
    pub epoch: i64,
    /// The order_key to page from.
    pub order_key: i64,
    /// The room's position when the token was issued.
    pub position: i64,
}

impl fmt::Display for RoomToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "t{}_{}_{}", self.epoch, self.order_key, self.position)
    }
}

impl FromStr for RoomToken {
    type Err = MatrixError;

    /// Reads a token; 400 `M_INVALID_PARAM` when it is malformed.
    fn from_str(token: &str) -> Result<Self, MatrixError> {
        parse(token).ok_or_else(|| MatrixError::invalid_param("This is not a pagination token."))
    }
}

fn parse(token: &str) -> Option<RoomToken> {
    let mut numbers = token.strip_prefix('t')?.split('_');
    let result = RoomToken {
        epoch: canonical_integer(numbers.next()?)?,
        order_key: canonical_integer(numbers.next()?)?,
        position: canonical_integer(numbers.next()?)?,
    };
    numbers.next().is_none().then_some(result)
}

/// Reads an integer only in the form that [`fmt::Display`] writes, within what a double holds.
pub(crate) fn canonical_integer(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    let in_range = number.unsigned_abs() <= hubbub_storage::database::MAX_INTEGER.unsigned_abs();
    (in_range && number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        for (epoch, order_key, position) in [(1, 2, 3), (0, -7, 0), (9_007_199_254_740_991, 1, 5)] {
            let token = RoomToken { epoch, order_key, position };
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn a_malformed_token_is_refused() {
        for token in [
            "",
            "t",
            "t1",
            "t1_2",
            "t1_2_3_4",
            "s1_2_3",
            "t1_2_x",
            "t1_2_",
            "t+1_2_3",
            "t01_2_3",
            "t1_2_3 ",
            "t99999999999999999999_2_3",
            "t9007199254740993_2_3",
        ] {
            let error = token.parse::<RoomToken>().unwrap_err();
            assert_eq!(error.errcode, "M_INVALID_PARAM", "{token}");
            assert_eq!(error.status, 400, "{token}");
        }
    }
}
