//! Which hosts a stranger may make us call: public ones only.
//!
//! This stops literal addresses and well-known local names before anything is sent. A name that
//! resolves to a private address is the platform's to refuse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::context::HttpError;

/// Refuses a URL that names a private address, or this machine. A name that resolves to one is the
/// platform's to refuse, which alone can tell.
pub fn check(uri: &http::Uri) -> Result<(), HttpError> {
    // As `fetch` will read it: `http://2130706433/` is 127.0.0.1.
    let url = Url::parse(&uri.to_string()).map_err(|error| HttpError::NotSent(error.to_string()))?;
    let public = match url.host() {
        Some(Host::Domain(name)) => is_public_name(name),
        Some(Host::Ipv4(address)) => is_public_address(address.into()),
        Some(Host::Ipv6(address)) => is_public_address(address.into()),
        None => false,
    };
    if !public || !matches!(url.scheme(), "http" | "https") {
        return Err(HttpError::NotSent("this address is not public".to_owned()));
    }
    Ok(())
}

/// Whether an address is one of the public internet: none that is private, loopback, link-local,
/// shared, reserved, documentation or multicast ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)),
/// however an IPv6 address wraps it.
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether a host name may be public: not `localhost`, and none of the names reserved for local use.
/// Expects lower case, as a URL parser writes it.
pub fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_local = matches!(last, "" | "localhost" | "local" | "internal" | "lan" | "home" | "intranet" | "onion");
    !is_local && name.contains('.') && !name.ends_with(".home.arpa")
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    let reserved = match octets {
        [0 | 240..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        [198, 18 | 19, ..] => true,
        _ => false,
    };
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(wrapped) = wrapped_v4(address) {
        return is_public_v4(wrapped);
    }
    // 2000::/3 is all that is allocated; within it, documentation (2001:db8::/32, 3fff::/20) and
    // protocol assignments (2001::/23) are not hosts.
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_assignment = first == 0x2001 && second < 0x0200;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    is_global && !is_assignment && !is_documentation
}

/// The IPv4 address inside of an IPv4-mapped, IPv4-compatible, NAT64 or 6to4 address.
fn wrapped_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([first, second], [third, fourth]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(first, second, third, fourth)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_may_be_called() {
        for address in ["1.1.1.1", "172.15.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public_address(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn private_and_reserved_addresses_are_refused_however_they_are_wrapped() {
        let refused = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
        ];
        for address in refused {
            assert!(!is_public_address(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn local_names_are_refused() {
        for name in ["localhost", "a.localhost", "localhost.", "printer.local", "metadata.google.internal", "router"] {
            assert!(!is_public_name(name), "{name}");
        }
        assert!(is_public_name("push.example.org"));
    }
}
