//! The commands that objects send each other: each object's contract is a type, shared by the
//! caller and the object.
//!
//! A command travels as JSON with a version, since a new Worker may call an old object during a
//! deploy; a reply is `{"Ok": …}` or `{"Err": MatrixError}`.

pub mod account;
pub mod appservice;
pub mod backup;
pub mod delivery;
pub mod device_lists;
pub mod keys;
pub mod keys_news;
pub mod notifications;
pub mod people;
pub mod place;
pub mod relation;
pub mod room;
pub mod search;
pub mod to_device;
pub mod uia;
pub mod user;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    context::Objects,
    error::{MatrixError, Result},
};

/// The version of all contracts. An object that gets another one refuses, and the caller retries.
pub const VERSION: u32 = 1;

/// The classes of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// One a room, named by the room id.
    Room,
    /// One a local user, named by the user id.
    User,
    /// One a local human user, named by the user id.
    UserKeys,
    /// One a registration, named by its id.
    Appservice,
    /// One a bridge login, named by its random id.
    Login,
    /// One a bridged channel, named by its random id.
    Portal,
    /// One a bridge login whose network tells what happens on a connection, named by the login's id.
    Gateway,
}

/// An object: its class and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The class.
    pub class: Class,
    /// The name, unique within the class.
    pub name: String,
}

impl Address {
    /// The object of this class and name.
    pub fn new(class: Class, name: impl Into<String>) -> Self {
        Self { class, name: name.into() }
    }

    /// The object of a room.
    pub fn room(room_id: &ruma::RoomId) -> Self {
        Self::new(Class::Room, room_id.as_str())
    }

    /// The object of a local user.
    pub fn user(user_id: &ruma::UserId) -> Self {
        Self::new(Class::User, user_id.as_str())
    }

    /// The object of a local user's keys.
    pub fn user_keys(user_id: &ruma::UserId) -> Self {
        Self::new(Class::UserKeys, user_id.as_str())
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<C> {
    v: u32,
    command: C,
}

/// Encodes a command for [`Objects::call`].
pub fn encode_command(command: &impl Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Envelope { v: VERSION, command })?)
}

/// Decodes a command; refuses one of another version so that the caller tries again.
pub fn decode_command<C: DeserializeOwned>(bytes: &[u8]) -> Result<C> {
    let envelope: Envelope<C> = serde_json::from_slice(bytes)?;
    if envelope.v != VERSION {
        return Err(MatrixError::internal("a command of another version"));
    }
    Ok(envelope.command)
}

/// Encodes a reply.
pub fn encode<T: Serialize>(reply: &T) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(reply)?)
}

/// Encodes what [`crate::object::Object::handle`] returned, for the way back.
pub fn encode_outcome(outcome: Result<Vec<u8>>) -> Vec<u8> {
    match outcome {
        Ok(reply) => [b"{\"Ok\":".as_slice(), &reply, b"}"].concat(),
        Err(error) => serde_json::to_vec(&Err::<(), _>(error)).unwrap_or_else(|_| b"null".to_vec()),
    }
}

/// Calls an object with a typed command and decodes its typed reply.
pub async fn call<R: DeserializeOwned>(objects: &dyn Objects, address: Address, command: &impl Serialize) -> Result<R> {
    let command = encode_command(command)?;
    let reply = objects.call(address, command).await.map_err(MatrixError::internal)?;
    serde_json::from_slice::<std::result::Result<R, MatrixError>>(&reply)?
}
