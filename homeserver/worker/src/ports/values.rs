//! Values on their way to SQLite and back, for an object's database and for D1 alike.

use hubbub_storage::database::{DatabaseError, MAX_INTEGER, Value};
use wasm_bindgen::{JsCast as _, JsValue};
use worker::js_sys::{Array, ArrayBuffer, Uint8Array};

/// Bound values. An integer travels as a double: one that would be rounded is refused.
pub fn bind(params: &[Value]) -> Result<Vec<JsValue>, DatabaseError> {
    params.iter().map(bind_one).collect()
}

fn bind_one(value: &Value) -> Result<JsValue, DatabaseError> {
    Ok(match value {
        Value::Null => JsValue::NULL,
        #[expect(clippy::cast_precision_loss, reason = "the range is checked: the double is exact")]
        Value::Integer(integer) if integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => {
            JsValue::from_f64(*integer as f64)
        }
        Value::Integer(integer) => return Err(DatabaseError(format!("{integer} is too large to be bound"))),
        Value::Text(text) => JsValue::from_str(text),
        Value::Blob(bytes) => Uint8Array::from(bytes.as_slice()).into(),
    })
}

/// A value of a result. Only whole numbers within 2^53 are ours.
pub fn read(cell: &JsValue) -> Result<Value, DatabaseError> {
    if let Some(text) = cell.as_string() {
        return Ok(Value::Text(text));
    }
    if let Some(number) = cell.as_f64() {
        return read_number(number);
    }
    if cell.is_null() || cell.is_undefined() {
        return Ok(Value::Null);
    }
    if let Some(buffer) = cell.dyn_ref::<ArrayBuffer>() {
        return Ok(Value::Blob(Uint8Array::new(buffer).to_vec()));
    }
    if let Some(numbers) = cell.dyn_ref::<Array>() {
        return read_numbers(numbers);
    }
    Err(DatabaseError::new("a value of an unknown type in a result"))
}

fn read_number(number: f64) -> Result<Value, DatabaseError> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact")]
    let largest = MAX_INTEGER as f64;
    if number.fract() != 0.0 {
        return Err(DatabaseError::new("a fractional number in a result"));
    }
    if number.abs() > largest {
        return Err(DatabaseError::new("an integer beyond 2^53 in a result"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    Ok(Value::Integer(number as i64))
}

/// D1 hands a blob back as an array of numbers.
fn read_numbers(numbers: &Array) -> Result<Value, DatabaseError> {
    let bytes = numbers.iter().map(|number| match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        Some(number) if (0.0..=255.0).contains(&number) => Ok(number as u8),
        _ => Err(DatabaseError::new("an array of something else than bytes in a result")),
    });
    bytes.collect::<Result<_, _>>().map(Value::Blob)
}

/// A count that JavaScript holds as a number.
pub fn count(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; counts are small")]
    let count = number.max(0.0) as u64;
    count
}
