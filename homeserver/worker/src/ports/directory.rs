//! D1 as the core's [`Directory`].
//!
//! Bound here rather than through `worker`, whose results go through serde: D1 returns each row as
//! an object, and its values in the order of the columns are what the port wants. So a query that
//! returns two columns of one name would lose one of them; give such columns names.

use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    database::{DatabaseError, Row},
    directory::{Directory, Statement},
};
use wasm_bindgen::prelude::*;
use worker::{
    Env,
    js_sys::{Array, Object, Promise, Reflect},
    wasm_bindgen_futures::JsFuture,
};

use super::values;
use crate::{
    javascript::database_error,
    operations::{Counts, count},
};

#[wasm_bindgen]
extern "C" {
    /// [`D1Database`](https://developers.cloudflare.com/d1/worker-api/d1-database/).
    type D1;

    #[wasm_bindgen(method, catch)]
    fn prepare(this: &D1, sql: &str) -> Result<Prepared, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn batch(this: &D1, statements: &Array) -> Result<Promise, JsValue>;

    /// `D1PreparedStatement`.
    type Prepared;

    #[wasm_bindgen(method, catch, variadic)]
    fn bind(this: &Prepared, params: Vec<JsValue>) -> Result<Prepared, JsValue>;

    /// `D1Result`.
    type D1Result;

    #[wasm_bindgen(method, getter)]
    fn results(this: &D1Result) -> Option<Array>;

    #[wasm_bindgen(method, getter)]
    fn meta(this: &D1Result) -> JsValue;
}

/// A D1 database: the one bound as `DB`, or the one bound as `SEARCH`.
pub struct D1Directory(D1);

impl D1Directory {
    /// The database bound under this name.
    pub fn new(env: &Env, binding: &str) -> Result<Self, DatabaseError> {
        let database = Reflect::get(env, &binding.into()).map_err(database_error)?;
        if database.is_undefined() {
            return Err(DatabaseError(format!("there is no binding {binding}")));
        }
        Ok(Self(database.unchecked_into()))
    }

    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let prepared = Array::new();
        for statement in &statements {
            let bound = self
                .0
                .prepare(statement.sql)
                .and_then(|prepared| Ok(prepared.bind(values::bind(&statement.params).map_err(thrown)?)?.into()))
                .map_err(database_error)?;
            let bound: JsValue = bound;
            prepared.push(&bound);
        }
        count(Counts { d1_batches: 1, d1_statements: u64::from(prepared.length()), ..Counts::default() });
        let promise = self.0.batch(&prepared).map_err(database_error)?;
        let results: Array = JsFuture::from(promise).await.map_err(database_error)?.unchecked_into();
        results.iter().map(|result| read(&result.unchecked_into())).collect()
    }
}

fn thrown(error: DatabaseError) -> JsValue {
    JsValue::from_str(&error.0)
}

fn read(result: &D1Result) -> Result<Vec<Row>, DatabaseError> {
    let meta = result.meta();
    let metered = |name: &str| {
        let number = Reflect::get(&meta, &name.into()).ok().and_then(|number| number.as_f64());
        values::count(number.unwrap_or_default())
    };
    count(Counts { d1_rows_read: metered("rows_read"), d1_rows_written: metered("rows_written"), ..Counts::default() });
    let rows = result.results().unwrap_or_default();
    rows.iter()
        .map(|row| {
            let cells = Object::values(row.unchecked_ref());
            cells.iter().map(|cell| values::read(&cell)).collect::<Result<_, _>>().map(Row)
        })
        .collect()
}

impl Directory for D1Directory {
    fn batch(&self, statements: Vec<Statement>) -> LocalBoxFuture<'_, Result<Vec<Vec<Row>>, DatabaseError>> {
        Box::pin(async move {
            let Some(first) = statements.first().map(|statement| statement.sql) else { return Ok(Vec::new()) };
            self.run(statements).await.map_err(|error| DatabaseError(format!("D1: {} in {first}", error.0)))
        })
    }
}
