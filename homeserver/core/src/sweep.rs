//! What Cron does: it wakes objects that may have been left asleep with work to do.
//!
//! An object arms its own alarm, but the platform gives an alarm up after six failures, and Cron
//! cannot list objects. So objects whose work is late note themselves in D1, and besides those a few
//! of all objects that D1 lists are poked in turn. Poking does no harm: an object without work
//! answers and sleeps on.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};
use hubbub_storage::directory::{owner_links, stuck, sweeps};

use crate::{
    context::Context,
    contract::{self, Address, Class},
    error::Result,
};

/// How many stuck objects one sweep pokes.
const STUCK_LIMIT: u32 = 50;
/// How many objects of each class one sweep pokes. A lost alarm is rare, each poke is billed, and a
/// tick comes every few minutes: a hundred rooms have their turn within two hours.
const CLASS_LIMIT: u32 = 5;
/// How many pokes wait at the same time.
const CONCURRENT: usize = 8;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that had noted themselves.
    pub stuck: usize,
    /// Objects whose turn it was.
    pub in_turn: usize,
    /// Objects that did not answer.
    pub silent: usize,
}

/// Every few minutes: pokes the objects that noted themselves as stuck, and the next ones of each
/// class.
pub async fn poke(context: &Context) -> Result<Swept> {
    let stuck = stuck::list(context.directory.as_ref(), STUCK_LIMIT).await?;
    let stuck: Vec<_> = stuck.iter().filter_map(|(class, name)| address(class, name)).collect();
    let in_turn = next_in_turn(context).await?;
    let mut swept = Swept { stuck: stuck.len(), in_turn: in_turn.len(), silent: 0 };
    swept.silent = poke_all(context, stuck.into_iter().chain(in_turn)).await;
    Ok(swept)
}

/// Once a day: forgets what expired, and pokes the objects whose rows in D1 do not agree. Returns
/// what did not.
pub async fn tidy(context: &Context) -> Result<Vec<sweeps::Disagreement>> {
    let directory = context.directory.as_ref();
    owner_links::forget_expired(directory, context.clock.now()).await?;
    let found = sweeps::disagreements(directory).await?;
    let mut objects: Vec<_> = found.iter().filter_map(|found| address(found.class, &found.name)).collect();
    objects.sort_by(|left, right| left.name.cmp(&right.name));
    objects.dedup();
    poke_all(context, objects).await;
    Ok(found)
}

/// The next objects of each class, after those of the last sweep; the end of a list starts over.
async fn next_in_turn(context: &Context) -> Result<Vec<Address>> {
    let directory = context.directory.as_ref();
    let mut positions: HashMap<_, _> = sweeps::positions(directory).await?.into_iter().collect();
    let after: Vec<_> = sweeps::classes().map(|class| (class, positions.remove(class).unwrap_or_default())).collect();
    let names = sweeps::list_after(directory, &after, CLASS_LIMIT).await?;
    let limit = usize::try_from(CLASS_LIMIT).unwrap_or(usize::MAX);
    let ends = after.iter().zip(&names).map(|((class, _), names)| {
        let last = if names.len() < limit { None } else { names.last().cloned() };
        (*class, last.unwrap_or_default())
    });
    // Before the pokes: one object that stops the sweep must not be met first again and again.
    sweeps::set_positions(directory, &ends.collect::<Vec<_>>()).await?;
    let listed =
        after.iter().zip(names).flat_map(|((class, _), names)| names.into_iter().map(move |name| (class, name)));
    Ok(listed.filter_map(|(class, name)| address(class, &name)).collect())
}

/// Pokes objects and returns how many did not answer.
async fn poke_all(context: &Context, objects: impl IntoIterator<Item = Address>) -> usize {
    stream::iter(objects)
        .map(|address| async {
            let shown = format!("{:?} {}", address.class, address.name);
            // Every contract has a command of this name.
            let outcome: Result<()> = contract::call(context.objects.as_ref(), address, &"Poke").await;
            if let Err(error) = &outcome {
                tracing::warn!("{shown} did not answer to a poke: {error}");
            }
            outcome
        })
        .buffer_unordered(CONCURRENT)
        .filter(|outcome| std::future::ready(outcome.is_err()))
        .count()
        .await
}

fn address(class: &str, name: &str) -> Option<Address> {
    let class = match class {
        "Room" => Class::Room,
        "User" => Class::User,
        "UserKeys" => Class::UserKeys,
        "Appservice" => Class::Appservice,
        "Login" => Class::Login,
        "Portal" => Class::Portal,
        "Gateway" => Class::Gateway,
        _ => return None,
    };
    Some(Address::new(class, name))
}
