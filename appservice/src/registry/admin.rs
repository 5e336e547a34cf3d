//! What the operator does: register, unregister and list appservices.
//!
//! For the operator's endpoints only: the caller has checked the admin token.

use hubbub_core::{
    context::{Appservices as _, Context},
    contract::{self, Address, user::UserCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::appservices::{self, AppserviceRow};
use ruma::{OwnedUserId, UserId, api::appservice::Namespaces};
use serde::{Deserialize, Serialize};

use super::{Registered, Registry};
use crate::{
    endpoint::StoredRegistration,
    namespaces::{Pattern, contains_exclusively},
    overlap::overlap,
    registration::{ParsedRegistration, RegistrationError, parse},
    tokens::{self, TokenHasher},
};

/// An appservice as the operator sees it: everything but its tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppserviceSummary {
    /// Its id.
    pub id: String,
    /// The user id of its bot.
    pub bot: OwnedUserId,
    /// Where it is reached; `None`: it receives nothing, or in process.
    pub url: Option<String>,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Whether it receives typing and receipts.
    pub receive_ephemeral: bool,
    /// Whether its users are subject to rate limits.
    pub rate_limited: bool,
    /// The external protocols that it provides.
    pub protocols: Vec<String>,
    /// Whether it is part of the program and can be neither changed nor removed.
    pub bundled: bool,
}

impl From<RegistrationError> for MatrixError {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::FileTooLarge => MatrixError::too_large(error),
            RegistrationError::Json(_) => MatrixError::bad_json(error),
            RegistrationError::Id
            | RegistrationError::Url
            | RegistrationError::Token(_)
            | RegistrationError::SameTokens
            | RegistrationError::SenderLocalpart
            | RegistrationError::Regex { .. }
            | RegistrationError::TooManyNamespaces
            | RegistrationError::Protocols => MatrixError::invalid_param(error),
        }
    }
}

impl Registry {
    /// Registers an appservice by its registration as JSON, or replaces the registration of the same
    /// id; repeating it changes nothing. Makes the bot's account.
    ///
    /// Refuses (400 `M_EXCLUSIVE`) an exclusive namespace that shares an id of this server with
    /// another appservice's, a bot that belongs to another, and (400 `M_INVALID_PARAM`) an
    /// `as_token` that another one has, an id of a bundled bridge, and what [`parse`] refuses.
    pub async fn register(&self, context: &Context, json: &str) -> Result<AppserviceSummary> {
        let parsed = parse(json, &self.server_name)?;
        let id = parsed.registration.id.clone();
        if self.is_bundled(&id) {
            return Err(MatrixError::invalid_param(format!(
                "The id `{id}` belongs to a bundled bridge; choose another."
            )));
        }
        let rows = appservices::list(context.directory.as_ref()).await?;
        for (other, registered) in self.others(&rows, &id) {
            self.refuse_conflict(&parsed, &other, &registered)?;
        }
        let holder = appservices::owner_of_account(context.directory.as_ref(), parsed.bot.as_str()).await?;
        if holder.is_some_and(|holder| holder.as_deref() != Some(&id)) {
            return Err(exclusive(format!(
                "The user {} exists and does not belong to `{id}`; choose another sender_localpart.",
                parsed.bot
            )));
        }
        let row = self.row(context, &parsed)?;
        appservices::put(context.directory.as_ref(), row).await?;
        self.forget();
        make_account(context, &parsed.bot, &id).await?;
        Ok(summary(parsed))
    }

    /// Removes a registration; 404 `M_NOT_FOUND` when there is none. Its users and rooms stay, its
    /// queue is dropped.
    pub async fn unregister(&self, context: &Context, id: &str) -> Result<()> {
        if self.is_bundled(id) {
            return Err(MatrixError::invalid_param(format!("`{id}` is a bundled bridge and cannot be removed.")));
        }
        let existed = appservices::delete(context.directory.as_ref(), id).await?;
        self.forget();
        if existed { Ok(()) } else { Err(MatrixError::not_found(format!("No appservice is registered as `{id}`."))) }
    }

    /// All appservices, the bundled ones first.
    pub async fn summaries(&self, context: &Context) -> Result<Vec<AppserviceSummary>> {
        let mut summaries = Vec::new();
        for ready in &self.builtins {
            let mut bridge = bundled(&ready.bridge);
            bridge.namespaces = ready.builtin.namespaces.clone();
            summaries.push(bridge);
            summaries.push(bundled(&ready.double_puppet));
        }
        for row in appservices::list(context.directory.as_ref()).await? {
            let stored: StoredRegistration = serde_json::from_str(&row.registration)?;
            let Some(registered) = self.compiled(&row) else {
                continue;
            };
            summaries.push(AppserviceSummary {
                url: stored.url,
                namespaces: stored.namespaces,
                protocols: stored.protocols,
                bundled: false,
                ..bundled(&registered)
            });
        }
        Ok(summaries)
    }

    fn is_bundled(&self, id: &str) -> bool {
        self.builtins.iter().any(|ready| ready.bridge.id == id || ready.double_puppet.id == id)
    }

    /// All appservices but `id`, by their ids.
    fn others(&self, rows: &[AppserviceRow], id: &str) -> Vec<(String, Registered)> {
        let bundled =
            self.builtins.iter().flat_map(|ready| [ready.bridge.as_ref().clone(), ready.double_puppet.clone()]);
        let stored =
            rows.iter().filter(|row| row.id != id).filter_map(|row| Some(self.compiled(row)?.as_ref().clone()));
        bundled.chain(stored).map(|registered| (registered.id.clone(), registered)).collect()
    }

    fn refuse_conflict(&self, parsed: &ParsedRegistration, other: &str, registered: &Registered) -> Result<()> {
        let token = self.hasher.hash(&parsed.registration.as_token);
        if token.is(&registered.token) {
            return Err(MatrixError::invalid_param("Another appservice has this as_token: take a random one."));
        }
        let (ours, theirs) = (&parsed.namespaces, &registered.namespaces);
        if parsed.bot == registered.bot
            || contains_exclusively(&theirs.users, parsed.bot.as_str())
            || contains_exclusively(&ours.users, registered.bot.as_str())
        {
            return Err(exclusive(format!(
                "The bot {} and the exclusive namespaces of `{other}` collide.",
                parsed.bot
            )));
        }
        self.refuse_overlap(&ours.users, &theirs.users, '@', other)?;
        self.refuse_overlap(&ours.aliases, &theirs.aliases, '#', other)
    }

    fn refuse_overlap(&self, ours: &[Pattern], theirs: &[Pattern], sigil: char, other: &str) -> Result<()> {
        for our in ours.iter().filter(|pattern| pattern.exclusive) {
            for their in theirs.iter().filter(|pattern| pattern.exclusive) {
                match overlap(&our.source, &their.source, sigil, &self.server_name) {
                    Ok(false) => {}
                    Ok(true) => {
                        return Err(exclusive(format!(
                            "The exclusive namespace `{}` overlaps `{}` of `{other}`.",
                            our.source, their.source
                        )));
                    }
                    Err(_) => {
                        return Err(exclusive(format!(
                            "The exclusive namespace `{}` is too complex to tell it from `{}` of `{other}`; write a simpler one.",
                            our.source, their.source
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn row(&self, context: &Context, parsed: &ParsedRegistration) -> Result<AppserviceRow> {
        let registration = &parsed.registration;
        let stored = StoredRegistration {
            url: registration.url.clone(),
            sender_localpart: registration.sender_localpart.clone(),
            namespaces: registration.namespaces.clone(),
            rate_limited: registration.rate_limited,
            protocols: registration.protocols.clone().unwrap_or_default(),
            receive_ephemeral: registration.receive_ephemeral,
            unstable_ephemeral: parsed.unstable_ephemeral,
            device_lists: parsed.device_lists,
            manages_devices: parsed.manages_devices,
        };
        let secrets = &context.config.secrets;
        let hs_token_enc = tokens::encrypt(secrets, context.random.as_ref(), &registration.id, &registration.hs_token)
            .map_err(MatrixError::internal)?;
        Ok(AppserviceRow {
            id: registration.id.clone(),
            registration: serde_json::to_string(&stored)?,
            as_token_hash: TokenHasher::new(secrets).hash(&registration.as_token).to_hex(),
            hs_token_enc,
            updated_at: context.clock.now(),
        })
    }
}

fn exclusive(error: String) -> MatrixError {
    MatrixError::new(400, "M_EXCLUSIVE", error)
}

/// Makes the account of an appservice's bot, unless it exists.
async fn make_account(context: &Context, bot: &UserId, id: &str) -> Result<()> {
    let command =
        UserCommand::CreateAccount { password: None, device: None, owner: false, appservice: Some(id.to_owned()) };
    let made: Result<Option<contract::user::NewSession>> =
        contract::call(context.objects.as_ref(), Address::user(bot), &command).await;
    match made {
        Err(error) if error.errcode != "M_USER_IN_USE" => Err(error),
        _ => Ok(()),
    }
}

fn summary(parsed: ParsedRegistration) -> AppserviceSummary {
    let registration = parsed.registration;
    AppserviceSummary {
        id: registration.id,
        bot: parsed.bot,
        url: registration.url,
        namespaces: registration.namespaces,
        receive_ephemeral: registration.receive_ephemeral,
        rate_limited: registration.rate_limited.unwrap_or(true),
        protocols: registration.protocols.unwrap_or_default(),
        bundled: false,
    }
}

/// A bundled registration; its namespaces are filled in by the caller.
fn bundled(registered: &Registered) -> AppserviceSummary {
    AppserviceSummary {
        id: registered.id.clone(),
        bot: registered.bot.clone(),
        url: None,
        namespaces: Namespaces::new(),
        receive_ephemeral: registered.receives_ephemeral,
        rate_limited: registered.rate_limited,
        protocols: Vec::new(),
        bundled: true,
    }
}
