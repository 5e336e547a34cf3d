//! Bytes of a page as text: by the label that came with it, its byte order mark, or what it says itself.
//!
//! UTF-8, UTF-16 and Windows-1252 (which is what pages mean by ISO-8859-1 and ASCII) are decoded here;
//! every other encoding is the platform's ([`crate::context::Http::decode`]).

use crate::context::Http;

/// How far into a page its own declaration is looked for, in bytes
/// ([spec](https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding)).
const PRESCAN_BYTES: usize = 1024;

/// What Windows-1252 has at 0x80 to 0x9f, where ISO-8859-1 has control characters.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text of a page whose header `Content-Type` is this. Never fails: what makes no sense becomes
/// replacement characters.
pub fn text(http: &dyn Http, content_type: &str, bytes: &[u8]) -> String {
    let label =
        byte_order_mark(bytes).map(str::to_owned).or_else(|| label_in(content_type)).or_else(|| declared(bytes));
    let Some(label) = label else {
        // A page that says nothing is UTF-8 if it can be.
        return std::str::from_utf8(bytes).map_or_else(|_| windows_1252(bytes), str::to_owned);
    };
    match label.as_str() {
        "utf-8" | "utf8" => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
        "utf-16" | "utf-16le" => utf_16(bytes, u16::from_le_bytes),
        "utf-16be" => utf_16(bytes, u16::from_be_bytes),
        "windows-1252" | "cp1252" | "iso-8859-1" | "iso8859-1" | "latin1" | "us-ascii" | "ascii" => windows_1252(bytes),
        label => http.decode(label, bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn byte_order_mark(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some("utf-8"),
        [0xff, 0xfe, ..] => Some("utf-16le"),
        [0xfe, 0xff, ..] => Some("utf-16be"),
        _ => None,
    }
}

/// The value of `charset=` in a media type, in lower case.
fn label_in(content_type: &str) -> Option<String> {
    let lower = content_type.to_ascii_lowercase();
    let (_, value) = lower.split_once("charset")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let is_label = |character: char| character.is_ascii_alphanumeric() || "-_.:+".contains(character);
    let label: String = value.chars().take_while(|character| is_label(*character)).take(40).collect();
    (!label.is_empty()).then_some(label)
}

/// What the page's beginning declares: `<meta charset=…>`, or the same as an HTTP header. Whoever could
/// read that declaration reads ASCII, so UTF-16 cannot be meant.
fn declared(bytes: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(bytes.get(..PRESCAN_BYTES).unwrap_or(bytes)).to_ascii_lowercase();
    let label = start.split("<meta").skip(1).find_map(|tag| label_in(tag.split('>').next().unwrap_or_default()))?;
    Some(if label.starts_with("utf-16") { "utf-8".to_owned() } else { label })
}

fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => WINDOWS_1252.get(usize::from(byte - 0x80)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        byte => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let text = String::from_utf16_lossy(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
    text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use futures_util::future::LocalBoxFuture;

    use super::*;
    use crate::context::{Egress, HttpError};

    /// A platform that knows one more encoding.
    struct Platform;

    impl Http for Platform {
        fn send(
            &self,
            _: http::Request<Vec<u8>>,
            _: Egress,
            _: u32,
        ) -> LocalBoxFuture<'_, Result<http::Response<Vec<u8>>, HttpError>> {
            Box::pin(std::future::ready(Err(HttpError::NotSent(String::new()))))
        }

        fn decode(&self, label: &str, _: &[u8]) -> Option<String> {
            (label == "shift_jis").then(|| "日本".to_owned())
        }
    }

    fn read(content_type: &str, bytes: &[u8]) -> String {
        text(&Platform, content_type, bytes)
    }

    #[test]
    fn the_header_names_the_encoding() {
        assert_eq!(read("text/html; charset=ISO-8859-1", b"caf\xe9 \x80"), "café €");
        assert_eq!(read("text/html;charset=\"utf-8\"", b"caf\xc3\xa9"), "café");
        assert_eq!(read("text/html; charset=utf-16be", b"\0h\0i"), "hi");
        assert_eq!(read("text/html; charset=Shift_JIS", b"\x93\xfa\x96\x7b"), "日本");
    }

    #[test]
    fn without_it_the_page_does() {
        assert_eq!(read("text/html", b"\xff\xfeh\0i\0"), "hi");
        assert_eq!(read("text/html", b"\xef\xbb\xbfcaf\xc3\xa9"), "café");
        assert_eq!(read("text/html", b"<meta charset=windows-1252>caf\xe9"), "<meta charset=windows-1252>café");
        let old = b"<META http-equiv=Content-Type content='text/html; charset=latin1'>\xe9";
        assert!(read("text/html", old).ends_with('é'));
    }

    #[test]
    fn a_page_that_says_nothing_is_utf_8_if_it_can_be() {
        assert_eq!(read("text/html", b"caf\xc3\xa9"), "café");
        assert_eq!(read("text/html", b"caf\xe9"), "café");
        assert_eq!(read("text/html; charset=klingon", b"plain"), "plain");
    }
}
