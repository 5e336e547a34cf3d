//! Whether two namespaces have an id in common, decided exactly.
//!
//! Both expressions and the shape of a local id are walked through side by side, as automata: if
//! some string brings all of them to the end, it is an id that both namespaces contain.

use std::collections::{HashSet, VecDeque};

use regex_automata::{
    Anchored, Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson,
};
use ruma::ServerName;

use crate::namespaces::anchored;

/// How many combinations of states are looked at before giving up.
const MAX_STATES: usize = 5_000;

/// How much memory the states of one automaton may take.
const MAX_CACHE_BYTES: usize = 2 * 1024 * 1024;

/// The comparison was given up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooComplex;

struct Automaton {
    dfa: DFA,
    cache: Cache,
}

impl Automaton {
    fn new(source: &str) -> Result<Self, TooComplex> {
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .cache_capacity(MAX_CACHE_BYTES)
                    .skip_cache_capacity_check(true)
                    // State ids must stay valid: rather fail than begin again with an empty cache.
                    .minimum_cache_clear_count(Some(0)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(256 * 1024)))
            .build(&anchored(source))
            .map_err(|_| TooComplex)?;
        let cache = dfa.create_cache();
        Ok(Self { dfa, cache })
    }

    fn start(&mut self) -> Result<LazyStateID, TooComplex> {
        let input = Input::new("").anchored(Anchored::Yes);
        self.dfa.start_state_forward(&mut self.cache, &input).map_err(|_| TooComplex)
    }

    /// The state after one more byte; `None` when nothing can match any more.
    fn step(&mut self, state: LazyStateID, byte: u8) -> Result<Option<LazyStateID>, TooComplex> {
        let next = self.dfa.next_state(&mut self.cache, state, byte).map_err(|_| TooComplex)?;
        if next.is_quit() {
            return Err(TooComplex);
        }
        Ok((!next.is_dead()).then_some(next))
    }

    fn accepts(&mut self, state: LazyStateID) -> Result<bool, TooComplex> {
        let end = self.dfa.next_eoi_state(&mut self.cache, state).map_err(|_| TooComplex)?;
        Ok(end.is_match())
    }
}

/// Whether some id of this server that starts with `sigil` matches both expressions.
pub(crate) fn overlap(left: &str, right: &str, sigil: char, server_name: &ServerName) -> Result<bool, TooComplex> {
    let local = format!("{}[^:]*:{}", regex::escape(&sigil.to_string()), regex::escape(server_name.as_str()));
    let mut automata = [left, right, &local].into_iter().map(Automaton::new).collect::<Result<Vec<_>, _>>()?;
    let start = automata.iter_mut().map(Automaton::start).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some(states) = queue.pop_front() {
        if all_accept(&mut automata, &states)? {
            return Ok(true);
        }
        for byte in b'!'..=u8::MAX {
            let Some(next) = advance(&mut automata, &states, byte)? else {
                continue;
            };
            if seen.insert(next.clone()) {
                if seen.len() > MAX_STATES {
                    return Err(TooComplex);
                }
                queue.push_back(next);
            }
        }
    }
    Ok(false)
}

fn all_accept(automata: &mut [Automaton], states: &[LazyStateID]) -> Result<bool, TooComplex> {
    for (automaton, state) in automata.iter_mut().zip(states) {
        if !automaton.accepts(*state)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn advance(
    automata: &mut [Automaton],
    states: &[LazyStateID],
    byte: u8,
) -> Result<Option<Vec<LazyStateID>>, TooComplex> {
    let mut next = Vec::with_capacity(states.len());
    for (automaton, state) in automata.iter_mut().zip(states) {
        match automaton.step(*state, byte)? {
            Some(state) => next.push(state),
            None => return Ok(None),
        }
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(left: &str, right: &str) -> Result<bool, TooComplex> {
        overlap(left, right, '@', ruma::server_name!("hub.example"))
    }

    #[test]
    fn namespaces_with_a_common_id_overlap() {
        assert_eq!(share("@irc_.*", "@irc_.*:hub\\.example"), Ok(true));
        assert_eq!(share("@irc_[a-m]+:.*", "@irc_[k-z]+:.*"), Ok(true));
        assert_eq!(share("@.*_bot:.*", "@irc_.*"), Ok(true));
    }

    #[test]
    fn namespaces_without_a_common_local_id_do_not_overlap() {
        assert_eq!(share("@irc_.*", "@slack_.*"), Ok(false));
        assert_eq!(share("@irc_[a-m]+:.*", "@irc_[n-z]+:.*"), Ok(false));
        // They share ids, but none of this server.
        assert_eq!(share("@irc_.*", "@.*:other\\.example"), Ok(false));
        assert_eq!(share("@irc_", "@irc_.*"), Ok(false));
    }
}
