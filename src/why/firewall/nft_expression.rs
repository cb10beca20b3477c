//! One rule's expressions in nft's JSON, as conditions and an action, or as several of them where a map decides.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::model::InterfaceAddress;

use super::{Action, Condition, Family, Field, Value};

/// The named sets that a rule may refer to.
pub(super) struct Names<'a> {
    pub(super) sets: &'a HashMap<(Family, String, String), Vec<Json>>,
    pub(super) family: Family,
    pub(super) table: &'a str,
}

/// What must hold, what happens then, and the rule in words.
pub(super) type Alternative = (Vec<Condition>, Action, String);

/// A rule as one or more alternatives, of which the first that holds counts.
pub(super) fn expand(expressions: &[Json], names: &Names<'_>) -> Vec<Alternative> {
    let text = words(expressions);
    let mut conditions = Vec::new();
    for expression in expressions {
        let Some((kind, value)) = expression.as_object().and_then(|object| object.iter().next()) else {
            conditions.push(Condition::Unknown(expression.to_string()));
            continue;
        };
        match (kind.as_str(), value) {
            ("match", test) => conditions.extend(names.test(test)),
            ("counter" | "log" | "comment", _) => {}
            ("limit" | "quota" | "xt" | "ct count" | "meter" | "connlimit", _) => {
                conditions.push(Condition::Unknown(brief(expression)));
            }
            ("mangle", change) => {
                if let Some(action) = mark(change) {
                    return vec![(conditions, action, text)];
                }
            }
            ("vmap", map) => return names.verdicts(map, &conditions, &text),
            ("dnat", to) => return names.destinations(to, &conditions, &text),
            (kind, value) => {
                if let Some(action) = action(kind, value) {
                    return vec![(conditions, action, text)];
                }
            }
        }
    }
    vec![(conditions, Action::None, text)]
}

/// Verdicts and translations by constants.
fn action(kind: &str, value: &Json) -> Option<Action> {
    let target = || value.get("target").and_then(Json::as_str).map(str::to_owned);
    Some(match kind {
        "accept" => Action::Accept,
        "drop" => Action::Drop,
        "reject" => Action::Reject,
        "return" => Action::Return,
        "continue" => Action::None,
        "jump" => Action::Jump(target()?),
        "goto" => Action::Goto(target()?),
        "masquerade" => Action::FromSource(None),
        "snat" => Action::FromSource(Some(value.get("addr")?.as_str()?.parse().ok()?)),
        "redirect" => Action::ToDestination {
            address: None,
            port: value.get("port").and_then(Json::as_u64).and_then(|port| port.try_into().ok()),
            redirects: true,
        },
        "notrack" => Action::Untrack,
        "queue" => queue(value),
        "tproxy" | "fwd" | "synproxy" => Action::Unknown(kind.to_owned()),
        // What changes no way: flow offload, helpers, sets that learn.
        _ => return None,
    })
}

/// `queue num 3`, `queue flags bypass num 0-3`
fn queue(value: &Json) -> Action {
    let number = value.get("num").unwrap_or(value);
    let bound = |at: usize| number.get("range").and_then(|range| range.get(at)).unwrap_or(number).as_u64();
    let numbers = bound(0).zip(bound(1)).or(value.is_null().then_some((0, 0)));
    let flag = |flags: &Json| {
        flags == "bypass" || flags.as_array().is_some_and(|all| all.iter().any(|one| one == "bypass"))
    };
    match numbers {
        Some((first, last)) => Action::Queue { first, last, bypass: value.get("flags").is_some_and(flag) },
        None => Action::Unknown("queue".to_owned()),
    }
}

fn mark(change: &Json) -> Option<Action> {
    let key = change.get("key")?.get("meta")?.get("key")?.as_str()?;
    let value = change.get("value")?.as_u64()?;
    (key == "mark")
        .then(|| Action::Mark { clear: u32::MAX, toggle: u32::try_from(value).unwrap_or(u32::MAX) })
}

impl Names<'_> {
    /// The conditions of one comparison, what its fields imply included.
    fn test(&self, test: &Json) -> Vec<Condition> {
        let unknown = || vec![Condition::Unknown(brief(test))];
        let operator = test.get("op").and_then(Json::as_str).unwrap_or("==");
        let (Some(left), Some(right)) = (test.get("left"), test.get("right")) else { return unknown() };
        // Among the flags of a segment: that of the first packet, and of its answer.
        let among = operator == "in" && field(left).is_none() && flags(left, right, false).is_some();
        let negated = match operator {
            _ if among => return vec![Condition::is(Field::Protocol, Value::Name("tcp".to_owned()))],
            "==" | "in" => false,
            "!=" => true,
            "<" | ">" | "<=" | ">=" => return order(left, operator, right).unwrap_or_else(unknown),
            _ => return unknown(),
        };
        self.equals(left, right, negated).unwrap_or_else(unknown)
    }

    fn equals(&self, left: &Json, right: &Json, negated: bool) -> Option<Vec<Condition>> {
        if let Some(parts) = left.get("concat").and_then(Json::as_array) {
            let elements = self.elements(right)?;
            let groups = elements.iter().map(|element| together(parts, element)).collect::<Option<_>>()?;
            return (!negated).then(|| vec![Condition::Any(groups)]);
        }
        if let Some(condition) = flags(left, right, negated) {
            return Some(vec![Condition::is(Field::Protocol, Value::Name("tcp".to_owned())), condition]);
        }
        let (left, mask) = match left.get("&").and_then(Json::as_array).map(Vec::as_slice) {
            Some([inner, mask]) => (inner, Some(mask.as_u64()?)),
            _ => (left, None),
        };
        let (field, mut conditions) = field(left)?;
        let elements = self.elements(right)?;
        let value = |element: &Json| match mask {
            Some(mask) => Some(Value::Masked(element.as_u64()?, mask)),
            None => value(field, element),
        };
        let values = elements.iter().map(value).collect::<Option<Vec<_>>>()?;
        conditions.push(Condition::Is { field, negated, values });
        Some(conditions)
    }

    /// What stands on the right: one value, a list, a set, or the name of one.
    fn elements(&self, right: &Json) -> Option<Vec<Json>> {
        if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
            let elements = self.sets.get(&(self.family, self.table.to_owned(), name.to_owned()))?;
            return Some(elements.iter().map(bare).collect());
        }
        match right.get("set").unwrap_or(right) {
            Json::Array(elements) => Some(elements.iter().map(bare).collect()),
            one => Some(vec![bare(one)]),
        }
    }

    /// `vmap { key : verdict }`: a rule for each element.
    fn verdicts(&self, map: &Json, conditions: &[Condition], text: &str) -> Vec<Alternative> {
        let unknown = || vec![(conditions.to_vec(), Action::Unknown("vmap".to_owned()), text.to_owned())];
        let (Some(key), Some(data)) = (map.get("key"), map.get("data")) else { return unknown() };
        let one = |(element, verdict): (Json, Json)| {
            let (kind, value) = verdict.as_object()?.iter().next()?;
            let mut all = conditions.to_vec();
            match key.get("concat").and_then(Json::as_array) {
                Some(parts) => all.extend(together(parts, &element)?),
                None if element == "*" => {}
                None => all.extend(self.equals(key, &element, false)?),
            }
            Some((all, action(kind, value)?, text.to_owned()))
        };
        let pairs = self.pairs(data);
        pairs.and_then(|pairs| pairs.into_iter().map(one).collect()).unwrap_or_else(unknown)
    }

    /// `dnat to ADDRESS:PORT`, where either may be looked up in a map.
    fn destinations(&self, to: &Json, conditions: &[Condition], text: &str) -> Vec<Alternative> {
        let unknown = || vec![(conditions.to_vec(), Action::Unknown("dnat".to_owned()), text.to_owned())];
        let constant_port = to.get("port").and_then(Json::as_u64);
        let constant = to.get("addr").and_then(Json::as_str).and_then(|text| text.parse().ok());
        let go = |address: Option<IpAddr>, port: Option<u64>| Action::ToDestination {
            address,
            port: port.and_then(|port| u16::try_from(port).ok()),
            redirects: false,
        };
        let map = [to.get("addr"), to.get("port")].into_iter().flatten().find_map(|part| part.get("map"));
        let Some(map) = map else {
            return match constant {
                Some(address) => {
                    vec![(conditions.to_vec(), go(Some(address), constant_port), text.to_owned())]
                }
                None => unknown(),
            };
        };
        let (Some(key), Some(data)) = (map.get("key"), map.get("data")) else { return unknown() };
        let one = |(element, found): (Json, Json)| {
            let mut all = conditions.to_vec();
            match key.get("concat").and_then(Json::as_array) {
                Some(parts) => all.extend(together(parts, &element)?),
                None => all.extend(self.equals(key, &element, false)?),
            }
            let pieces = found.get("concat").and_then(Json::as_array).cloned().unwrap_or_else(|| vec![found]);
            let address = pieces.iter().find_map(|piece| piece.as_str()?.parse().ok()).or(constant);
            let port = pieces.iter().find_map(Json::as_u64).or(constant_port);
            Some((all, go(address, port), text.to_owned()))
        };
        let pairs = self.pairs(data);
        pairs.and_then(|pairs| pairs.into_iter().map(one).collect()).unwrap_or_else(unknown)
    }

    /// The elements of a map, each with what it is mapped to.
    fn pairs(&self, data: &Json) -> Option<Vec<(Json, Json)>> {
        let elements = match data.as_str().and_then(|text| text.strip_prefix('@')) {
            Some(name) => self.sets.get(&(self.family, self.table.to_owned(), name.to_owned()))?,
            None => data.get("set").unwrap_or(data).as_array()?,
        };
        elements
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([key, found]) => Some((bare(key), found.clone())),
                _ => None,
            })
            .collect()
    }
}

/// An element without its comment, timeout and counter.
fn bare(element: &Json) -> Json {
    element.get("elem").and_then(|inner| inner.get("val")).unwrap_or(element).clone()
}

/// `tcp flags & (syn | ack) == syn` and its like: whether a segment begins a connection.
fn flags(left: &Json, right: &Json, negated: bool) -> Option<Condition> {
    let is_flags = |expression: &Json| {
        let payload = expression.get("payload")?;
        (payload.get("protocol")? == "tcp" && payload.get("field")? == "flags").then_some(())
    };
    if let Some([inner, mask]) = left.get("&").and_then(Json::as_array).map(Vec::as_slice) {
        is_flags(inner)?;
        let asks = |flag: &str| mask.as_array().is_some_and(|flags| flags.iter().any(|one| one == flag));
        (asks("syn") && asks("ack")).then_some(())?;
    } else {
        is_flags(left)?;
    }
    let values = vec![Value::Name("*".to_owned())];
    (right == "syn").then_some(Condition::Is { field: Field::Opens, negated, values })
}

/// The property that an expression names, and what it implies: `ip saddr` is about IPv4.
fn field(expression: &Json) -> Option<(Field, Vec<Condition>)> {
    let (kind, inner) = expression.as_object()?.iter().next()?;
    let word = |key: &str| inner.get(key).and_then(Json::as_str);
    match kind.as_str() {
        "meta" => Some((meta(word("key")?)?, Vec::new())),
        "payload" => payload(word("protocol")?, word("field")?),
        "ct" => match word("key")? {
            "state" => Some((Field::State, Vec::new())),
            "status" => Some((Field::Status, Vec::new())),
            _ => None,
        },
        "fib" => {
            let flags = inner.get("flags")?;
            let about = |word: &str| flags == word || flags.as_array().is_some_and(|all| *all == [word]);
            match word("result")? {
                "type" if about("daddr") => Some((Field::DestinationKind, Vec::new())),
                "type" if about("saddr") => Some((Field::SourceKind, Vec::new())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn meta(key: &str) -> Option<Field> {
    Some(match key {
        "iifname" | "iif" => Field::Input,
        "oifname" | "oif" => Field::Output,
        "l4proto" => Field::Protocol,
        "nfproto" | "protocol" => Field::NetworkFamily,
        "mark" => Field::Mark,
        _ => return None,
    })
}

fn payload(protocol: &str, field: &str) -> Option<(Field, Vec<Condition>)> {
    let named = |name: &str| Value::Name(name.to_owned());
    let family = |word: &str| vec![Condition::is(Field::NetworkFamily, named(word))];
    let transport = || vec![Condition::is(Field::Protocol, named(protocol))];
    Some(match (protocol, field) {
        ("ip", "saddr") => (Field::Source, family("ipv4")),
        ("ip6", "saddr") => (Field::Source, family("ipv6")),
        ("ip", "daddr") => (Field::Destination, family("ipv4")),
        ("ip6", "daddr") => (Field::Destination, family("ipv6")),
        ("ip", "protocol") => (Field::Protocol, family("ipv4")),
        ("ip6", "nexthdr") => (Field::Protocol, family("ipv6")),
        ("th", "dport") => (Field::DestinationPort, Vec::new()),
        ("th", "sport") => (Field::SourcePort, Vec::new()),
        ("tcp" | "udp" | "sctp", "dport") => (Field::DestinationPort, transport()),
        ("tcp" | "udp" | "sctp", "sport") => (Field::SourcePort, transport()),
        ("icmp" | "icmpv6", "type") => (Field::IcmpKind, transport()),
        _ => return None,
    })
}

fn value(field: Field, element: &Json) -> Option<Value> {
    if let Some(range) = element.get("range").and_then(Json::as_array) {
        let [first, last] = &range[..] else { return None };
        return match (first.as_u64(), last.as_u64()) {
            (Some(first), Some(last)) => Some(Value::Numbers(first, last)),
            _ => Some(Value::Addresses(first.as_str()?.parse().ok()?, last.as_str()?.parse().ok()?)),
        };
    }
    if let Some(prefix) = element.get("prefix") {
        let address = prefix.get("addr")?.as_str()?.parse().ok()?;
        let prefix = u8::try_from(prefix.get("len")?.as_u64()?).ok()?;
        return Some(Value::Network(InterfaceAddress { address, prefix }));
    }
    match (field, element) {
        (Field::Source | Field::Destination, Json::String(text)) => {
            let address: IpAddr = text.parse().ok()?;
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            Some(Value::Network(InterfaceAddress { address, prefix }))
        }
        (Field::SourcePort | Field::DestinationPort, Json::String(service)) => {
            service_port(service).map(|port| Value::Numbers(port, port))
        }
        (Field::NetworkFamily, Json::String(word)) => Some(Value::Name(match word.as_str() {
            "ip" => "ipv4".to_owned(),
            "ip6" => "ipv6".to_owned(),
            other => other.to_owned(),
        })),
        (_, Json::String(word)) => Some(Value::Name(word.clone())),
        (_, Json::Number(number)) => number.as_u64().map(|number| Value::Numbers(number, number)),
        _ => None,
    }
}

/// nft prints numbers unless asked for names; a few names it is known to use.
fn service_port(service: &str) -> Option<u64> {
    Some(match service {
        "ssh" => 22,
        "domain" => 53,
        "http" => 80,
        "https" => 443,
        other => return other.parse().ok(),
    })
}

/// The rule in words close to nft's own.
fn words(expressions: &[Json]) -> String {
    expressions.iter().map(brief).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn brief(expression: &Json) -> String {
    let Some((kind, value)) = expression.as_object().and_then(|object| object.iter().next()) else {
        return match expression {
            Json::String(text) => text.clone(),
            Json::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join(", "),
            Json::Null => String::new(),
            other => other.to_string(),
        };
    };
    let inner = |key: &str| value.get(key).map(brief).unwrap_or_default();
    match kind.as_str() {
        "left" | "op" | "right" => {
            let part = |key: &str| expression.get(key).map(brief).unwrap_or_default();
            compared(&part("left"), &part("op"), &part("right"))
        }
        "match" => compared(&inner("left"), &inner("op"), &inner("right")),
        "meta" | "ct" => format!("{}{}", if kind == "ct" { "ct " } else { "" }, inner("key")),
        "payload" => format!("{} {}", inner("protocol"), inner("field")),
        "fib" => format!("fib {} {}", inner("flags"), inner("result")),
        "prefix" => format!("{}/{}", inner("addr"), inner("len")),
        "range" => format!("{}-{}", brief(&value[0]), brief(&value[1])),
        "set" => format!("{{ {} }}", brief(value)),
        "concat" => value
            .as_array()
            .map(|parts| parts.iter().map(brief).collect::<Vec<_>>().join(" . "))
            .unwrap_or_default(),
        "counter" => String::new(),
        "jump" | "goto" => format!("{kind} {}", inner("target")),
        "dnat" | "snat" => {
            let port = value.get("port").map(|port| format!(":{}", brief(port))).unwrap_or_default();
            format!("{kind} to {}{port}", inner("addr"))
        }
        "map" | "vmap" => format!("{} {kind} {}", inner("key"), inner("data")),
        "limit" => "limit rate …".to_owned(),
        "log" => "log".to_owned(),
        _ => kind.clone(),
    }
}

fn compared(left: &str, operator: &str, right: &str) -> String {
    match operator {
        "==" | "in" | "" => format!("{left} {right}"),
        operator => format!("{left} {operator} {right}"),
    }
}

fn order(left: &Json, operator: &str, right: &Json) -> Option<Vec<Condition>> {
    let (field, mut conditions) = field(left)?;
    let bound = right.as_u64()?;
    let range = match operator {
        "<" => Value::Numbers(0, bound.checked_sub(1)?),
        "<=" => Value::Numbers(0, bound),
        ">" => Value::Numbers(bound.checked_add(1)?, u64::MAX),
        _ => Value::Numbers(bound, u64::MAX),
    };
    conditions.push(Condition::is(field, range));
    Some(conditions)
}

/// A concatenation: each part equals its part of the element.
fn together(parts: &[Json], element: &Json) -> Option<Vec<Condition>> {
    let pieces = element.get("concat")?.as_array()?;
    let mut group = Vec::new();
    for (part, piece) in parts.iter().zip(pieces) {
        let (field, implied) = field(part)?;
        group.extend(implied);
        group.push(Condition::is(field, value(field, piece)?));
    }
    Some(group)
}
