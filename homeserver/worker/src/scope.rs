//! What belongs to the task that is running: whose bill it adds to, and which object it runs in.
//!
//! All objects of an isolate share one instance of this program, and their tasks interleave at every
//! `await`: so "current" is set anew around each poll ([`Scoped`]) instead of once.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::operations::Counts;

/// What one request has cost so far.
pub type Bill = Rc<Cell<Counts>>;

/// An object that can be made to lose its memory, as the platform does at any time.
pub trait Abort {
    /// Resets the object: what it has not committed is gone, and its next request opens it anew.
    fn abort(&self);
}

/// What a task belongs to.
#[derive(Clone, Default)]
pub struct Scope {
    /// Where its operations are added, beside the totals.
    pub bill: Option<Bill>,
    /// The object that it runs in.
    pub object: Option<Rc<dyn Abort>>,
}

thread_local! {
    static CURRENT: RefCell<Scope> = const { RefCell::new(Scope { bill: None, object: None }) };
}

/// The scope of the task that is being polled.
pub fn current() -> Scope {
    CURRENT.with_borrow(Clone::clone)
}

/// A future that runs within a scope.
pub struct Scoped<F> {
    scope: Scope,
    future: Pin<Box<F>>,
}

/// Runs `future` within `scope`, wherever it is polled from.
pub fn within<F: Future>(scope: Scope, future: F) -> Scoped<F> {
    Scoped { scope, future: Box::pin(future) }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let outer = CURRENT.replace(self.scope.clone());
        let outcome = self.future.as_mut().poll(context);
        CURRENT.set(outer);
        outcome
    }
}
