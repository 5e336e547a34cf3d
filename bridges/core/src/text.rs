//! What a message says, between Matrix and any network, without I/O.
//!
//! Everything meets in one small document model ([`document`]): the HTML of Matrix clients is read
//! into it ([`mod@from_html`]) and written from it ([`mod@to_html`], [`mod@to_body`]), and a connector adds one
//! reader and one writer for its network's own format. So each format is known in one reader and one
//! writer, and a round trip is a property of the model.
//!
//! Names and addresses come from the caller, through [`Names`] and [`Addresses`]. Open
//! [`document`] next.

pub mod document;
mod from_html;
mod html_guard;
pub mod lines;
pub mod links;
mod names;
mod normalise;
mod split;
mod to_body;
mod to_html;

pub use from_html::from_html;
pub use names::{Addresses, Channel, Names, Person};
pub use normalise::normalise;
pub use split::split;
pub use to_body::to_body;
pub use to_html::{mentions, needs_html, to_html};
