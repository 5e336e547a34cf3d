//! The parts of an object's storage that `worker` does not bind, or binds so that an exception would
//! unwind through Rust: everything here is caught.

use wasm_bindgen::prelude::*;
use worker::js_sys::{Array, JsString, Promise};

#[wasm_bindgen]
extern "C" {
    /// [`DurableObjectStorage`](https://developers.cloudflare.com/durable-objects/api/sqlite-storage-api/).
    pub type Storage;

    #[wasm_bindgen(method, catch, getter)]
    pub fn sql(this: &Storage) -> Result<Sql, JsValue>;

    /// Runs the callback in a transaction that is rolled back when it throws.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    pub fn transaction_sync(
        this: &Storage,
        work: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    pub fn set_alarm(this: &Storage, at: f64) -> Result<Promise, JsValue>;

    /// `SqlStorage`.
    pub type Sql;

    #[wasm_bindgen(method, catch, variadic)]
    pub fn exec(this: &Sql, text: &JsString, params: Vec<JsValue>) -> Result<Cursor, JsValue>;

    /// `SqlStorageCursor`.
    pub type Cursor;

    #[wasm_bindgen(method, catch)]
    pub fn raw(this: &Cursor) -> Result<RawRows, JsValue>;

    #[wasm_bindgen(method, getter, js_name = rowsRead)]
    pub fn rows_read(this: &Cursor) -> f64;

    #[wasm_bindgen(method, getter, js_name = rowsWritten)]
    pub fn rows_written(this: &Cursor) -> f64;

    /// An iterator over rows as arrays.
    pub type RawRows;

    /// All rows at once: a cursor is no snapshot, and one call is cheaper than one a row.
    #[wasm_bindgen(method, catch, js_name = toArray)]
    pub fn to_array(this: &RawRows) -> Result<Array, JsValue>;
}
