//! Cross-signing keys, and the signatures that were uploaded for what they vouch for.

use std::collections::BTreeMap;

use crate::database::{DatabaseError, Query, Transaction};

/// The cross-signing keys by their usage (`master`, `self_signing`, `user_signing`), as JSON.
pub fn list(query: &dyn Query) -> Result<BTreeMap<String, String>, DatabaseError> {
    query
        .query("SELECT usage, key FROM cross_signing_keys ORDER BY usage", &[])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .collect()
}

/// Stores the key of a usage.
pub fn put(transaction: &dyn Transaction, usage: &str, key: &str) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO cross_signing_keys (usage, key) VALUES (?, ?) ON CONFLICT (usage) DO UPDATE SET key = excluded.key",
        &[usage.into(), key.into()],
    )?;
    Ok(())
}

/// Deletes the key of a usage.
pub fn delete(transaction: &dyn Transaction, usage: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM cross_signing_keys WHERE usage = ?", &[usage.into()])?;
    Ok(())
}

/// A signature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What is signed: a device id, or the public part of the master key.
    pub target: String,
    /// The user whose key signed.
    pub signer: String,
    /// `algorithm:name` of the key that signed.
    pub key_id: String,
    /// The signature.
    pub signature: String,
}

/// All signatures made by any of these two users.
pub fn signatures_by(query: &dyn Query, owner: &str, viewer: &str) -> Result<Vec<Signature>, DatabaseError> {
    query
        .query(
            "SELECT target, signer, key_id, signature FROM signatures WHERE signer = ? OR signer = ?",
            &[owner.into(), viewer.into()],
        )?
        .iter()
        .map(|row| {
            Ok(Signature { target: row.text(0)?, signer: row.text(1)?, key_id: row.text(2)?, signature: row.text(3)? })
        })
        .collect()
}

/// All signatures of one target.
pub fn signatures_of(query: &dyn Query, target: &str) -> Result<Vec<Signature>, DatabaseError> {
    query
        .query("SELECT target, signer, key_id, signature FROM signatures WHERE target = ?", &[target.into()])?
        .iter()
        .map(|row| {
            Ok(Signature { target: row.text(0)?, signer: row.text(1)?, key_id: row.text(2)?, signature: row.text(3)? })
        })
        .collect()
}

/// Stores a signature; false when it was there.
pub fn sign(transaction: &dyn Transaction, signature: &Signature) -> Result<bool, DatabaseError> {
    let written = transaction.execute(
        "INSERT INTO signatures (target, signer, key_id, signature) VALUES (?, ?, ?, ?) ON CONFLICT (target, signer, key_id) DO UPDATE SET signature = excluded.signature WHERE signature <> excluded.signature RETURNING key_id",
        &[
            signature.target.as_str().into(),
            signature.signer.as_str().into(),
            signature.key_id.as_str().into(),
            signature.signature.as_str().into(),
        ],
    )?;
    Ok(!written.is_empty())
}

/// A signed object was replaced by another: its signatures mean nothing any more.
pub fn forget_signatures_of(transaction: &dyn Transaction, target: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM signatures WHERE target = ?", &[target.into()])?;
    Ok(())
}

/// A key was replaced by another: what it signed is not vouched for any more.
pub fn forget_signatures_by(transaction: &dyn Transaction, signer: &str, key_id: &str) -> Result<(), DatabaseError> {
    transaction.execute("DELETE FROM signatures WHERE signer = ? AND key_id = ?", &[signer.into(), key_id.into()])?;
    Ok(())
}
