//! The code that a person types at a network to say which Matrix user they are: short enough to be typed, and too long
//! to be guessed within the ten minutes and few attempts that it has.

/// Letters and digits that nobody mistakes for each other.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Its letters, without the dash in the middle.
const LENGTH: usize = 8;

/// A code of random bytes, of which it takes five bits each.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    let letters = bytes.iter().take(LENGTH).filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    let mut code = String::with_capacity(LENGTH + 1);
    for (index, letter) in letters.enumerate() {
        if index == LENGTH / 2 {
            code.push('-');
        }
        code.push(char::from(*letter));
    }
    code
}

/// The code in a text, as [`of_bytes`] writes it; `None` when it cannot be one. Small letters and a missing dash do not
/// matter.
#[must_use]
pub fn read(text: &str) -> Option<String> {
    let letters: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_uppercase()).collect();
    let index = |letter: &u8| ALPHABET.iter().position(|known| known == letter);
    let bytes: Option<Vec<u8>> = letters.iter().map(|letter| u8::try_from(index(letter)?).ok()).collect();
    bytes.filter(|bytes| bytes.len() == LENGTH).map(|bytes| of_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = of_bytes(&[0, 31, 32, 255, 7, 8, 9, 10, 11]);
        assert_eq!(code, "A9A9-HJKL");
        for typed in ["A9A9-HJKL", "a9a9hjkl", "a9a9-hjkl", "A9A9HJKL-"] {
            assert_eq!(read(typed).as_deref(), Some("A9A9-HJKL"), "{typed}");
        }
        for other in ["", "A9A9-HJK", "A9A9-HJKLM", "A9A9-HJK1", "A9A9 HJKL", "éééé"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
