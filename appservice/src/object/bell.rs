//! A bell that wakes whoever waits for it; in memory only.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Rung by one task, heard by others of the same object.
#[derive(Default)]
pub(super) struct Bell {
    rung: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Bell {
    /// Wakes all who wait.
    pub(super) fn ring(&self) {
        self.rung.set(self.rung.get().wrapping_add(1));
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Ready once the bell was rung after this call.
    pub(super) fn next(&self) -> Next<'_> {
        Next { bell: self, seen: self.rung.get() }
    }
}

/// The future of [`Bell::next`].
pub(super) struct Next<'a> {
    bell: &'a Bell,
    seen: u64,
}

impl Future for Next<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.bell.rung.get() != self.seen {
            return Poll::Ready(());
        }
        let mut waiting = self.bell.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}
