//! Where the walk through a space goes on: the rooms that lie open on the way to it, and which
//! rooms were visited, so that none comes twice.
//!
//! The token holds both, so the server remembers nothing. A MAC binds it to the user and to the
//! parameters of the first request, which the specification forbids to change.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::{
    error::{MatrixError, Result},
    secrets::{Secrets, equal},
};
use ruma::{OwnedRoomId, RoomId, UserId};
use sha2::{Digest as _, Sha256};

/// How many bytes of a room id's hash stand for it.
const HASH_BYTES: usize = 6;
/// The most rooms that a walk visits: their hashes must fit into an address.
const MAX_VISITED: usize = 2_000;
/// The bytes of the MAC.
const MAC_BYTES: usize = 16;

/// Whose walk through which space it is.
pub(super) struct Scope<'a> {
    /// The user.
    pub user_id: &'a UserId,
    /// The space.
    pub root: &'a RoomId,
    /// Whether only suggested children are followed.
    pub suggested_only: bool,
    /// How many links deep it goes.
    pub max_depth: Option<u32>,
}

/// Where a walk stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The rooms from the root down whose children are not done.
    pub path: Vec<OwnedRoomId>,
    /// The rooms that were visited, shown or not.
    pub visited: Visited,
}

/// A set of rooms, kept by their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Visited(HashSet<[u8; HASH_BYTES]>);

impl Visited {
    /// Adds a room.
    pub fn insert(&mut self, room_id: &RoomId) {
        self.0.insert(hash(room_id));
    }

    /// Whether a room is among them.
    pub fn contains(&self, room_id: &RoomId) -> bool {
        self.0.contains(&hash(room_id))
    }

    /// Whether no more rooms fit in.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_VISITED
    }
}

fn hash(room_id: &RoomId) -> [u8; HASH_BYTES] {
    let digest = Sha256::digest(room_id.as_bytes());
    digest.first_chunk().copied().unwrap_or_default()
}

impl Scope<'_> {
    /// The token for a place.
    pub fn token(&self, secrets: &Secrets, place: &Place) -> String {
        let mut visited: Vec<_> = place.visited.0.iter().copied().collect();
        visited.sort_unstable();
        let path = place.path.iter().map(|room_id| room_id.as_str()).collect::<Vec<_>>().join("\n");
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(visited.concat()), URL_SAFE_NO_PAD.encode(path));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.mac(secrets, &text)))
    }

    /// The place of a token. 400 `M_INVALID_PARAM` for one that is none, of somebody else, or of a
    /// request with other parameters.
    pub fn parse(&self, secrets: &Secrets, token: &str) -> Result<Place> {
        let refuse = || {
            MatrixError::invalid_param(
                "This token does not go on from an earlier answer to the same user and parameters.",
            )
        };
        let (text, mac) = token.rsplit_once('.').ok_or_else(refuse)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| refuse())?;
        if !equal(&mac, &self.mac(secrets, text)) {
            return Err(refuse());
        }
        let (visited, path) = text.split_once('.').ok_or_else(refuse)?;
        let visited = URL_SAFE_NO_PAD.decode(visited).map_err(|_| refuse())?;
        let path =
            URL_SAFE_NO_PAD.decode(path).ok().and_then(|path| String::from_utf8(path).ok()).ok_or_else(refuse)?;
        Ok(Place {
            path: path.lines().map(|id| RoomId::parse(id).map_err(|_| refuse())).collect::<Result<_>>()?,
            visited: Visited(visited.chunks_exact(HASH_BYTES).filter_map(|chunk| chunk.try_into().ok()).collect()),
        })
    }

    fn mac(&self, secrets: &Secrets, text: &str) -> [u8; MAC_BYTES] {
        let depth = self.max_depth.map(|depth| depth.to_string()).unwrap_or_default();
        let message = format!("{}\n{}\n{}\n{depth}\n{text}", self.user_id, self.root, self.suggested_only);
        let mac = secrets.mac("hierarchy token", message.as_bytes());
        mac.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, room_id, user_id};

    use super::*;

    fn secrets() -> Secrets {
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        Secrets::parse(&format!("ed25519 a {zeros}"), zeros, "sixteen characters").unwrap()
    }

    fn scope() -> Scope<'static> {
        Scope { user_id: user_id!("@a:hub"), root: room_id!("!root:hub"), suggested_only: false, max_depth: Some(2) }
    }

    #[test]
    fn a_token_gives_the_place_back() {
        let mut place = Place { path: vec![owned_room_id!("!root:hub"), owned_room_id!("!b")], ..Place::default() };
        place.visited.insert(room_id!("!c:hub"));
        let token = scope().token(&secrets(), &place);
        assert_eq!(scope().parse(&secrets(), &token).unwrap(), place);
    }

    #[test]
    fn a_token_is_of_no_use_to_another_user_or_with_other_parameters() {
        let token = scope().token(&secrets(), &Place::default());
        let others = [
            Scope { user_id: user_id!("@b:hub"), ..scope() },
            Scope { root: room_id!("!other:hub"), ..scope() },
            Scope { suggested_only: true, ..scope() },
            Scope { max_depth: None, ..scope() },
        ];
        for other in others {
            assert_eq!(other.parse(&secrets(), &token).unwrap_err().errcode, "M_INVALID_PARAM");
        }
        for broken in ["", ".", "..", "a.b.c", &token[1..]] {
            assert!(scope().parse(&secrets(), broken).is_err(), "{broken}");
        }
    }
}
