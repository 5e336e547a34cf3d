//! Profile fields beyond name and avatar
//! ([spec](https://spec.matrix.org/v1.16/client-server-api/#profiles)). A deleted one stays without a
//! value until D1 knows.

use crate::database::{DatabaseError, Query, Transaction};

/// A field that D1 does not have as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The value, as JSON; `None`: deleted.
    pub value: Option<String>,
}

/// The value of one field.
pub fn get(query: &dyn Query, name: &str) -> Result<Option<String>, DatabaseError> {
    let row = query.query_one("SELECT value FROM profile_fields WHERE name = ?", &[name.into()])?;
    Ok(row.map(|row| row.optional_text(0)).transpose()?.flatten())
}

/// All fields: (name, value).
pub fn list(query: &dyn Query) -> Result<Vec<(String, String)>, DatabaseError> {
    query
        .query("SELECT name, value FROM profile_fields WHERE value IS NOT NULL ORDER BY name", &[])?
        .iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .collect()
}

/// Sets or deletes a field; D1 does not know it yet.
pub fn put(transaction: &dyn Transaction, field: &Field) -> Result<(), DatabaseError> {
    transaction.execute(
        "INSERT INTO profile_fields (name, value, mirrored) VALUES (?, ?, 0) ON CONFLICT (name) DO UPDATE SET value = excluded.value, mirrored = 0",
        &[(&field.name).into(), field.value.as_ref().into()],
    )?;
    Ok(())
}

/// The fields that D1 does not know yet.
pub fn list_unmirrored(query: &dyn Query) -> Result<Vec<Field>, DatabaseError> {
    query
        .query("SELECT name, value FROM profile_fields WHERE mirrored = 0 ORDER BY name", &[])?
        .iter()
        .map(|row| Ok(Field { name: row.text(0)?, value: row.optional_text(1)? }))
        .collect()
}

/// Notes that D1 knows a field as it is here, unless it changed meanwhile.
pub fn set_mirrored(transaction: &dyn Transaction, field: &Field) -> Result<(), DatabaseError> {
    match &field.value {
        None => transaction
            .execute("DELETE FROM profile_fields WHERE name = ? AND value IS NULL", &[(&field.name).into()])?,
        Some(value) => transaction.execute(
            "UPDATE profile_fields SET mirrored = 1 WHERE name = ? AND value = ?",
            &[(&field.name).into(), value.into()],
        )?,
    };
    Ok(())
}
