//! The user's push rules
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#push-rules-api)).
//!
//! They are kept as account data once the user changed one; until then the defaults apply. ruma's
//! types keep actions that they do not know (like the retired `dont_notify`) as they are.

use std::rc::Rc;

use hubbub_storage::{
    database::{Query, transaction},
    user::account_data,
};
use ruma::{
    UserId,
    push::{
        Action, AnyPushRuleRef, InsertPushRuleError, NewConditionalPushRule, NewPatternedPushRule, NewPushRule,
        NewSimplePushRule, PushCondition, RemovePushRuleError, RuleKind, Ruleset,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{
    UserSyncObject,
    account_data::{PUSH_RULES, write},
};
use crate::{
    contract::user::PushRuleOperation,
    error::{MatrixError, Result},
};

/// The most bytes of all rules.
const MAX_RULES_BYTES: usize = 256 * 1024;

impl UserSyncObject {
    /// Reads or changes the rules; the answer is raw JSON, `null` after a change.
    pub(super) fn push_rules(&self, operation: &PushRuleOperation) -> Result<Box<RawValue>> {
        let mut rules = Ruleset::clone(&*self.rules(self.query())?);
        if let Some(answer) = read(&rules, operation)? {
            return Ok(answer);
        }
        change(&mut rules, operation)?;
        let content = shown(&rules)?;
        if content.len() > MAX_RULES_BYTES {
            return Err(MatrixError::too_large("There are too many push rules."));
        }
        transaction(self.database.as_ref(), |transaction| write(transaction, "", PUSH_RULES, &content))?;
        *self.rules.borrow_mut() = None;
        Ok(serde_json::value::to_raw_value(&())?)
    }

    /// The rules in force: the user's own between the newest defaults.
    pub(super) fn rules(&self, query: &dyn Query) -> Result<Rc<Ruleset>> {
        if let Some(rules) = self.rules.borrow().as_ref() {
            return Ok(rules.clone());
        }
        let defaults = default_rules(&self.user_id);
        let rules = Rc::new(match account_data::get(query, "", PUSH_RULES)? {
            None => defaults,
            Some(content) => {
                let mut stored: Content<Ruleset> = serde_json::from_str(&content)?;
                stored.global.update_with_server_default(defaults);
                stored.global
            }
        });
        *self.rules.borrow_mut() = Some(rules.clone());
        Ok(rules)
    }
}

/// The content of `m.push_rules`.
#[derive(Serialize, Deserialize)]
struct Content<R> {
    global: R,
}

/// The rules as `m.push_rules` and `GET /pushrules/` show them.
pub(super) fn shown(rules: &Ruleset) -> Result<String> {
    Ok(serde_json::to_string(&Content { global: rules })?)
}

/// The predefined rules
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#predefined-rules)): ruma's, and the
/// three for events without `m.mentions`, which newer versions of the spec dropped.
fn default_rules(user_id: &UserId) -> Ruleset {
    let mut rules = Ruleset::server_default(user_id);
    let highlight = json!(["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}]);
    let older = json!({
        "override": [
            {
                "rule_id": ".m.rule.contains_display_name",
                "default": true,
                "enabled": true,
                "conditions": [{"kind": "contains_display_name"}],
                "actions": highlight,
            },
            {
                "rule_id": ".m.rule.roomnotif",
                "default": true,
                "enabled": true,
                "conditions": [
                    {"kind": "event_match", "key": "content.body", "pattern": "@room"},
                    {"kind": "sender_notification_permission", "key": "room"},
                ],
                "actions": ["notify", {"set_tweak": "highlight"}],
            },
        ],
        "content": [{
            "rule_id": ".m.rule.contains_user_name",
            "default": true,
            "enabled": true,
            "pattern": user_id.localpart(),
            "actions": highlight,
        }],
    });
    // The text above always parses; without it the newer rules still hold.
    let older: Ruleset = serde_json::from_value(older).unwrap_or_default();
    let mut overrides = Ruleset::new().override_;
    for rule in std::mem::take(&mut rules.override_) {
        let follower = match rule.rule_id.as_str() {
            ".m.rule.is_user_mention" => older.override_.get(".m.rule.contains_display_name"),
            ".m.rule.is_room_mention" => older.override_.get(".m.rule.roomnotif"),
            _ => None,
        };
        overrides.insert(rule);
        overrides.extend(follower.cloned());
    }
    rules.override_ = overrides;
    rules.content = older.content;
    rules
}

/// The answer of a reading operation; `None` for a changing one.
fn read(rules: &Ruleset, operation: &PushRuleOperation) -> Result<Option<Box<RawValue>>> {
    let answer = match operation {
        PushRuleOperation::GetAll => RawValue::from_string(shown(rules)?)?,
        PushRuleOperation::GetGlobal => raw(rules)?,
        PushRuleOperation::Get { kind, rule_id } => rule_as_json(find(rules, kind, rule_id)?)?,
        PushRuleOperation::GetEnabled { kind, rule_id } => {
            raw(&json!({"enabled": find(rules, kind, rule_id)?.enabled()}))?
        }
        PushRuleOperation::GetActions { kind, rule_id } => {
            raw(&json!({"actions": find(rules, kind, rule_id)?.actions()}))?
        }
        PushRuleOperation::Put { .. }
        | PushRuleOperation::Delete { .. }
        | PushRuleOperation::SetEnabled { .. }
        | PushRuleOperation::SetActions { .. } => return Ok(None),
    };
    Ok(Some(answer))
}

fn change(rules: &mut Ruleset, operation: &PushRuleOperation) -> Result<()> {
    match operation {
        PushRuleOperation::Put { kind, rule_id, rule, before, after } => {
            let rule = new_rule(kind, rule_id, rule)?;
            rules.insert(rule, after.as_deref(), before.as_deref()).map_err(refused_insert)
        }
        PushRuleOperation::Delete { kind, rule_id } => {
            rules.remove(RuleKind::from(kind.as_str()), rule_id).map_err(|error| match error {
                RemovePushRuleError::ServerDefault => MatrixError::invalid_param("A default rule cannot be deleted."),
                _ => no_such_rule(),
            })
        }
        PushRuleOperation::SetEnabled { kind, rule_id, enabled } => {
            rules.set_enabled(RuleKind::from(kind.as_str()), rule_id, *enabled).map_err(|_| no_such_rule())
        }
        PushRuleOperation::SetActions { kind, rule_id, actions } => {
            find(rules, kind, rule_id)?;
            let actions: Vec<Action> = serde_json::from_str(actions.get()).map_err(MatrixError::bad_json)?;
            rules.set_actions(RuleKind::from(kind.as_str()), rule_id, actions).map_err(|_| no_such_rule())
        }
        PushRuleOperation::GetAll
        | PushRuleOperation::GetGlobal
        | PushRuleOperation::Get { .. }
        | PushRuleOperation::GetEnabled { .. }
        | PushRuleOperation::GetActions { .. } => Ok(()),
    }
}

/// The body of `PUT /pushrules/global/{kind}/{ruleId}`.
#[derive(Deserialize)]
struct Body {
    actions: Vec<Action>,
    #[serde(default)]
    conditions: Vec<PushCondition>,
    pattern: Option<String>,
}

fn new_rule(kind: &str, rule_id: &str, body: &RawValue) -> Result<NewPushRule> {
    let body: Body = serde_json::from_str(body.get()).map_err(MatrixError::bad_json)?;
    let rule_id = rule_id.to_owned();
    let bad_id = |error| MatrixError::invalid_param(format_args!("Invalid rule id: {error}"));
    Ok(match RuleKind::from(kind) {
        RuleKind::Override => {
            NewPushRule::Override(NewConditionalPushRule::new(rule_id, body.conditions, body.actions))
        }
        RuleKind::Underride => {
            NewPushRule::Underride(NewConditionalPushRule::new(rule_id, body.conditions, body.actions))
        }
        RuleKind::Content => {
            let pattern = body.pattern.ok_or_else(|| MatrixError::invalid_param("A content rule needs a pattern."))?;
            NewPushRule::Content(NewPatternedPushRule::new(rule_id, pattern, body.actions))
        }
        RuleKind::Room => NewPushRule::Room(NewSimplePushRule::new(rule_id.try_into().map_err(bad_id)?, body.actions)),
        RuleKind::Sender => {
            NewPushRule::Sender(NewSimplePushRule::new(rule_id.try_into().map_err(bad_id)?, body.actions))
        }
        _ => return Err(MatrixError::invalid_param("There is no such kind of rule.")),
    })
}

fn find<'a>(rules: &'a Ruleset, kind: &str, rule_id: &str) -> Result<AnyPushRuleRef<'a>> {
    rules.get(RuleKind::from(kind), rule_id).ok_or_else(no_such_rule)
}

fn rule_as_json(rule: AnyPushRuleRef<'_>) -> Result<Box<RawValue>> {
    match rule {
        AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => raw(rule),
        AnyPushRuleRef::Content(rule) => raw(rule),
        AnyPushRuleRef::Room(rule) => raw(rule),
        AnyPushRuleRef::Sender(rule) => raw(rule),
        _ => Err(no_such_rule()),
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(value)?)
}

fn no_such_rule() -> MatrixError {
    MatrixError::not_found("There is no such push rule.")
}

fn refused_insert(error: InsertPushRuleError) -> MatrixError {
    match error {
        InsertPushRuleError::UnknownRuleId => {
            MatrixError::new(400, "M_UNKNOWN", "before/after: there is no such push rule.")
        }
        error => MatrixError::invalid_param(error),
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn the_default_rules_are_those_of_the_spec_in_its_order() {
        let rules = default_rules(user_id!("@alice:hub"));
        let ids: Vec<&str> = rules.override_.iter().map(|rule| rule.rule_id.as_str()).collect();
        assert_eq!(
            ids,
            [
                ".m.rule.master",
                ".m.rule.suppress_notices",
                ".m.rule.invite_for_me",
                ".m.rule.member_event",
                ".m.rule.is_user_mention",
                ".m.rule.contains_display_name",
                ".m.rule.is_room_mention",
                ".m.rule.roomnotif",
                ".m.rule.tombstone",
                ".m.rule.reaction",
                ".m.rule.room.server_acl",
                ".m.rule.suppress_edits",
            ]
        );
        assert_eq!(rules.content.len(), 1);
        assert_eq!(rules.content[0].pattern, "alice");
    }

    #[test]
    fn changed_defaults_survive_being_stored() {
        let mut rules = default_rules(user_id!("@alice:hub"));
        rules.set_enabled(RuleKind::Content, ".m.rule.contains_user_name", false).unwrap();
        let mut stored: Content<Ruleset> = serde_json::from_str(&shown(&rules).unwrap()).unwrap();
        stored.global.update_with_server_default(default_rules(user_id!("@alice:hub")));
        assert_eq!(shown(&stored.global).unwrap(), shown(&rules).unwrap());
    }
}
