//! The rows of D1 that a UserSyncObject writes: its account, its profile, and that it was deactivated.

use super::account::Account;
use crate::directory::{Statement, user_directory::folded};

/// Lists the account and its profile. Repeating it changes nothing, and an older revision of the
/// profile never wins.
pub fn statements(user_id: &str, account: &Account) -> Vec<Statement> {
    let mut statements = vec![
        Statement::new(
            "INSERT INTO accounts (user_id, owner, appservice_id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET owner = excluded.owner, appservice_id = excluded.appservice_id",
            vec![
                user_id.into(),
                account.owner.into(),
                account.appservice_id.as_ref().into(),
                account.created_at.into(),
            ],
        ),
        Statement::new(
            "INSERT INTO profiles (user_id, displayname, avatar_url, folded_name, revision) VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET displayname = excluded.displayname, avatar_url = excluded.avatar_url, folded_name = excluded.folded_name, revision = excluded.revision WHERE profiles.revision < excluded.revision",
            vec![
                user_id.into(),
                account.displayname.as_ref().into(),
                account.avatar_url.as_ref().into(),
                account.displayname.as_deref().map(folded).into(),
                account.revision.into(),
            ],
        ),
    ];
    if let Some(deactivated_at) = account.deactivated_at {
        statements.push(Statement::new(
            "INSERT INTO deactivations (user_id, deactivated_at, erased) VALUES (?, ?, ?) ON CONFLICT (user_id) DO NOTHING",
            vec![user_id.into(), deactivated_at.into(), account.erased.into()],
        ));
    }
    statements
}
