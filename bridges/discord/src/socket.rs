//! Outgoing WebSockets, as the connection needs them: the platform implements them.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use url::Url;

/// Opens sockets.
pub trait Sockets {
    /// Opens one. What becomes of it `ear` hears, each time waiting until what it was told before is done with.
    fn open(&self, url: &str, ear: Rc<dyn Ear>) -> Rc<dyn Socket>;
}

/// Whoever listens to a socket.
pub trait Ear {
    /// Hears something.
    fn heard(&self, told: Told) -> LocalBoxFuture<'_, ()>;
}

/// What becomes of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is open.
    Opened,
    /// A text came.
    Text(String),
    /// It is closed, or could not be opened; with the code that the other side gave.
    Closed(Option<u16>),
}

/// An open socket, or one that is being opened.
pub trait Socket {
    /// Sends a text; false when it cannot be sent.
    fn send(&self, text: &str) -> bool;

    /// Closes it, with a code. Nothing is heard of it from then on.
    fn close(&self, code: u16);
}

/// No sockets at all: each one closes at once.
pub struct NoSockets;

impl Sockets for NoSockets {
    fn open(&self, _: &str, _: Rc<dyn Ear>) -> Rc<dyn Socket> {
        Rc::new(Self)
    }
}

impl Socket for NoSockets {
    fn send(&self, _: &str) -> bool {
        false
    }

    fn close(&self, _: u16) {}
}

/// The gateway's general address beside an API: Discord's own, or that of a test's.
pub(crate) fn address_beside(api: &str) -> String {
    match Url::parse(api).ok().filter(|api| api.host_str() != Some("discord.com")) {
        Some(api) => {
            let scheme = if api.scheme() == "https" { "wss" } else { "ws" };
            let port = api.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{}{port}", api.host_str().unwrap_or_default())
        }
        None => "wss://gateway.discord.gg".to_owned(),
    }
}

/// Whether the token may go to this address: a gateway of Discord's, or the host of a test's API. A session brings its
/// own address, so that it has to be looked at.
pub(crate) fn is_gateway(address: &str, api: &str) -> bool {
    let (Ok(address), Ok(api)) = (Url::parse(address), Url::parse(api)) else { return false };
    let Some(host) = address.host_str() else { return false };
    if api.host_str() == Some("discord.com") {
        return address.scheme() == "wss" && (host == "discord.gg" || host.ends_with(".discord.gg"));
    }
    let scheme = if api.scheme() == "https" { "wss" } else { "ws" };
    address.scheme() == scheme && api.host_str() == Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_discord_or_to_where_the_api_is() {
        let own = "https://discord.com/api/v10";
        assert!(is_gateway("wss://gateway.discord.gg/?v=10", own));
        assert!(is_gateway("wss://gateway-us-east1-b.discord.gg", own));
        for other in ["ws://gateway.discord.gg", "wss://discord.gg.example", "wss://evildiscord.gg", "wss://127.0.0.1"]
        {
            assert!(!is_gateway(other, own), "{other}");
        }
        let fake = "http://127.0.0.1:8000/api/v10/";
        assert!(is_gateway("ws://127.0.0.1:8000/resume", fake));
        assert!(!is_gateway("wss://gateway.discord.gg", fake));
        assert_eq!(address_beside(own), "wss://gateway.discord.gg");
        assert_eq!(address_beside(fake), "ws://127.0.0.1:8000");
    }
}
