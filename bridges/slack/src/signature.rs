//! Slack's signature of its requests to us
//! ([docs](https://docs.slack.dev/authentication/verifying-requests-from-slack)).

use hubbub_core::secrets::{equal, hmac_sha256};

/// How far the time of an attempt may be from ours, in seconds.
const WINDOW_SECONDS: i64 = 300;

/// Checks `v0=<hex HMAC-SHA256 of v0:timestamp:body>` over the raw body, in constant time, and the
/// age of the attempt by `now` (milliseconds since the epoch).
pub(crate) fn verify(
    signing_secret: &str,
    timestamp: &str,
    signature: &str,
    body: &str,
    now: i64,
) -> Result<(), &'static str> {
    let seconds: i64 = timestamp.parse().map_err(|_| "The request has no valid timestamp.")?;
    if (now.div_euclid(1_000).saturating_sub(seconds)).saturating_abs() > WINDOW_SECONDS {
        return Err("The request's timestamp is more than five minutes off.");
    }
    let signed = [b"v0:", timestamp.as_bytes(), b":", body.as_bytes()].concat();
    let expected = sign(signing_secret, &signed);
    if equal(expected.as_bytes(), signature.as_bytes()) {
        Ok(())
    } else {
        Err("The request's signature does not match.")
    }
}

fn sign(signing_secret: &str, signed: &[u8]) -> String {
    let mut signature = "v0=".to_owned();
    for byte in hmac_sha256(signing_secret.as_bytes(), signed) {
        signature.push_str(&format!("{byte:02x}"));
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Slack's own documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const NOW: i64 = 1_531_420_618_000;

    #[test]
    fn slacks_own_example_holds() {
        assert_eq!(verify(SECRET, TIMESTAMP, SIGNATURE, BODY, NOW), Ok(()));
    }

    #[test]
    fn another_body_secret_or_signature_does_not() {
        assert!(verify(SECRET, TIMESTAMP, SIGNATURE, &BODY[1..], NOW).is_err());
        assert!(verify("other", TIMESTAMP, SIGNATURE, BODY, NOW).is_err());
        assert!(verify(SECRET, TIMESTAMP, "", BODY, NOW).is_err());
        assert!(verify(SECRET, TIMESTAMP, &SIGNATURE[..40], BODY, NOW).is_err());
    }

    #[test]
    fn five_minutes_are_the_limit_in_both_directions() {
        for (offset, holds) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let outcome = verify(SECRET, TIMESTAMP, SIGNATURE, BODY, NOW + offset * 1_000);
            assert_eq!(outcome.is_ok(), holds, "{offset}");
        }
    }

    #[test]
    fn a_timestamp_that_is_no_number_is_refused() {
        assert!(verify(SECRET, "", SIGNATURE, BODY, NOW).is_err());
        assert!(verify(SECRET, "now", SIGNATURE, BODY, NOW).is_err());
        assert!(verify(SECRET, "99999999999999999999", SIGNATURE, BODY, NOW).is_err());
    }
}
