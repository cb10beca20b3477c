//! Reads what `iptables-save -c` prints: chains, rules, counters.

use std::net::IpAddr;

use crate::model::InterfaceAddress;

use super::{Action, Chain, Condition, Family, Field, Hook, Maker, Point, Rule, Value};

/// The chains of a listing. A line that is not understood makes its rule doubtful.
pub fn read_iptables(listing: &str, maker: Maker, family: Family) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut table = String::new();
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
        } else if let Some(rest) = line.strip_prefix(':') {
            chains.extend(chain(rest, &table, maker, family));
        } else if let Some((name, rule)) = rule(line) {
            let of_table = |chain: &&mut Chain| chain.table == table && chain.name == name;
            if let Some(chain) = chains.iter_mut().find(of_table) {
                chain.rules.push(rule);
            }
        }
    }
    chains
}

/// `FORWARD DROP [3:180]`
fn chain(text: &str, table: &str, maker: Maker, family: Family) -> Option<Chain> {
    let mut words = text.split_whitespace();
    let (name, policy) = (words.next()?, words.next()?);
    let hook = (policy != "-").then(|| hook(table, name, policy)).flatten();
    Some(Chain { maker, family, table: table.to_owned(), name: name.to_owned(), hook, rules: Vec::new() })
}

fn hook(table: &str, chain: &str, policy: &str) -> Option<Hook> {
    let point = Point::from_word(chain)?;
    let translates = table == "nat";
    let priority = match (table, point) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Point::Prerouting | Point::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    Some(Hook { point, translates, priority, accepts: policy != "DROP", device: None })
}

/// `[5:300] -A DOCKER-USER -s 10.0.0.1/32 -j DROP`
fn rule(line: &str) -> Option<(String, Rule)> {
    let (packets, text) = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((counters, text)) => (counters.split(':').next().and_then(|count| count.parse().ok()), text),
        None => (None, line),
    };
    let words = split(text.strip_prefix("-A ")?);
    let (name, words) = words.split_first()?;
    let mut parser = Parser { words, at: 0, conditions: Vec::new(), action: Action::None };
    while parser.step().is_some() {}
    let Parser { conditions, action, .. } = parser;
    Some((name.clone(), Rule { handle: None, text: text.to_owned(), packets, conditions, action }))
}

/// Words as iptables-save quotes them.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '\\' if quoted => word.extend(characters.next()),
            ' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

struct Parser<'a> {
    words: &'a [String],
    at: usize,
    conditions: Vec<Condition>,
    action: Action,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<String> {
        let word = self.words.get(self.at)?.clone();
        self.at += 1;
        Some(word)
    }

    /// One option with its values.
    fn step(&mut self) -> Option<()> {
        let mut option = self.next()?;
        let negated = option == "!";
        if negated {
            option = self.next()?;
        }
        match option.as_str() {
            "-m" | "--match" => {
                let module = self.next()?;
                self.module(&module);
            }
            "-j" | "--jump" => {
                let target = self.next()?;
                self.action = self.target(&target);
            }
            "-g" | "--goto" => self.action = Action::Goto(self.next()?),
            option => self.option(option, negated)?,
        }
        Some(())
    }

    /// Modules whose options are not read, but which may make the rule match or not.
    fn module(&mut self, module: &str) {
        const READ: [&str; 19] = [
            "tcp",
            "udp",
            "sctp",
            "comment",
            "conntrack",
            "state",
            "addrtype",
            "multiport",
            "mark",
            "iprange",
            "icmp",
            "icmp6",
            "ipv6-icmp",
            "physdev",
            "mac",
            "set",
            "owner",
            "limit",
            "hashlimit",
        ];
        if !READ.contains(&module) {
            self.conditions.push(Condition::Unknown(format!("-m {module}")));
        }
    }

    fn option(&mut self, option: &str, negated: bool) -> Option<()> {
        let field = match option {
            "-i" | "--in-interface" => Field::Input,
            "-o" | "--out-interface" => Field::Output,
            "-s" | "--source" | "--src-range" => Field::Source,
            "-d" | "--destination" | "--dst-range" => Field::Destination,
            "-p" | "--protocol" => Field::Protocol,
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" => Field::DestinationPort,
            "--sport" | "--sports" | "--source-port" | "--source-ports" => Field::SourcePort,
            "--ctstate" | "--state" => Field::State,
            "--ctstatus" => Field::Status,
            "--dst-type" => Field::DestinationKind,
            "--src-type" => Field::SourceKind,
            "--mark" => Field::Mark,
            "--icmp-type" | "--icmpv6-type" => Field::IcmpKind,
            other => return self.other(other, negated),
        };
        let value = self.next()?;
        let values = values(field, &value);
        self.conditions.push(match values {
            Some(values) => Condition::Is { field, negated, values },
            None => Condition::Unknown(format!("{option} {value}")),
        });
        Some(())
    }

    fn other(&mut self, option: &str, negated: bool) -> Option<()> {
        match option {
            "--comment" => {
                self.next()?;
            }
            "--match-set" => {
                let (set, which) = (self.next()?, self.next()?);
                let field = match which.as_str() {
                    "src" => Some(Field::Source),
                    "dst" => Some(Field::Destination),
                    _ => None,
                };
                self.conditions.push(match field {
                    Some(field) => Condition::Is { field, negated, values: vec![Value::Set(set)] },
                    None => Condition::Unknown(format!("--match-set {set} {which}")),
                });
            }
            "--syn" => {
                self.conditions.push(Condition::Is {
                    field: Field::Opens,
                    negated,
                    values: vec![any_name()],
                });
            }
            "--tcp-flags" => {
                let (mask, set) = (self.next()?, self.next()?);
                let opens = set == "SYN" && mask.split(',').any(|flag| flag == "SYN" || flag == "ALL");
                self.conditions.push(if opens && mask != "SYN" {
                    Condition::Is { field: Field::Opens, negated, values: vec![any_name()] }
                } else {
                    Condition::Unknown(format!("--tcp-flags {mask} {set}"))
                });
            }
            // Whether a rule asks for it changes nothing that is known here.
            "--limit-iface-in" | "--limit-iface-out" => {}
            other => {
                // Its values follow, up to the next option.
                while self.words.get(self.at).is_some_and(|word| !word.starts_with('-') && word != "!") {
                    self.at += 1;
                }
                if self.action == Action::None {
                    self.conditions.push(Condition::Unknown(other.to_owned()));
                }
            }
        }
        Some(())
    }

    fn target(&mut self, target: &str) -> Action {
        match target {
            "ACCEPT" => Action::Accept,
            "DROP" => Action::Drop,
            "REJECT" => Action::Reject,
            "RETURN" => Action::Return,
            "DNAT" => self.after("--to-destination").and_then(|to| translation(&to)).map_or(
                Action::Unknown("DNAT".to_owned()),
                |(address, port)| Action::ToDestination { address: Some(address), port, redirects: false },
            ),
            "REDIRECT" => {
                let port = self.after("--to-ports").and_then(|ports| ports.parse().ok());
                Action::ToDestination { address: None, port, redirects: true }
            }
            "SNAT" => self
                .after("--to-source")
                .and_then(|to| translation(&to))
                .map_or(Action::Unknown("SNAT".to_owned()), |(address, _)| Action::FromSource(Some(address))),
            "MASQUERADE" => Action::FromSource(None),
            "MARK" => self.mark(),
            "LOG" | "NFLOG" | "ULOG" | "TCPMSS" | "TRACE" | "CHECKSUM" | "CONNMARK" | "CLASSIFY" | "SET"
            | "TOS" | "DSCP" | "TTL" | "AUDIT" | "CONNSECMARK" | "SECMARK" | "LED" => Action::None,
            "CT" if !self.words.iter().any(|word| word == "--notrack") => Action::None,
            "CT" | "NOTRACK" => Action::Untrack,
            "QUEUE" | "NFQUEUE" => self.queue(),
            "NETMAP" | "TPROXY" | "TEE" | "SYNPROXY" | "RATEEST" => Action::Unknown(target.to_owned()),
            chain => Action::Jump(chain.to_owned()),
        }
    }

    fn queue(&self) -> Action {
        let balanced = self.after("--queue-balance");
        let one = || self.after("--queue-num").unwrap_or_else(|| "0".to_owned());
        let numbers = balanced.unwrap_or_else(one);
        let (first, last) = numbers.split_once(':').unwrap_or((&numbers, &numbers));
        let (first, last) = (first.parse().ok(), last.parse().ok());
        match first.zip(last) {
            Some((first, last)) => {
                Action::Queue { first, last, bypass: self.words.iter().any(|word| word == "--queue-bypass") }
            }
            None => Action::Unknown("NFQUEUE".to_owned()),
        }
    }

    fn mark(&mut self) -> Action {
        let both = |text: &str| {
            let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
            Some((hexadecimal(value)?, hexadecimal(mask)?))
        };
        let read = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let set = self.after("--set-xmark").or_else(|| self.after("--set-mark"));
        match set.as_deref().and_then(both) {
            Some((value, mask)) => Action::Mark { clear: read(mask), toggle: read(value) },
            None => Action::None,
        }
    }

    /// The value of an option of the target.
    fn after(&self, option: &str) -> Option<String> {
        let at = self.words.iter().position(|word| word == option)?;
        self.words.get(at + 1).cloned()
    }
}

fn any_name() -> Value {
    Value::Name("*".to_owned())
}

/// `172.17.0.2:80`, `[fd00::2]:80`, or without a port.
fn translation(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (address, port) = inside.split_once(']')?;
        return Some((address.parse().ok()?, port.strip_prefix(':').and_then(|port| port.parse().ok())));
    }
    let (address, port) = text.rsplit_once(':')?;
    Some((address.parse().ok()?, port.parse().ok()))
}

/// None for what is not understood.
fn values(field: Field, text: &str) -> Option<Vec<Value>> {
    let each = text.split(',');
    match field {
        Field::Input | Field::Output => {
            let name = text.strip_suffix('+').map_or_else(|| text.to_owned(), |start| format!("{start}*"));
            Some(vec![Value::Name(name)])
        }
        Field::Source | Field::Destination => each.map(addresses).collect(),
        Field::SourcePort | Field::DestinationPort => each.map(ports).collect(),
        Field::Mark => {
            let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
            Some(vec![Value::Masked(hexadecimal(value)?, hexadecimal(mask)?)])
        }
        Field::Protocol => Some(vec![match text.parse() {
            Ok(number) => Value::Numbers(number, number),
            Err(_) => Value::Name(text.to_owned()),
        }]),
        _ => Some(each.map(|word| Value::Name(word.to_ascii_lowercase())).collect()),
    }
}

fn addresses(text: &str) -> Option<Value> {
    if let Some((first, last)) = text.split_once('-') {
        return Some(Value::Addresses(first.parse().ok()?, last.parse().ok()?));
    }
    if let Ok(network) = text.parse::<InterfaceAddress>() {
        return Some(Value::Network(network));
    }
    let address: IpAddr = text.parse().ok()?;
    Some(Value::Network(InterfaceAddress { address, prefix: if address.is_ipv4() { 32 } else { 128 } }))
}

fn ports(text: &str) -> Option<Value> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let last = if last.is_empty() { "65535" } else { last };
    let first = if first.is_empty() { "0" } else { first };
    Some(Value::Numbers(first.parse().ok()?, last.parse().ok()?))
}

fn hexadecimal(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = include_str!("recorded/docker-20.10-iptables-save.txt");

    fn one(line: &str) -> Rule {
        rule(line).unwrap().1
    }

    #[test]
    fn dockers_rules_are_understood_whole() {
        let chains = read_iptables(DOCKER, Maker::IptablesNft, Family::Ip);
        let forward = chains.iter().find(|chain| chain.name == "FORWARD").unwrap();
        assert!(!forward.hook.as_ref().unwrap().accepts);
        for rule in chains.iter().flat_map(|chain| &chain.rules) {
            let unknown = |condition: &Condition| matches!(condition, Condition::Unknown(_));
            assert!(!rule.conditions.iter().any(unknown), "{}", rule.text);
            assert!(!matches!(rule.action, Action::Unknown(_)), "{}", rule.text);
        }
        let docker = chains.iter().find(|chain| chain.table == "nat" && chain.name == "DOCKER").unwrap();
        assert!(matches!(
            docker.rules.last().unwrap().action,
            Action::ToDestination { address: Some(_), port: Some(80), redirects: false }
        ));
    }

    #[test]
    fn counters_comments_and_negations_are_read() {
        let rule = one("[7:420] -A X ! -s 10.0.0.0/8 -p tcp -m comment --comment \"a \\\"b\\\" -j\" -j DROP");
        assert_eq!((rule.packets, &rule.action), (Some(7), &Action::Drop));
        assert_eq!(rule.conditions.len(), 2);
        assert!(matches!(rule.conditions[0], Condition::Is { negated: true, .. }));
    }

    #[test]
    fn what_is_not_understood_is_doubtful() {
        let rule = one("-A X -m statistic --mode random --probability 0.5 -j DROP");
        assert!(rule.conditions.iter().all(|condition| matches!(condition, Condition::Unknown(_))));
        assert_eq!(rule.action, Action::Drop);
        let limit = one("-A X -m limit --limit 5/min -j ACCEPT");
        assert_eq!(limit.conditions, [Condition::Unknown("--limit".to_owned())]);
    }

    #[test]
    fn queues_and_exceptions_from_tracking_are_read() {
        let action = |line: &str| one(line).action;
        assert_eq!(
            action("-A X -j NFQUEUE --queue-balance 1:3 --queue-bypass"),
            Action::Queue { first: 1, last: 3, bypass: true }
        );
        assert_eq!(action("-A X -j NFQUEUE"), Action::Queue { first: 0, last: 0, bypass: false });
        assert_eq!(action("-A X -j CT --notrack"), Action::Untrack);
        assert_eq!(action("-A X -j CT --helper ftp"), Action::None);
    }

    #[test]
    fn translations_name_their_address_and_port() {
        let to = |line: &str| one(line).action;
        let address = |text: &str| Some(text.parse().unwrap());
        assert_eq!(
            to("-A X -p tcp -j DNAT --to-destination [fd00::2]:80"),
            Action::ToDestination { address: address("fd00::2"), port: Some(80), redirects: false }
        );
        assert_eq!(to("-A X -j SNAT --to-source 192.0.2.1"), Action::FromSource(address("192.0.2.1")));
        assert_eq!(
            to("-A X -j MARK --set-xmark 0x4000/0x4000"),
            Action::Mark { clear: 0x4000, toggle: 0x4000 }
        );
        assert_eq!(to("-A X -j ufw-user-input"), Action::Jump("ufw-user-input".to_owned()));
        assert_eq!(to("-A X -j LOG --log-prefix \"[UFW BLOCK] \""), Action::None);
    }
}
