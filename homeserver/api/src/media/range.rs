//! The part of a file that a request asks for ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-range-requests)).

use hubbub_storage::blobs::ByteRange;

/// What a header `Range` asks of a file of `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything: there is no header, it is not understood, or it names several parts.
    Whole,
    /// One part.
    Part(ByteRange),
    /// A part that lies outside.
    Outside,
}

/// Reads the header.
pub(super) fn read(header: Option<&str>, size: u64) -> Asked {
    let Some((first, last)) = header.and_then(parse) else { return Asked::Whole };
    let end = size.saturating_sub(1);
    let (first, last) = match (first, last) {
        (Some(first), last) => (first, last.unwrap_or(end).min(end)),
        // The last bytes; of none there are none.
        (None, Some(count)) if count > 0 => (size.saturating_sub(count), end),
        (None, _) => return Asked::Outside,
    };
    if size == 0 || first > last {
        return Asked::Outside;
    }
    Asked::Part(ByteRange { offset: first, length: last - first + 1 })
}

/// `bytes=FIRST-LAST` where one of both may be missing; `None` for anything else.
fn parse(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        range => Some(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offset: u64, length: u64) -> Asked {
        Asked::Part(ByteRange { offset, length })
    }

    #[test]
    fn one_part_is_understood_in_all_three_forms() {
        assert_eq!(read(Some("bytes=0-0"), 10), part(0, 1));
        assert_eq!(read(Some("bytes=2-5"), 10), part(2, 4));
        assert_eq!(read(Some("bytes=2-"), 10), part(2, 8));
        assert_eq!(read(Some("bytes=-3"), 10), part(7, 3));
        assert_eq!(read(Some("bytes=-30"), 10), part(0, 10));
        assert_eq!(read(Some("bytes=2-99999999999999999999999"), 10), part(2, 8));
    }

    #[test]
    fn a_part_outside_is_refused() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(read(Some(header), 10), Asked::Outside, "{header}");
        }
        assert_eq!(read(Some("bytes=0-"), 0), Asked::Outside);
    }

    #[test]
    fn what_is_not_understood_is_everything() {
        let headers = ["bytes=1-2,4-5", "bytes=5-2", "bytes=-", "bytes=a-b", "items=1-2", "bytes=+1-2", ""];
        for header in headers {
            assert_eq!(read(Some(header), 10), Asked::Whole, "{header}");
        }
        assert_eq!(read(None, 10), Asked::Whole);
    }
}
