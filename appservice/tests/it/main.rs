//! The appservice crate over fakes of all its ports: a D1 with the real migrations, a native object
//! database, and a clock, randomness and HTTP that the tests hold in their hands.

#[cfg(test)]
mod contiguity;
#[cfg(test)]
mod http_transport;
#[cfg(test)]
mod in_process;
#[cfg(test)]
mod intent;
#[cfg(test)]
mod ping;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod support;
