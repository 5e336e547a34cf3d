//! The storage suite on `rusqlite`; the same cases run inside workerd.

use std::rc::Rc;

use futures_util::{FutureExt as _, future::LocalBoxFuture};
use hubbub_storage::{
    conformance::{self, Fixture, Outcome, SCHEMAS},
    database::{Database, DatabaseError},
    native::{NativeDatabase, NativeDirectory},
};

struct Native(Rc<NativeDatabase>);

impl Fixture for Native {
    fn database(&self) -> Rc<dyn Database> {
        self.0.clone()
    }

    fn alarm(&self) -> LocalBoxFuture<'_, Result<Option<i64>, DatabaseError>> {
        Box::pin(std::future::ready(Ok(self.0.alarm())))
    }

    fn disarm(&self) -> LocalBoxFuture<'_, Result<(), DatabaseError>> {
        self.0.take_alarm();
        Box::pin(std::future::ready(Ok(())))
    }
}

fn assert_all_passed(outcomes: &[Outcome]) {
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!outcomes.is_empty());
}

#[test]
fn an_objects_database_on_rusqlite_passes_the_suite() {
    let fixture = Native(Rc::new(NativeDatabase::in_memory().unwrap()));
    let outcomes = conformance::database(&fixture).now_or_never().expect("nothing waits natively");
    assert_all_passed(&outcomes);
}

#[test]
fn every_schema_migrates_from_each_version() {
    for (name, steps) in SCHEMAS {
        for from in 0..=steps.len() {
            let database = NativeDatabase::in_memory().unwrap();
            assert_all_passed(&[conformance::schema(&database, name, steps, from)]);
        }
    }
}

#[test]
fn the_index_on_rusqlite_passes_the_suite() {
    let search = NativeDirectory::search().unwrap();
    let outcomes = conformance::search(&search).now_or_never().expect("nothing waits natively");
    assert_all_passed(&outcomes);
}

#[test]
fn the_directory_on_rusqlite_passes_the_suite() {
    let directory = NativeDirectory::with_migrations([]).unwrap();
    let outcomes = conformance::directory(&directory).now_or_never().expect("nothing waits natively");
    assert_all_passed(&outcomes);
}
