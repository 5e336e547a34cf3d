//! The engine's objects as a server hosts them: with the networks that it has.
//!
//! The engine itself is compiled once, whatever the number of networks: [`LoginObject`] and [`PortalObject`] speak to a
//! `dyn Network`. Which one, an object's name tells.

use std::{marker::PhantomData, rc::Rc};

use futures_util::future::LocalBoxFuture;
use hubbub_core::{context::Context, error::Result, object::Object};
use hubbub_storage::database::Database;

use crate::{
    contract::{LoginCommand, PortalCommand},
    login::LoginObject,
    network::Network,
    portal::PortalObject,
};

/// The networks that a server bridges to.
pub trait Networks: 'static {
    /// The network of the login or portal with this name.
    fn of(name: &str, context: Rc<Context>) -> Rc<dyn Network>;
}

/// A login with one of the networks `K`.
pub struct Login<K> {
    object: LoginObject,
    networks: PhantomData<K>,
}

impl<K: Networks> Object for Login<K> {
    type Command = LoginCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        let network = K::of(name, Rc::clone(&context));
        Ok(Self { object: LoginObject::new(name, database, context, network)?, networks: PhantomData })
    }

    fn handle(&self, command: LoginCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        self.object.handle(command)
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        self.object.work()
    }
}

/// A portal of one of the networks `K`.
pub struct Portal<K> {
    object: PortalObject,
    networks: PhantomData<K>,
}

impl<K: Networks> Object for Portal<K> {
    type Command = PortalCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        let network = K::of(name, Rc::clone(&context));
        Ok(Self { object: PortalObject::new(name, database, context, network)?, networks: PhantomData })
    }

    fn handle(&self, command: PortalCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        self.object.handle(command)
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        self.object.work()
    }
}
