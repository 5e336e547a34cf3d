//! An object that runs the storage suite inside workerd, and panics on request: for tests.
//!
//! Reached through the operator's endpoint only ([`crate::admin`]), and only where the variable
//! `FAILPOINTS` is `on`. It forgets everything at the end of each run.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    conformance::{self, Fixture, Outcome, SCHEMAS},
    database::{Database, DatabaseError},
};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    Env, Method, Request, RequestInit, Response, Result, State, Storage, Stub,
    js_sys::{Promise, Uint8Array},
    web_sys,
    worker_sys::DurableObjectState,
};

use crate::{
    isolate::{self, Isolate},
    lifeline, operations,
    ports::{database::ObjectDatabase, failpoints::panic_on_purpose, objects::OBJECT_URL},
};

/// What the probe can be asked.
#[derive(Serialize, Deserialize)]
enum ProbeCommand {
    /// Runs the suite of an object's database.
    Database,
    /// Migrates the schema of this number in [`SCHEMAS`] from this version, on an empty database.
    Schema(usize, usize),
    /// Panics.
    Panic,
}

/// The report of all suites.
#[derive(Serialize)]
pub struct Report {
    /// Whether all cases passed.
    passed: bool,
    /// Each case.
    cases: Vec<Outcome>,
}

/// Runs the storage suite against an object's database, every schema and both D1 databases.
pub async fn run(isolate: &Isolate, env: &Env) -> Result<Report> {
    let mut cases = ask(env, "conformance", &ProbeCommand::Database).await?;
    for (number, (name, steps)) in SCHEMAS.iter().enumerate() {
        for from in 0..=steps.len() {
            cases.extend(ask(env, &format!("{name}-{from}"), &ProbeCommand::Schema(number, from)).await?);
        }
    }
    cases.extend(conformance::directory(isolate.context.directory.as_ref()).await);
    cases.extend(conformance::search(isolate.context.search.as_ref()).await);
    Ok(Report { passed: cases.iter().all(|case| case.failure.is_none()), cases })
}

/// Makes a probe panic.
pub async fn panic(env: &Env) -> Result<Response> {
    send(env, "panic", &ProbeCommand::Panic).await
}

async fn ask(env: &Env, name: &str, command: &ProbeCommand) -> Result<Vec<Outcome>> {
    let mut response = send(env, name, command).await?;
    Ok(serde_json::from_slice(&response.bytes().await?)?)
}

async fn send(env: &Env, name: &str, command: &ProbeCommand) -> Result<Response> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(Uint8Array::from(serde_json::to_vec(command)?.as_slice()).into()));
    let request = Request::new_with_init(OBJECT_URL, &init)?;
    operations::count(operations::Counts { object_calls: 1, ..Default::default() });
    let probe: Stub = env.durable_object("PROBES")?.get_by_name(name)?;
    probe.fetch_with_request(request).await
}

/// The object.
#[wasm_bindgen]
pub struct StorageProbe(Rc<Probe>);

struct Probe {
    state: State,
    env: Env,
}

#[wasm_bindgen]
impl StorageProbe {
    /// An instance, when the platform wakes the object.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        Self(Rc::new(Probe { state: state.into(), env }))
    }

    /// A request.
    pub fn fetch(&self, request: web_sys::Request) -> Promise {
        let probe = Rc::clone(&self.0);
        lifeline::promise(async move { probe.answer(request.into()).await.map(web_sys::Response::from) })
    }

    /// The alarm that cases set, which only has to be there.
    pub fn alarm(&self) {}
}

impl Probe {
    async fn answer(&self, mut request: Request) -> Result<Response> {
        if !isolate::get(&self.env).is_ok_and(|isolate| isolate.switches.failpoints) {
            return Response::error("this server is not under test", 403);
        }
        let command = serde_json::from_slice(&request.bytes().await?)?;
        let storage = self.state.storage();
        storage.delete_all().await?;
        let outcomes = self.run(command).await;
        storage.delete_all().await?;
        Response::from_json(&outcomes)
    }

    async fn run(&self, command: ProbeCommand) -> Vec<Outcome> {
        let database = match ObjectDatabase::new(&self.state) {
            Ok(database) => Rc::new(database),
            Err(error) => {
                return vec![Outcome { case: "The database opens".to_owned(), failure: Some(error.to_string()) }];
            }
        };
        match command {
            ProbeCommand::Database => conformance::database(&Workerd { database, storage: self.state.storage() }).await,
            ProbeCommand::Schema(number, from) => SCHEMAS
                .get(number)
                .map(|(name, steps)| conformance::schema(database.as_ref(), name, steps, from))
                .into_iter()
                .collect(),
            ProbeCommand::Panic => {
                panic_on_purpose();
                Vec::new()
            }
        }
    }
}

/// An object's database inside workerd.
struct Workerd {
    database: Rc<ObjectDatabase>,
    storage: Storage,
}

fn failed(error: worker::Error) -> DatabaseError {
    DatabaseError(error.to_string())
}

impl Fixture for Workerd {
    fn database(&self) -> Rc<dyn Database> {
        self.database.clone()
    }

    fn alarm(&self) -> LocalBoxFuture<'_, std::result::Result<Option<i64>, DatabaseError>> {
        Box::pin(async { self.storage.get_alarm().await.map_err(failed) })
    }

    fn disarm(&self) -> LocalBoxFuture<'_, std::result::Result<(), DatabaseError>> {
        Box::pin(async {
            self.database.forget_alarm();
            self.storage.delete_alarm().await.map_err(failed)
        })
    }
}
