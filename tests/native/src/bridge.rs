//! A bridge of somebody else's, as tests register it.

/// Its token.
pub const TOKEN: &str = "as_token_of_the_bridge";

/// Its registration: all users under `@_bridge_` are its own. Lines for more of it may be put behind.
pub const REGISTRATION: &str = "
id: bridge
url: https://bridge.example
as_token: as_token_of_the_bridge
hs_token: hs_token_of_the_bridge
sender_localpart: bridgebot
rate_limited: false
namespaces:
  users:
    - exclusive: true
      regex: '@_bridge_.*:hub\\.example'
  aliases: []
  rooms: []
";
