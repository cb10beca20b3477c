//! Reads what `nft -j list ruleset` prints (`libnftables-json(5)`): chains, rules, sets.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::nft_expression::{Names, expand};
use super::{Chain, Family, Hook, Maker, Point, Rule};

/// The chains of a listing. Those that iptables made are among them, with conditions that nft cannot tell.
pub fn read_nft(listing: &str) -> Result<Vec<Chain>, serde_json::Error> {
    let document: Json = serde_json::from_str(listing)?;
    let objects = document.get("nftables").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let sets = sets(objects);
    let mut chains: Vec<Chain> = objects.iter().filter_map(|object| chain(object.get("chain")?)).collect();
    for rule in objects.iter().filter_map(|object| object.get("rule")) {
        let (Some(family), Some(table), Some(name)) =
            (family(rule), text(rule, "table"), text(rule, "chain"))
        else {
            continue;
        };
        let of_table =
            |chain: &&mut Chain| chain.family == family && chain.table == table && chain.name == name;
        let Some(chain) = chains.iter_mut().find(of_table) else { continue };
        let names = Names { sets: &sets, family, table: &table };
        chain.rules.extend(rules(rule, &names));
    }
    Ok(chains)
}

/// Whether iptables has made tables of that family here: then its own listing tells more.
pub fn has_iptables_tables(chains: &[Chain], family: Family) -> bool {
    const TABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];
    const CHAINS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    chains.iter().any(|chain| {
        chain.family == family
            && TABLES.contains(&chain.table.as_str())
            && CHAINS.contains(&chain.name.as_str())
    })
}

fn family(object: &Json) -> Option<Family> {
    Family::from_word(object.get("family")?.as_str()?)
}

fn text(object: &Json, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

/// The elements of named sets and maps, by family, table and name.
fn sets(objects: &[Json]) -> HashMap<(Family, String, String), Vec<Json>> {
    let mut sets = HashMap::new();
    for set in objects.iter().filter_map(|object| object.get("set").or_else(|| object.get("map"))) {
        let (Some(family), Some(table), Some(name)) = (family(set), text(set, "table"), text(set, "name"))
        else {
            continue;
        };
        let elements = set.get("elem").and_then(Json::as_array).cloned().unwrap_or_default();
        sets.insert((family, table, name), elements);
    }
    sets
}

fn chain(chain: &Json) -> Option<Chain> {
    Some(Chain {
        maker: Maker::Nft,
        family: family(chain)?,
        table: text(chain, "table")?,
        name: text(chain, "name")?,
        hook: hook(chain),
        rules: Vec::new(),
    })
}

fn hook(chain: &Json) -> Option<Hook> {
    let point = Point::from_word(chain.get("hook")?.as_str()?)?;
    let priority = chain.get("prio").and_then(Json::as_i64).unwrap_or_default();
    let device = chain.get("dev").and_then(|device| device.as_str().or_else(|| device.get(0)?.as_str()));
    Some(Hook {
        point,
        translates: text(chain, "type").as_deref() == Some("nat"),
        priority: i32::try_from(priority).unwrap_or_default(),
        accepts: text(chain, "policy").as_deref() != Some("drop"),
        device: device.map(str::to_owned),
    })
}

/// One rule, or several where a map decides what it does.
fn rules(rule: &Json, names: &Names<'_>) -> Vec<Rule> {
    let expressions = rule.get("expr").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let counter =
        expressions.iter().find_map(|expression| expression.get("counter")?.get("packets")?.as_u64());
    let handle = rule.get("handle").and_then(Json::as_u64);
    let alternatives = expand(expressions, names);
    alternatives
        .into_iter()
        .map(|(conditions, action, text)| Rule { handle, text, packets: counter, conditions, action })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::firewall::{Action, Condition, Field, Value};

    const LISTING: &str = include_str!("recorded/nft-1.0.6-ruleset.json");

    fn chains() -> Vec<Chain> {
        read_nft(LISTING).unwrap()
    }

    fn named<'a>(chains: &'a [Chain], name: &str) -> &'a Chain {
        chains.iter().find(|chain| chain.name == name).unwrap()
    }

    /// Rules as nft 1.0.6 tells them, and what they are.
    #[test]
    fn flags_queues_and_exceptions_are_read() {
        let opens = |negated| {
            let values = vec![Value::Name("*".to_owned())];
            vec![tcp(), Condition::Is { field: Field::Opens, negated, values }]
        };
        let flags = r#"{"payload": {"protocol": "tcp", "field": "flags"}}"#;
        let masked = |operator: &str, mask: &str| {
            format!(
                r#"{{"match": {{"op": "{operator}", "left": {{"&": [{flags}, {mask}]}}, "right": "syn"}}}}"#
            )
        };
        let plain = |operator: &str| {
            format!(r#"{{"match": {{"op": "{operator}", "left": {flags}, "right": "syn"}}}}"#)
        };
        let drop = r#"{"drop": null}"#.to_owned();
        for (condition, expected) in [
            (masked("==", r#"["syn", "ack"]"#), opens(false)),
            (masked("!=", r#"["fin", "syn", "rst", "ack"]"#), opens(true)),
            (plain("=="), opens(false)),
            (plain("in"), vec![tcp()]),
        ] {
            assert_eq!(rule(&[condition.clone(), drop.clone()]).conditions, expected, "{condition}");
        }
        let unknown = rule(&[masked("==", r#"["syn", "rst"]"#), drop]).conditions;
        assert!(matches!(unknown[..], [Condition::Unknown(_)]), "an answer may match, too: {unknown:?}");
        let queue = rule(&[r#"{"queue": {"num": {"range": [3, 4]}, "flags": "bypass"}}"#.to_owned()]);
        assert_eq!(queue.action, Action::Queue { first: 3, last: 4, bypass: true });
        assert_eq!(rule(&[r#"{"notrack": null}"#.to_owned()]).action, Action::Untrack);
    }

    fn tcp() -> Condition {
        Condition::is(Field::Protocol, Value::Name("tcp".to_owned()))
    }

    fn rule(expressions: &[String]) -> Rule {
        let names = Names { sets: &HashMap::new(), family: Family::Ip, table: "t" };
        let text = format!(r#"{{"expr": [{}]}}"#, expressions.join(", "));
        rules(&serde_json::from_str(&text).unwrap(), &names).remove(0)
    }

    #[test]
    fn chains_have_their_hooks() {
        let chains = chains();
        let hook = named(&chains, "guard").hook.clone().unwrap();
        assert_eq!((hook.point, hook.priority, hook.accepts), (Point::Prerouting, -300, true));
        assert!(named(&chains, "outward").hook.as_ref().unwrap().translates);
        assert_eq!(named(&chains, "published").hook, None);
    }

    #[test]
    fn rules_are_understood_whole() {
        let chains = chains();
        for rule in chains.iter().flat_map(|chain| &chain.rules) {
            let unknown = |condition: &Condition| matches!(condition, Condition::Unknown(_));
            assert!(!rule.conditions.iter().any(unknown), "{rule:?}");
            assert!(!matches!(rule.action, Action::Unknown(_)), "{rule:?}");
        }
    }

    #[test]
    fn a_map_is_a_rule_for_each_of_its_elements() {
        let chains = chains();
        let published = named(&chains, "published");
        let by_port = |port: u64| {
            published.rules.iter().find(|rule| {
                rule.conditions.iter().any(|condition| {
                    matches!(condition, Condition::Is { field: Field::DestinationPort, values, .. }
                        if values.contains(&Value::Numbers(port, port)))
                })
            })
        };
        assert!(matches!(by_port(8080).unwrap().action, Action::ToDestination { port: Some(80), .. }));
        assert!(matches!(by_port(8443).unwrap().action, Action::ToDestination { port: Some(443), .. }));
    }

    #[test]
    fn a_verdict_map_and_a_named_set_are_followed() {
        let chains = chains();
        let input = named(&chains, "by_state");
        let actions: Vec<&Action> = input.rules.iter().map(|rule| &rule.action).collect();
        assert!(actions.contains(&&Action::Accept) && actions.contains(&&Action::Drop), "{actions:?}");
        let blocked = input.rules.iter().find(|rule| rule.text.contains("@blocked")).unwrap();
        assert_eq!(blocked.handle, Some(5));
        assert_eq!(blocked.packets, Some(3));
    }
}
